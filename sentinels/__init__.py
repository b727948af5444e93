"""The sentinel-file protocol: standard library only, usable from a hook or a CI runner without the rest."""

from sentinels.folder import DEFAULT_TTL, Block, Entry, Pause, SentinelFolder
from sentinels.moment import Moment, now

__all__ = ["DEFAULT_TTL", "Block", "Entry", "Moment", "Pause", "SentinelFolder", "now"]
