"""The host's own file, reconciler.toml: policy and trust live here, never in the repository.

Every setting can be overridden from the environment: `[repository] url` is RECONCILER_REPOSITORY_URL, `host`
is RECONCILER_HOST; lists are separated by commas. docs/settings.md has a line for each.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from operator import attrgetter
from pathlib import Path
from typing import Any, get_type_hints

from reconciler.errors import BadConfiguration, Position
from reconciler.model.settings import Drone, Seconds, Settings, Trust

DEFAULT_FILE = "/etc/reconciler/reconciler.toml"
PREFIX = "RECONCILER"
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def seconds_of(text: str) -> float | None:
    """A duration above zero in seconds; None when the text is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", text.strip())
    return (float(match[1]) * _UNITS[match[2] or ""] or None) if match else None


def load_settings(file: str | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The file, with what the environment overrides. BadConfiguration when it is missing, unreadable or wrong.

    ORCHESTRATOR_URL stands for `swarm.url` where nothing of ours sets it in the environment.
    """
    return _load(file, environment, whole=True)


def load_swarm_settings(file: str | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """The same for what follows no repository: host and repository may be left out, and so may the whole file."""
    return _load(file, environment, whole=False)


def _load(file: str | None, environment: Mapping[str, str], *, whole: bool) -> Settings:
    if address := environment.get("ORCHESTRATOR_URL"):
        environment = {variable_of("swarm.url"): address, **environment}
    path = Path(file or environment.get(f"{PREFIX}_CONFIG") or DEFAULT_FILE)
    explicit = bool(file or environment.get(f"{PREFIX}_CONFIG"))
    raw, text = _read(path, needed=explicit or (whole and f"{PREFIX}_REPOSITORY_URL" not in environment))
    source = _Source(str(path), text, environment, whole)
    settings: Settings = _section(Settings, raw, "", source)
    if whole:
        _check(settings, source)
    _check_swarm(settings, source)
    return replace(settings, config_file=str(path.absolute()), config_directory=str(path.resolve().parent))


def name_of_drone(settings: Settings) -> str:
    """What a drone of this machine is called; who enrolls it has to call it the same."""
    return settings.drone.name or settings.host or os.uname().nodename


def place_of(name: str, file: str | None = None, environment: Mapping[str, str] = os.environ) -> Position:
    """Where a setting (or, without a line of its own, its section's heading) stands; line 0: in neither."""
    path = Path(file or environment.get(f"{PREFIX}_CONFIG") or DEFAULT_FILE)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError):
        text = ""
    return _Source(str(path), text, environment).at(name)


def _check(settings: Settings, source: _Source) -> None:
    """What the type alone does not tell."""
    texts = {"host": "the name of a host", "repository.url": "the address of a repository"}
    for name, wanted in (texts | {"repository.branch": "the name of a branch"}).items():
        if not (value := attrgetter(name)(settings)).strip() or value.startswith("-"):
            raise _wrong(name, value, wanted, source)
    for name in ("state.directory", "inbox.directory"):
        if not (path := attrgetter(name)(settings)).startswith("/"):
            raise _wrong(name, path, "an absolute path", source)
    if (textfile := settings.heartbeat.textfile) and not (textfile.startswith("/") and textfile.endswith(".prom")):
        raise _wrong("heartbeat.textfile", textfile, "an absolute path that ends in .prom", source)
    for folder in settings.trust.allow_host_mounts:
        if not folder.startswith("/"):
            raise _wrong("trust.allow_host_mounts", folder, "a list of absolute paths", source)
    if settings.apply.parallel < 1:
        raise _wrong("apply.parallel", settings.apply.parallel, "one or more", source)
    for name in ("repository.deadline", "docker.deadline", "watch.every"):
        if not (deadline := attrgetter(name)(settings)):
            raise _wrong(name, deadline, "more than zero", source)
    _check_trust(settings.trust, source)


def _check_trust(trust: Trust, source: _Source) -> None:
    """A key file found by a relative path could be one of the repository (I18)."""
    if trust.signatures not in ("off", "head", "all"):
        raise _wrong("trust.signatures", trust.signatures, '"off", "head" or "all"', source)
    for name in ("allowed_signers", "revoked_signers", "gpg_home"):
        path = getattr(trust, name)
        if trust.signatures != "off" and path and not path.startswith("/"):
            raise _wrong(f"trust.{name}", path, "an absolute path", source)
    if trust.signatures != "off" and not (trust.allowed_signers or trust.gpg_home):
        raise _wrong("trust.allowed_signers", "", "a file of keys; without one nobody may sign", source)


def _check_swarm(settings: Settings, source: _Source) -> None:
    serve, swarm = settings.serve, settings.swarm
    if (
        not re.fullmatch(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}", serve.listen)
        or _port(serve.listen) > 65535
    ):
        raise _wrong("serve.listen", serve.listen, "an address and a port, such as 127.0.0.1:8080 or [::]:8080", source)
    for name, path in (("serve.directory", serve.directory), ("serve.binhost", serve.packages)):
        if not path.startswith("/"):
            raise _wrong(name, path, "an absolute path", source)
    if swarm.url and not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", swarm.url):
        raise _wrong("swarm.url", swarm.url, "an address such as http://127.0.0.1:8080", source)
    for name, duration in (
        ("serve.heartbeat", serve.heartbeat),
        ("swarm.deadline", swarm.deadline),
        ("swarm.every", swarm.every),
    ):
        if not duration:
            raise _wrong(name, duration, "more than zero", source)
    _check_drone(settings.drone, source)


def _check_drone(drone: Drone, source: _Source) -> None:
    for name, value in (("name", drone.name or "any"), ("profile", drone.profile)):
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9+_.-]{0,99}", value):
            raise _wrong(f"drone.{name}", value, "a name of letters, digits, . _ + and -", source)
    for name, path in (
        ("directory", drone.directory),
        ("engine", drone.engine or "/"),
        ("builds", drone.builds or "/"),
    ):
        if not path.startswith("/"):
            raise _wrong(f"drone.{name}", path, "an absolute path", source)
    if drone.binhost and not re.fullmatch(r"(?:https?|file)://[^\s?#]+", drone.binhost):
        raise _wrong("drone.binhost", drone.binhost, "an address such as http://binhost/amd64", source)
    if drone.nice > 19:
        raise _wrong("drone.nice", drone.nice, "from 0 to 19", source)
    if not drone.timeout:
        raise _wrong("drone.timeout", drone.timeout, "more than zero", source)


def _port(listen: str) -> int:
    return int(listen.rpartition(":")[2])


@dataclass(frozen=True, slots=True)
class _Source:
    file: str
    text: str
    environment: Mapping[str, str]
    whole: bool = True

    def at(self, name: str) -> Position:
        """The line of a setting or section; the variable where that sets it; else the file alone."""
        if (variable := variable_of(name)) in self.environment:
            return Position(f"environment variable {variable}")
        section = ""
        for number, line in enumerate(self.text.splitlines(), 1):
            header = re.match(r"\s*\[\s*([\w.-]+)\s*\]", line)
            section = header[1] if header else section
            key = re.match(r"\s*([\w.\"'-]+)\s*=", line)
            here = section if header else f"{section}.{key[1]}".lstrip(".") if key else ""
            here = here.replace('"', "").replace("'", "")
            if here == name or here.startswith(f"{name}."):
                return Position(self.file, number, len(line) - len(line.lstrip()) + 1)
        return Position(self.file)


def variable_of(name: str) -> str:
    """`repository.url` -> RECONCILER_REPOSITORY_URL."""
    return f"{PREFIX}_{name.replace('.', '_').upper()}"


def _read(path: Path, *, needed: bool) -> tuple[dict[str, Any], str]:
    try:
        text = path.read_text()
        return tomllib.loads(text), text
    except FileNotFoundError:
        if not needed:
            return {}, ""
        raise BadConfiguration(
            "E-SETTINGS-FILE",
            f"there is no {path}",
            why="the host's own file says where the repository is and which host this is",
            next=f"let reconciler init write it, or name another one by --config or {PREFIX}_CONFIG",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfiguration(
            "E-SETTINGS-FILE", f"cannot read {path}", why=str(error), next="check its owner, mode and encoding"
        ) from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+), column (\d+)", str(error))
        at = Position(str(path), int(line[1]), int(line[2])) if line else Position(str(path))
        raise BadConfiguration(
            "E-SETTINGS-SYNTAX", "not valid TOML", why=str(error), next="mend the line", at=at
        ) from error


def _section(kind: type[Any], raw: Any, prefix: str, source: _Source) -> Any:
    if not isinstance(raw, dict):
        raise _wrong(prefix.rstrip("."), raw, "a section", source)
    known = {f.name: f for f in fields(kind) if not f.metadata.get("derived")}
    for key in raw:
        if key not in known:
            near = get_close_matches(key, known, 1)
            raise BadConfiguration(
                "E-SETTINGS-KEY",
                f"unknown setting {prefix}{key}",
                why=f"known here: {', '.join(known)}" + (f"; did you mean {near[0]!r}?" if near else ""),
                next="mend or remove it",
                at=source.at(f"{prefix}{key}"),
            )
    hints = get_type_hints(kind)
    values = {n: _value(f, hints[n], raw.get(n), f"{prefix}{n}", source) for n, f in known.items()}
    return kind(**values)


def _value(spec: Field[Any], hint: type[Any], raw: Any, name: str, source: _Source) -> Any:
    if is_dataclass(hint):
        return _section(hint, {} if raw is None else raw, f"{name}.", source)
    variable = variable_of(name)
    if variable in source.environment:
        return _from_text(hint, source.environment[variable], name, source)
    if raw is not None:
        return _typed(hint, raw, name, source)
    if spec.default is MISSING and not source.whole:
        return ""
    if spec.default is MISSING:
        raise BadConfiguration(
            "E-SETTINGS-MISSING",
            f"{name} is not set",
            why="it has no default",
            next=f"set it in the file, or {variable} in the environment",
            at=Position(source.file),
        )
    return spec.default


def _from_text(hint: type[Any], text: str, name: str, source: _Source) -> Any:
    if hint == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if hint is int:
        return _typed(hint, int(text) if re.fullmatch(r"-?\d+", text) else text, name, source)
    if hint is bool:
        return _typed(hint, _BOOLEANS.get(text.strip().lower(), text), name, source)
    return _typed(hint, text, name, source)


def _typed(hint: type[Any], raw: Any, name: str, source: _Source) -> Any:
    if hint == tuple[str, ...]:
        if isinstance(raw, list) and all(isinstance(item, str) for item in raw):
            return tuple(raw)
        raise _wrong(name, raw, "a list of texts", source)
    if hint is Seconds:
        return _seconds(raw, name, source)
    if not isinstance(raw, hint) or (isinstance(raw, bool) and hint is not bool):
        raise _wrong(name, raw, {str: "a text", int: "a whole number", bool: "true or false"}[hint], source)
    if hint is int and raw < 0:
        raise _wrong(name, raw, "zero or more", source)
    return raw


def _seconds(raw: Any, name: str, source: _Source) -> Seconds:
    if isinstance(raw, (int, float)) and not isinstance(raw, bool) and 0 <= raw < 1e12:
        return Seconds(raw)
    if isinstance(raw, str) and re.fullmatch(r"0+(\.0+)?\s*(ms|s|m|h)?", raw.strip()):
        return Seconds(0)
    if not isinstance(raw, str) or not (seconds := seconds_of(raw)):
        raise _wrong(name, raw, "a duration, such as 500ms, 90s, 5m or 4h", source)
    return Seconds(seconds)


def _wrong(name: str, raw: Any, wanted: str, source: _Source) -> BadConfiguration:
    return BadConfiguration(
        "E-SETTINGS-VALUE",
        f"{name} is not {wanted}",
        why=f"got {raw!r}",
        next="mend it; docs/settings.md describes every setting",
        at=source.at(name),
    )
