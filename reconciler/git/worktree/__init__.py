"""The working tree of one host: a plain folder that holds exactly one revision's files, and whatever else lies there.

compare (what differs) -> plan (what to do, and what forbids it) -> apply (doing it); the record remembers what
was checked out. Below the adapters, so that the one for git can offer it without importing a sibling.
"""
