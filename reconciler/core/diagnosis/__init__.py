"""Facts of a host become findings: what is well, what is not, why, and the command that mends it."""
