"""Small Protocols: what a pass needs from the world, without knowing who gives it.

Every method that changes something outside this process is an *effect*; the names of each port's
effects are listed in its `EFFECTS`, so that a test can cut a pass between any two of them.
"""

from __future__ import annotations

from reconciler.ports.host import ContainerEngine, HostFiles, HostShell, Say
from reconciler.ports.memory import Adoptions, Identity, Images, Ledger, Signals
from reconciler.ports.repository import Disk, Repository, Tree
from reconciler.ports.running import Clock, Progress

__all__ = [
    "Adoptions",
    "Clock",
    "ContainerEngine",
    "Disk",
    "HostFiles",
    "HostShell",
    "Identity",
    "Images",
    "Ledger",
    "Progress",
    "Repository",
    "Say",
    "Signals",
    "Tree",
]
