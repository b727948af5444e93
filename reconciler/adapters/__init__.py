"""One foreign thing per file."""
