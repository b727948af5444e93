"""Servers that say whether the CI of a commit has passed."""
