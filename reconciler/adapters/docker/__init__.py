"""A Docker engine: over a socket, over TLS or ssh, read without loading anything, and one in memory."""
