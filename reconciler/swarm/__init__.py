"""The build swarm: wishes become builds, builds go to drones, what they make ends in a binhost.

`orchestrator` is the door of it, and the modules beside it are its steps. Four rooms know nothing of one another:
`emerge` reads, `placing` decides who builds what, `drone` builds, `binhost` keeps.
"""
