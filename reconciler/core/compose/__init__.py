"""A Compose file, as text in git, becomes a `Stack`."""
