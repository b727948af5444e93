"""Small Protocols: what a pass needs from the world, without knowing who gives it.

Every method that changes something outside this process is an *effect*; the names of each port's
effects are listed in its `EFFECTS`, so that a test can cut a pass between any two of them.
"""

from __future__ import annotations

from reconciler.ports.gate import Backoff, CiMemory, ContinuousIntegration, Remembered, Unanswered
from reconciler.ports.host import ContainerEngine, HostFiles, HostShell, Say
from reconciler.ports.memory import Adoptions, Identity, Images, Ledger, Signals
from reconciler.ports.notices import Notifier, Outbox
from reconciler.ports.packages import BuildSwarm
from reconciler.ports.probing import Probing
from reconciler.ports.repository import Disk, Repository, Signatures, Tree
from reconciler.ports.running import Clock, Progress

__all__ = [
    "Adoptions",
    "Backoff",
    "BuildSwarm",
    "CiMemory",
    "Clock",
    "ContainerEngine",
    "ContinuousIntegration",
    "Disk",
    "HostFiles",
    "HostShell",
    "Identity",
    "Images",
    "Ledger",
    "Notifier",
    "Outbox",
    "Probing",
    "Progress",
    "Remembered",
    "Repository",
    "Say",
    "Signals",
    "Signatures",
    "Tree",
    "Unanswered",
]
