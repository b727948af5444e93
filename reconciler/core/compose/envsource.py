"""Where env files lie: in the repository first, then among the host's own files of the stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from reconciler.core.compose import keys, read
from reconciler.core.compose.envfile import BadEnvFile, parse_env
from reconciler.core.compose.interpolate import Lookup
from reconciler.core.compose.paths import Paths, join, parent
from reconciler.core.compose.problems import FromHost, LacksHostValue, bad_value, check_keys, demand, fail, show
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes
from reconciler.errors import Position


class EnvFiles:
    """Reads env files. `host_files` by relative path; `root` is where they lie, for messages."""

    def __init__(self, paths: Paths, folders: Mapping[str, str], host_files: Mapping[str, bytes], root: str) -> None:
        self.paths = paths
        self.folders = folders
        self.host_files = host_files
        self.root = root.rstrip("/")

    def host_env(self, lookup: Lookup) -> dict[str, str]:
        """The variables of the host's own `.env`."""
        return self._host(".env", lookup, raw=False) if ".env" in self.host_files else {}

    def repo_env(self, folder: str, lookup: Lookup, at: Position) -> dict[str, str]:
        """The variables of the `.env` in a folder of the repository; none when there is no such file."""
        repo = self.paths.find_file(".env", folder, at)
        return self._repo(repo, lookup, False, at) if repo else {}

    def folder(self, at: Position) -> str:
        """Where relative paths of that file begin."""
        return self.folders.get(at.file, parent(at.file))

    def load(
        self, holder: Map | Seq, key: Any, lookup: Lookup, reads: dict[str, None], what: str = "env file"
    ) -> dict[str, str]:
        """The variables of one entry of `env_file`; what was read from the repository is noted in `reads`."""
        item, at = holder[key], holder.at(key)
        raw, required, where = False, True, at
        if isinstance(item, Map):
            raw, required, path = self._options(item)
            where = item.at("path")
        else:
            path = read.filled(holder, key)
        repo = self.paths.find_file(path, self.folder(where), where)
        if repo is not None:
            reads[repo] = None
            return self._repo(repo, lookup, raw, where)
        for name in self._host_names(path):
            if name in self.host_files:
                return self._host(name, lookup, raw)
        if required:
            self._missing(path, where, what)
        return {}

    def _options(self, item: Map) -> tuple[bool, bool, str]:
        with Mistakes() as mistakes:
            mistakes.of(check_keys, item, keys.ENV_FILE, "env_file")
            found = mistakes.written({"format": _raw, "required": read.boolean, "path": read.filled}, item)
            demand(item, keys.ENV_FILE, "an env_file needs a path", "path")
        return found.get("format", False), found.get("required", True), found["path"]

    def _host_names(self, path: str) -> tuple[str, ...]:
        relative = "" if path.startswith(("/", "~")) else join("", path) or ""
        return (relative, path.rpartition("/")[2])

    def _missing(self, path: str, at: Position, what: str) -> NoReturn:
        inside = join(self.folder(at), path) if not path.startswith(("/", "~")) else path
        host = f"{self.root}/{path.rpartition('/')[2]}" if self.root else "the host's own env files of this stack"
        raise LacksHostValue(
            "E-COMPOSE-HOSTFILE",
            f"the {what} {show(path)} is missing",
            at=at,
            why=f"it is neither in git ({inside}) nor on the host ({host})",
            next=f"put it at {host} on the host" + (", or mark it as required: false" if what == "env file" else ""),
        )

    def _repo(self, repo: str, lookup: Lookup, raw: bool, at: Position) -> dict[str, str]:
        return _parse(self.paths.read(repo, at), repo, lookup, raw)

    def _host(self, name: str, lookup: Lookup, raw: bool) -> dict[str, str]:
        found = _parse(self.host_files[name], f"{self.root}/{name}" if self.root else name, lookup, raw)
        return {key: FromHost(value) for key, value in found.items()}


def _raw(item: Map, key: str) -> bool:
    if item[key] != "raw":
        bad_value(item.at(key), key, item[key], "raw (leave it out for the usual format)")
    return True


def _parse(data: bytes, file: str, lookup: Lookup, raw: bool) -> dict[str, str]:
    try:
        return parse_env(data, lookup, raw)
    except BadEnvFile as error:
        fail("E-COMPOSE-ENVFILE", str(error), Position(file, error.line, 1), next="write one KEY=value per line")
