"""A binhost's index: which packages it names, under which names, and for how long."""
