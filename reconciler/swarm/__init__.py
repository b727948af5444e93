"""The build swarm: which packages are built, in which order, on which drone."""
