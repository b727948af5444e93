"""Whether continuous integration lets a commit through: what has to run for it, and what became of that."""
