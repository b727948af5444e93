"""reconciler.toml: every setting from the file and from the environment, and every mistake with its line."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from reconciler.errors import BadConfiguration
from reconciler.model.settings import Seconds, Settings
from reconciler.settings import load_settings, load_swarm_settings, seconds_of, variable_of

LEAST = 'host = "a"\n[repository]\nurl = "file:///r"\n'


def write(folder: Path, text: str) -> str:
    file = folder / "reconciler.toml"
    file.write_text(text)
    return str(file)


def problem(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as caught:
        load_settings(write(folder, text), environment or {})
    assert caught.value.next
    return caught.value


def every_setting() -> list[tuple[str, type]]:
    """`repository.url` and its type, for all there are."""
    found = []
    hints = get_type_hints(Settings)
    for field in dataclasses.fields(Settings):
        kind = hints[field.name]
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            inner = get_type_hints(kind)
            found += [(f"{field.name}.{each.name}", inner[each.name]) for each in dataclasses.fields(kind)]
        elif not field.metadata.get("derived"):
            found.append((field.name, kind))
    return found


def sample(name: str, kind: type) -> tuple[str, str, Any]:
    """How it stands in the file, how in the environment, and what it becomes."""
    if name == "trust.signatures":
        return '"off"', "off", "off"
    if kind is Seconds:
        return '"1.5m"', "90", 90.0
    if kind is int:
        return "7", "7", 7
    if kind is bool:
        return "true", "yes", True
    if kind == tuple[str, ...]:
        return '["/x", "/y"]', " /x, /y ,", ("/x", "/y")
    value = {
        "state.directory": "/absolute",
        "inbox.directory": "/absolute",
        "heartbeat.textfile": "/x/y.prom",
        "serve.listen": "[::1]:80",
        "serve.directory": "/absolute",
        "serve.binhost": "/absolute",
        "swarm.url": "https://swarm.example/at",
        "drone.engine": "/absolute",
        "drone.directory": "/absolute",
        "drone.builds": "/absolute",
        "drone.binhost": "https://binhost.example/amd64",
    }.get(name, "some")
    return f'"{value}"', value, value


def got(settings: Settings, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


@pytest.mark.parametrize(("name", "kind"), every_setting(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_setting_comes_from_the_file_or_from_the_environment(name: str, kind: type, tmp_path: Path) -> None:
    written, exported, wanted = sample(name, kind)
    section, _, key = name.rpartition(".")
    rest = {"host": 'host = "a"\n', "repository.url": '[repository]\nurl = "file:///r"\n'}
    rest.pop(name, None)
    if section == "repository" and "repository.url" in rest:
        text = rest["host"] + rest["repository.url"] + f"{key} = {written}\n"
    elif section:
        text = "".join(rest.values()) + f"[{section}]\n{key} = {written}\n"
    else:
        text = f"{key} = {written}\n" + "".join(rest.values())

    assert got(load_settings(write(tmp_path, text), {}), name) == wanted
    assert got(load_settings(write(tmp_path, LEAST), {variable_of(name): exported}), name) == wanted


def test_the_least_that_must_be_said(tmp_path: Path) -> None:
    made = load_settings(write(tmp_path, LEAST), {})

    assert made.repository.branch == "main"
    assert made.trust.allow_privileged == ()
    assert made.verify.job_timeout == Seconds(600)
    assert made.config_directory == str(tmp_path)


def test_the_environment_alone_is_enough() -> None:
    made = load_settings(
        None, {"RECONCILER_HOST": "a", "RECONCILER_REPOSITORY_URL": "file:///r", "RECONCILER_CONFIG": ""}
    )

    assert (made.host, made.repository.url) == ("a", "file:///r")


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    environment = {"RECONCILER_HOST": "a", "RECONCILER_REPOSITORY_URL": "file:///r"}
    missing = str(tmp_path / "none.toml")

    for file, more in ((missing, {}), (None, {"RECONCILER_CONFIG": missing})):
        with pytest.raises(BadConfiguration) as caught:
            load_settings(file, environment | more)
        assert caught.value.code == "E-SETTINGS-FILE"


def test_the_environment_names_the_file(tmp_path: Path) -> None:
    assert load_settings(None, {"RECONCILER_CONFIG": write(tmp_path, LEAST)}).host == "a"


@pytest.mark.parametrize(
    ("text", "code", "at", "says"),
    [
        ("host = \n", "E-SETTINGS-SYNTAX", ":1:8", ""),
        (LEAST + "url = 'twice'\n", "E-SETTINGS-SYNTAX", ":4:", ""),
        (LEAST + "brnch = 'x'\n", "E-SETTINGS-KEY", ":4:1", "did you mean 'branch'?"),
        (LEAST + "[trst]\n", "E-SETTINGS-KEY", ":4:1", "did you mean 'trust'?"),
        (LEAST + "[verify]\nurl = 'x'\n", "E-SETTINGS-KEY", ":5:1", "unknown setting verify.url"),
        (LEAST + "  [apply]\n  parallel = 'x'\n", "E-SETTINGS-VALUE", ":5:3", "a whole number"),
        (LEAST + "[apply]\nparallel = true\n", "E-SETTINGS-VALUE", ":5:1", "a whole number"),
        (LEAST + "[apply]\nparallel = 0\n", "E-SETTINGS-VALUE", ":5:1", "one or more"),
        (LEAST + "[trust]\nmax_removed_stacks = -1\n", "E-SETTINGS-VALUE", ":5:1", "zero or more"),
        (LEAST + "[trust]\nallow_host_mounts = '/opt'\n", "E-SETTINGS-VALUE", ":5:1", "a list of texts"),
        (LEAST + "[heartbeat]\ntextfile = 'x.prom'\n", "E-SETTINGS-VALUE", ":5:1", "absolute path that ends in .prom"),
        (LEAST + "[heartbeat]\ntextfile = '/x/metrics'\n", "E-SETTINGS-VALUE", ":5:1", "ends in .prom"),
        (LEAST + "[trust]\nallow_host_mounts = ['opt']\n", "E-SETTINGS-VALUE", ":5:1", "absolute"),
        (LEAST + "[trust]\nsignatures = 'on'\n", "E-SETTINGS-VALUE", ":5:1", "head"),
        (LEAST + "[trust]\nsignatures = 'all'\nallowed_signers = 'keys'\n", "E-SETTINGS-VALUE", ":6:1", "absolute"),
        (LEAST + "[trust]\nsignatures = 'all'\nallowed_signers = ''\n", "E-SETTINGS-VALUE", ":6:1", "nobody may sign"),
        (LEAST + "[verify]\nwindow = '1 day'\n", "E-SETTINGS-VALUE", ":5:1", "a duration"),
        (LEAST + "[verify]\nwindow = -1\n", "E-SETTINGS-VALUE", ":5:1", "a duration"),
        (LEAST + "[verify]\nwindow = inf\n", "E-SETTINGS-VALUE", ":5:1", "a duration"),
        (LEAST + "[verify]\nwindow = nan\n", "E-SETTINGS-VALUE", ":5:1", "a duration"),
        (LEAST + "deadline = 0\n", "E-SETTINGS-VALUE", ":4:1", "more than zero"),
        (LEAST + "[state]\ndirectory = 'here'\n", "E-SETTINGS-VALUE", ":5:1", "an absolute path"),
        ("trust = 1\n" + LEAST, "E-SETTINGS-VALUE", ":1:1", "a section"),
        ("host = ''\n[repository]\nurl = 'x'\n", "E-SETTINGS-VALUE", ":1:1", "the name of a host"),
        ("host = 'a'\n[repository]\nurl = '--upload-pack=x'\n", "E-SETTINGS-VALUE", ":3:1", "address"),
        ("host = 'a'\n", "E-SETTINGS-MISSING", "", "RECONCILER_REPOSITORY_URL"),
        ("host = 'a'\n[repository]\n", "E-SETTINGS-MISSING", "", "repository.url"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, code: str, at: str, says: str, tmp_path: Path) -> None:
    error = problem(tmp_path, text)

    assert error.code == code
    assert f"{tmp_path}/reconciler.toml{at}" in str(error.at)
    assert says in f"{error.what} {error.why} {error.next}"


def test_a_mistake_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    error = problem(tmp_path, LEAST + "[apply]\nparallel = 4\n", {"RECONCILER_APPLY_PARALLEL": "four"})

    assert str(error.at) == "environment variable RECONCILER_APPLY_PARALLEL"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("500ms", 0.5), ("5m", 300), ("4h", 14400), ("1.5m", 90), (" 5 s ", 5), ("0", None),
     ("", None), ("5d", None), ("-5", None), ("1e3", None), ("5 m 3 s", None)],
)  # fmt: skip
def test_durations(text: str, seconds: float | None) -> None:
    assert seconds_of(text) == seconds


# ---- what needs no repository


def test_the_swarm_needs_neither_a_file_nor_a_repository(tmp_path: Path) -> None:
    bare = load_swarm_settings(None, {"HOME": "/"}) if not Path("/etc/reconciler/reconciler.toml").exists() else None
    alone = load_swarm_settings(write(tmp_path, '[serve]\nlisten = "127.0.0.1:9"\n'), {})

    assert bare is None or bare.swarm.address == "http://127.0.0.1:8080"
    assert (alone.serve.listen, alone.host, alone.repository.url) == ("127.0.0.1:9", "", "")
    assert alone.config_directory == str(tmp_path)


def test_the_swarm_needs_a_file_that_was_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfiguration) as caught:
        load_swarm_settings(str(tmp_path / "none.toml"), {})

    assert caught.value.code == "E-SETTINGS-FILE"


def test_orchestrator_url_stands_behind_our_own_variable_and_before_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, '[swarm]\nurl = "http://file"\n')
    theirs, ours = {"ORCHESTRATOR_URL": "http://theirs"}, {"RECONCILER_SWARM_URL": "http://ours"}

    assert load_swarm_settings(file, {}).swarm.url == "http://file"
    assert load_swarm_settings(file, theirs).swarm.url == "http://theirs"
    assert load_swarm_settings(file, theirs | ours).swarm.url == "http://ours"


def test_a_pass_hands_nothing_over_unless_its_orchestrator_is_named(tmp_path: Path) -> None:
    file = write(tmp_path, LEAST)

    assert load_settings(file, {}).swarm.url == ""
    assert load_settings(file, {"ORCHESTRATOR_URL": "http://theirs"}).swarm.url == "http://theirs"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("serve.listen", "8080"),
        ("serve.listen", "127.0.0.1:99999"),
        ("serve.listen", "::1:8080"),
        ("serve.directory", "relative"),
        ("serve.binhost", "relative"),
        ("serve.heartbeat", "0"),
        ("swarm.url", "swarm.example"),
        ("swarm.url", "http://user:word@swarm.example"),
        ("swarm.deadline", "0"),
        ("drone.name", "a/b"),
        ("drone.profile", ""),
        ("drone.profile", "default/linux"),
        ("drone.directory", ""),
        ("drone.directory", "relative"),
        ("drone.engine", "relative"),
        ("drone.builds", "relative"),
        ("drone.binhost", "binhost.example"),
        ("drone.timeout", "0s"),
        ("drone.sweeper", "maybe"),
        ("swarm.every", "0"),
    ],
)
def test_a_wrong_setting_of_the_swarm_is_named(name: str, value: str, tmp_path: Path) -> None:
    section, _, key = name.partition(".")
    with pytest.raises(BadConfiguration) as caught:
        load_swarm_settings(write(tmp_path, f'[{section}]\n{key} = "{value}"\n'), {})

    assert caught.value.code == "E-SETTINGS-VALUE"
    assert caught.value.what.startswith(name)
    assert caught.value.at is not None
    assert caught.value.at.line == 2
