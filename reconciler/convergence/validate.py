"""New files are tried in a container of the new definition, while everything runs on as before (`validate`)."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.convergence.gather import Picture
from reconciler.convergence.oneoff import run_once
from reconciler.convergence.world import World
from reconciler.core.container import file_path
from reconciler.core.migrations import marks, oneoff
from reconciler.core.planner import serving
from reconciler.core.trial import trial
from reconciler.core.wanted import Want
from reconciler.errors import Terminal
from reconciler.model.observed import made_name
from reconciler.model.on_change import OnChange
from reconciler.model.plan import Step
from reconciler.model.repository import EntryKind
from reconciler.ports import Tree

_TOLD_LINES = 15


class Validate:
    """The checks of one run; images are there and inline files are written."""

    def __init__(self, world: World, run: str, owner: str) -> None:
        self._world, self._run, self._owner = world, run, owner

    def run(self, picture: Picture) -> None:
        """Every check of the plan, once for each service. Terminal (E-VALIDATE) when one says no."""
        steps = {(step.slot.stack, step.slot.service): step for step in picture.plan.steps if step.validate}
        for step in steps.values():
            self._world.clock.sleep(0)
            self._world.progress.step(step.slot, "validating", step.validate[0].validate[0])
            folder = f"{picture.facts.paths.rendered}/trial-{self._run}"
            try:
                self._try(step, picture, folder)
            finally:
                self._world.files.discard(folder)

    def _try(self, step: Step, picture: Picture, folder: str) -> None:
        want = picture.wants[step.slot]
        copies = {}
        files: dict[str, tuple[EntryKind, bytes]] = {}
        for source, path in _from_git(want, picture):
            if found := dict(_below(picture.tree, path)):
                copies[source] = f"{folder}/{path}".rstrip("/")
                files |= found
        self._world.files.lay_out(folder, files)
        absent = {each.volume.name for each in picture.plan.volumes}
        networks = [name for name in want.spec.endpoints if any(n.name == name for n in picture.observed.networks)]
        body = trial(want.spec, copies, absent, self._network(want, picture, networks))
        for number, rule in enumerate(step.validate):
            request = oneoff(body, want.spec.image, {}, rule.validate, {}, self._marks(step))
            name = made_name(f"{want.spec.name}-validate-{number}", self._run)
            engine, clock = self._world.engine, self._world.clock
            code, log = run_once(engine, clock, name, request, networks, want.spec.platform, rule.timeout)
            if code != 0:
                raise _refused(step, rule, code, log)

    def _marks(self, step: Step) -> dict[str, str]:
        return marks(self._owner, step.slot.stack, step.slot.service)

    def _network(self, want: Want, picture: Picture, networks: list[str]) -> str:
        """A network of the service that is there already, or the namespace that it shares; else none."""
        if networks:
            return networks[0]
        host = want.spec.namespaces.get("NetworkMode")
        if host is None and not want.spec.endpoints:
            return str(want.spec.body.get("HostConfig", {}).get("NetworkMode", "none"))
        container = serving(picture.observed, self._owner).get(host) if host else None
        return f"container:{container.id}" if container and container.running else "none"


def _from_git(want: Want, picture: Picture) -> Iterator[tuple[str, str]]:
    """Paths on the host that the service mounts from the check-out, and what they are in the repository."""
    for mount in want.service.mounts:
        if mount.repo_path is not None:
            yield mount.source, mount.repo_path
    granted = {(grant.kind, grant.key) for grant in want.service.grants}
    for item in want.stack.files:
        if item.repo_path is not None and (item.kind, item.key) in granted:
            yield file_path(item, want.stack, picture.facts.paths, picture.facts.sealer), item.repo_path


def _below(tree: Tree, path: str) -> Iterator[tuple[str, tuple[EntryKind, bytes]]]:
    """The files and links at a path and below it, by their path in the repository."""
    entry = tree.entry(path)
    if entry is None or entry.kind == "submodule":
        return
    if entry.kind != "directory":
        yield path, (entry.kind, tree.read(path))
        return
    for name in tree.children(path):
        yield from _below(tree, f"{path}/{name}".lstrip("/"))


def _refused(step: Step, rule: OnChange, code: int | None, log: str) -> Terminal:
    how = f"was ended after {rule.timeout:g} s" if code is None else f"ended with {code}"
    return Terminal(
        "E-VALIDATE",
        f"{step.slot}: {rule.validate[0]}, which checks the new files, {how}",
        why="\n".join(log.splitlines()[-_TOLD_LINES:]) or "it wrote nothing",
        next="mend the files that it checks, and push",
        unchanged="everything runs as before",
    )
