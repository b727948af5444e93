"""HTTP: wire formats, who may do what, and the routes of every role. It gets what it serves from the wiring."""
