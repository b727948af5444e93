"""`init`: from the Compose projects of a machine to a repository."""
