"""The commands of the build swarm."""
