"""What a user writes beside Compose: fleet.yaml and `x-reconciler`."""
