"""A drone of a real orchestrator that makes what a test says, with the flags that the test says."""

from __future__ import annotations

import hashlib

from reconciler.model.package import Package
from reconciler.model.swarm import Artifact, Offer
from tests.support.serving import Orchestrator, ScriptedDrone, eventually


class Maker:
    """Takes what is offered, one after the other. `profile`: what it builds for."""

    def __init__(self, orchestrator: Orchestrator, profile: str, name: str = "tau") -> None:
        self.orchestrator, self.drone = orchestrator, ScriptedDrone(orchestrator, name, profile)
        orchestrator.drones.append(self.drone)

    def resolve(self, *packages: Package, refused: str = "") -> None:
        """Answer the question of a request: these packages; or that it cannot be, and why."""
        offer = self.drone.take()
        assert offer.kind == "resolve", offer
        self.drone.finish(offer, "succeeded", text=told(*packages) + refused)

    def build(self, *packages: Package) -> None:
        """Every package that is offered until these are in the binhost, with just these flags."""
        wanted = {package.cpv: package for package in packages}
        while wanted:
            offer = self.drone.take()
            package = wanted.pop(offer.atoms[0].lstrip("=").partition("::")[0])
            self.drone.finish(offer, "succeeded", artifacts=(self._made(offer, package),))
            self._ended(offer, "succeeded")

    def fail(self, reason: str, times: int = 3) -> None:
        """The next build fails as often as it is offered."""
        builds = [self._failed(reason) for _ in range(times)]
        self._ended(builds[-1], "failed")

    def _failed(self, reason: str) -> Offer:
        offer = self.drone.take()
        self.drone.finish(offer, "failed", reason=reason, log="the last lines\n")
        return offer

    def _made(self, offer: Offer, package: Package) -> Artifact:
        path = f"{package.cp}/{package.name}-{package.version}-1.gpkg.tar"
        data = f"{package} {package.use} {offer.lease}".encode()
        assert self.drone.put(offer, path, data).status == 201
        entry = {
            "CPV": package.cpv,
            "PATH": path,
            "BUILD_ID": "1",
            "SIZE": str(len(data)),
            "SLOT": package.slot or "0",
            "EAPI": "8",
            "REPO": "gentoo",
            "USE": " ".join(flag for flag in package.use if not flag.startswith("-")),
            "IUSE": " ".join(flag.lstrip("-") for flag in package.use),
        }
        return Artifact(path, len(data), hashlib.sha256(data).hexdigest(), entry)

    def _ended(self, offer: Offer, state: str) -> None:
        def ended() -> bool:
            return bool(self.orchestrator.get(f"/api/builds/{offer.build}").data["build"]["state"] == state)

        eventually(ended, f"{offer.build} is {state}")


def told(*packages: Package) -> str:
    """What `emerge -p --verbose --tree` prints."""
    head = "These are the packages that would be merged, in reverse order:\n\n"
    return head + "".join(_line(package) for package in packages)


def _line(package: Package) -> str:
    slot = f":{package.slot}" if package.slot not in ("", "0") else ""
    use = f'  USE="{" ".join(package.use)}"' if package.use else ""
    return f"[ebuild  N     ] {package.cpv}{slot}::gentoo{use} 0 KiB\n"
