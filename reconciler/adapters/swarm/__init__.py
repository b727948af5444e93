"""What the build swarm stands on: its store, what travels between orchestrator and drones, and its HTTP."""
