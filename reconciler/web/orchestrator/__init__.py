"""The orchestrator's API: the queue, drones, builds and what happens, for people's commands and for the gateway."""
