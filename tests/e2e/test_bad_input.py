"""Whatever a repository holds: a clear answer with its place, within bounds of time and memory, and nothing touched."""

from __future__ import annotations

import os
import resource
import subprocess
import textwrap
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.cli import Done, Host, host_at, run, stack
from tests.support.engine import Engine
from tests.support.gitremote import Content, Submodule, Symlink

pytestmark = pytest.mark.engine

MEMORY = 200 << 20
FLEET = "manifests/fleet.yaml"
WEB = "manifests/stacks/web/compose.yaml"


def text(body: str) -> str:
    return textwrap.dedent(body).lstrip()


def service(body: str) -> str:
    return "services:\n  web:\n    image: test/box:1\n" + textwrap.indent(text(body), "    ")


def bomb() -> str:
    levels = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "x0: &x0 [1, 2, 3, 4, 5, 6, 7, 8, 9]\n" + "\n".join(f"x-{line}" for line in levels)


@dataclass(frozen=True)
class Case:
    """`files` below manifests/, beside a good fleet; `at` is where the answer points."""

    name: str
    files: Mapping[str, Content]
    code: str
    at: str
    says: tuple[str, ...] = ()
    fleet: str | None = None
    on_disk: bool = True
    at_root: Mapping[str, Content] = field(default_factory=dict)


def compose(name: str, content: Content, code: str, at: str, *says: str, **more: Content) -> Case:
    """A stack `web` that is wrong; `at` may be a line and column of its file."""
    place = f"{WEB}:{at}" if at[:1].isdigit() else at
    others = {f"stacks/web/{path}": inner for path, inner in more.items()}
    return Case(name, {"stacks/web/compose.yaml": content, **others}, code, place, says)


def fleet(name: str, body: str, code: str, at: str, *says: str) -> Case:
    return Case(
        name, {"stacks/web/compose.yaml": stack()}, code, f"{FLEET}:{at}" if at else FLEET, says, fleet=text(body)
    )


CASES = [
    compose("malformed", "services:\n  web: [1, 2\n  other: }\n", "E-YAML-SYNTAX", "3:8"),
    compose("alias bomb", bomb(), "E-YAML-ALIASES", "6:12", "multiply"),
    compose("duplicate keys", "services:\n  web: {image: a}\n  web: {image: b}\n", "E-YAML-DUPLICATE", "3:3", "'web'"),
    compose("huge", "# " + "x" * (3 << 20), "E-YAML-SIZE", WEB, "1048576"),
    compose("not UTF-8", b"services:\n  web: {image: \xff\xfe}\n", "E-YAML-ENCODING", "2:16"),
    compose("tabs", "services:\n\tweb:\n\t\timage: a\n", "E-YAML-SYNTAX", "2:1", "never with tabs"),
    compose("a python tag", "services:\n  web: !!python/object/apply:os.system [id]\n", "E-YAML-TAG", "2:8", "python"),
    compose("empty", "", "E-YAML-SYNTAX", "1:1", "empty"),
    compose("too deep", "x-a: " + "[" * 200, "E-YAML-DEPTH", "1:69"),
    compose(
        "unknown key",
        service("healthchek: {test: [CMD, true]}"),
        "E-COMPOSE-KEY",
        "4:5",
        "'healthchek'",
        "'healthcheck'",
    ),
    compose(
        "unsupported key",
        service("external_links: [db]"),
        "E-COMPOSE-UNSUPPORTED",
        "4:5",
        "'external_links'",
        "one network",
    ),
    compose("bad interpolation", service("command: ['${X']"), "E-COMPOSE-INTERPOLATION", "4:15", "never closed"),
    compose(
        "a link out",
        service("volumes: [./data:/data]"),
        "E-COMPOSE-PATH",
        "4:15",
        "leads out of the repository",
        data=Symlink("/etc/passwd"),
    ),
    compose(
        "a link out by dots",
        service("volumes: [./data:/data]"),
        "E-COMPOSE-PATH",
        "4:15",
        "leads out",
        data=Symlink("../../../../etc"),
    ),
    compose("dots out", service("volumes: [../../../../etc:/data]"), "E-COMPOSE-PATH", "4:15", "leaves the repository"),
    compose(
        "an LFS pointer",
        service("volumes: [./big:/big]"),
        "E-COMPOSE-PATH",
        "4:15",
        "git-LFS",
        big="version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n",
    ),
    compose(
        "an LFS pointer as manifest",
        "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 12\n",
        "E-COMPOSE-PATH",
        "1:1",
        "git-LFS",
    ),
    compose(
        "case clash",
        service("volumes: [./conf:/conf]"),
        "E-COMPOSE-PATH",
        "4:15",
        "differ in case only",
        **{"conf/App.ini": "a", "conf/app.ini": "b"},
    ),
    compose(
        "remote include",
        "include: ['https://example.org/compose.yaml']\nservices: {web: {image: a}}\n",
        "E-COMPOSE-UNSUPPORTED",
        "1:11",
        "remote include",
    ),
    compose("extends cycle", "services:\n  a: {extends: b}\n  b: {extends: a}\n", "E-COMPOSE-CYCLE", "3:16"),
    compose(
        "include cycle",
        "include: [other.yaml]\nservices: {web: {image: a}}\n",
        "E-COMPOSE-CYCLE",
        "manifests/stacks/web/other.yaml:1:11",
        **{"other.yaml": "include: [compose.yaml]\n"},
    ),
    compose(
        "external config",
        "services:\n  web: {image: a, configs: [c]}\nconfigs:\n  c: {external: true}\n",
        "E-COMPOSE-EXTERNAL",
        "4:3",
    ),
    compose("no such context", "services:\n  web: {build: ./missing}\n", "E-COMPOSE-REFERENCE", "2:16", "missing"),
    Case(
        "submodule",
        {"stacks/web/compose.yaml": service("volumes: [./sub:/sub]"), "stacks/web/sub": Submodule("1" * 40)},
        "E-COMPOSE-PATH",
        f"{WEB}:4:15",
        ("submodule",),
        on_disk=False,
    ),
    Case(
        "stack without a Compose file",
        {"stacks/web/notes.txt": "hello"},
        "E-MANIFEST-STACK",
        "manifests/stacks/web",
        ("compose.yaml",),
    ),
    Case(
        "two stacks of one name",
        {"stacks/a/compose.yaml": f"name: one\n{stack()}", "stacks/b/compose.yaml": f"name: one\n{stack()}"},
        "E-MANIFEST-TWICE",
        "manifests/stacks/b/compose.yaml",
        ("stacks/a/compose.yaml",),
    ),
    compose(
        "unknown host",
        f"x-reconciler:\n  hosts: [alpha, alhpa]\n{stack()}",
        "E-MANIFEST-HOST",
        "2:3",
        "'alhpa'",
        "'alpha'",
    ),
    compose("unknown key of ours", f"x-reconciler:\n  host: [alpha]\n{stack()}", "E-MANIFEST-KEY", "2:3", "'hosts'"),
    compose(
        "a drift of no kind", f"x-reconciler:\n  image_drift: no\n{stack()}", "E-MANIFEST-VALUE", "2:3", "image_drift"
    ),
    compose("a job that is no job", service("x-reconciler: {job: maybe}"), "E-MANIFEST-VALUE", "4:20", "job"),
    fleet(
        "fleet: unknown key",
        "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {alpha: {connect: local, checkout: /opt/x}}\nhsots: {}\n",
        "E-MANIFEST-KEY",
        "4:1",
        "'hsots'",
        "'hosts'",
    ),
    fleet(
        "fleet: unknown key of a host",
        "apiVersion: reconciler/v1\nkind: Fleet\nhosts:\n  alpha: {connect: local, chekout: /opt/x}\n",
        "E-MANIFEST-KEY",
        "4:27",
        "'checkout'",
    ),
    fleet(
        "fleet: wrong type",
        "apiVersion: reconciler/v1\nkind: Fleet\nhosts: [alpha]\n",
        "E-MANIFEST-VALUE",
        "3:1",
        "hosts",
    ),
    fleet(
        "fleet: relative check-out",
        "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {alpha: {connect: local, checkout: opt/x}}\n",
        "E-MANIFEST-VALUE",
        "3:33",
        "checkout",
    ),
    fleet("fleet: no hosts", "apiVersion: reconciler/v1\nkind: Fleet\n", "E-MANIFEST-VALUE", "1:1", "hosts is missing"),
    fleet(
        "fleet: empty hosts", "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {}\n", "E-MANIFEST-VALUE", "3:1", "hosts"
    ),
    fleet("fleet: a list", "- a\n", "E-MANIFEST-VALUE", "1:1", "not a mapping"),
    fleet("fleet: malformed", "apiVersion: [\n", "E-YAML-SYNTAX", "2:1"),
]
IDS = [case.name for case in CASES]
ONLY_A_HOST = [
    compose("missing env file", service("env_file: secret.env"), "E-COMPOSE-HOSTFILE", "4:15", "secret.env"),
    compose(
        "a variable that must be set",
        service("command: ['${TOKEN:?ask ana}']"),
        "E-COMPOSE-INTERPOLATION",
        "4:15",
        "TOKEN",
        "ask ana",
    ),
]


def files_of(case: Case, host: Host) -> dict[str, Content]:
    return {"fleet.yaml": case.fleet if case.fleet is not None else host.fleet(), **case.files}


def on_disk(case: Case, host: Host, folder: Path) -> Path:
    """The same files in a working tree, as their author has them before committing."""
    (folder / ".git").mkdir(parents=True)
    for path, content in files_of(case, host).items():
        file = folder / "manifests" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Symlink):
            file.symlink_to(os.fsdecode(content.target))
        else:
            assert isinstance(content, str | bytes)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / "manifests"


def check_error(done: Done, case: Case, exit_code: int = 78) -> None:
    assert done.code == exit_code, done.out + done.err
    assert done.answer["schema"] == "reconciler/v1"
    error = done.error
    assert error["code"] == case.code, error
    place = error["at"] or {"file": "", "line": 0, "column": 0}
    shown = f"{place['file']}:{place['line']}:{place['column']}" if place["line"] else place["file"]
    assert shown == case.at
    told = f"{error['what']} {error['why']} {error['next']}"
    assert all(word in told for word in case.says), told
    assert "Traceback" not in done.err


@pytest.fixture(scope="module")
def untouched(engine_daemon: Engine) -> Iterator[str]:
    """The address of an engine that nobody may change as long as these tests run."""
    before = time.time()
    yield engine_daemon.url
    assert engine_daemon.events(before) == []


def check_nothing_happened(host: Host) -> None:
    """No check-out, no stamp, no file made for a container; `untouched` looks at the engine."""
    assert not host.checkout.exists()
    assert host.stamp == ""
    assert not (host.state / "rendered").exists()


@pytest.mark.parametrize("case", [case for case in CASES if case.on_disk], ids=lambda case: case.name)
def test_validate_names_the_mistake_and_its_place(case: Case, tmp_path: Path) -> None:
    host = host_at(tmp_path)
    manifests = on_disk(case, host, tmp_path / "work")

    done = run("validate", manifests, "--json", limits={resource.RLIMIT_CPU: 2, resource.RLIMIT_AS: MEMORY})

    check_error(done, case)
    assert len(done.answer["data"]["problems"]) == 1


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_converge_refuses_it_and_touches_nothing(case: Case, tmp_path: Path, untouched: str) -> None:
    host = host_at(tmp_path, untouched)
    host.push(files_of(case, host))

    done = host.run("converge", "--json")

    check_error(done, case)
    check_nothing_happened(host)


@pytest.mark.parametrize("case", ONLY_A_HOST, ids=lambda case: case.name)
def test_what_only_a_host_has_is_a_warning_for_the_author_and_an_error_on_the_host(
    case: Case, tmp_path: Path, untouched: str
) -> None:
    host = host_at(tmp_path, untouched)
    host.push(files_of(case, host))
    manifests = on_disk(case, host, tmp_path / "work")

    checked = run("validate", manifests, "--json")
    converged = host.run("converge", "--json")

    assert checked.code == 0
    assert any(case.says[0] in warning and "a host may have it" in warning for warning in checked.answer["warnings"])
    check_error(converged, case)
    check_error(run("validate", manifests, "--env", tmp_path / "empty", "--json"), case)
    (tmp_path / "envs" / "web").mkdir(parents=True)
    (tmp_path / "envs" / "web" / "secret.env").write_text("A=1\n")
    (tmp_path / "envs" / "web" / ".env").write_text("TOKEN=x\n")
    assert run("validate", manifests, "--env", tmp_path / "envs").code == 0
    check_nothing_happened(host)


def test_a_bad_commit_costs_no_more_memory_than_a_good_one(tmp_path: Path) -> None:
    """The bomb would be billions of values, the huge file is 300 MiB."""
    host = host_at(tmp_path)
    bad = Case("bomb", {"stacks/a/compose.yaml": bomb(), "stacks/b/compose.yaml": stack()}, "", "")
    manifests = on_disk(bad, host, tmp_path / "work")
    with (manifests / "stacks/b/huge.bin").open("wb") as file:
        file.truncate(300 << 20)
    (manifests / "stacks/b/compose.yaml").write_text(service("volumes: [./huge.bin:/huge]"))
    (manifests / "stacks/c").mkdir()
    with (manifests / "stacks/c/compose.yaml").open("wb") as file:
        file.truncate(300 << 20)

    done = run("validate", manifests, "--json", limits={resource.RLIMIT_AS: MEMORY})

    assert done.code == 78, done.err
    assert {problem["code"] for problem in done.answer["data"]["problems"]} == {"E-YAML-ALIASES", "E-YAML-SIZE"}


def test_every_mistake_is_told_at_once_in_words(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    case = Case("several", {f"stacks/{n}/compose.yaml": service(f"imge: {n}") for n in ("a", "b", "c")}, "", "")
    manifests = on_disk(case, host, tmp_path / "work")

    done = run("validate", manifests)

    assert done.code == 78
    assert "manifests/stacks/a/compose.yaml:4:5: unknown key 'imge'" in done.out
    assert "  why        " in done.out
    assert "  next       did you mean 'image'?" in done.out
    assert "3 problems in manifests" in done.out


def test_of_one_file_no_more_is_told_than_a_person_mends_in_one_go(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    keys = "".join(f"key{n}: x\n" for n in range(30))
    case = Case("many", {"stacks/a/compose.yaml": service(keys), "stacks/b/compose.yaml": service("imge: b")}, "", "")
    manifests = on_disk(case, host, tmp_path / "work")

    done, told = run("validate", manifests), run("validate", manifests, "--json").answer["data"]["problems"]

    named = [line for line in done.out.splitlines() if "unknown key" in line]
    assert [line.split(":")[1] for line in named] == [str(line) for line in range(4, 24)] + ["4"]
    assert "manifests/stacks/a/compose.yaml: +10 more" in done.out
    assert "31 problems in manifests" in done.out
    assert [(each["at"]["file"][-14], each["at"]["line"]) for each in told] == [
        *(("a", line) for line in range(4, 34)),
        ("b", 4),
    ]


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("services: {web: {image: a, privileged: true}}", "E-GUARD-PRIVILEGED", "trust.allow_privileged"),
        ("services: {web: {image: a, volumes: ['/var/run/docker.sock:/s']}}", "E-GUARD-PRIVILEGED", "Docker socket"),
        ("services: {web: {image: a, volumes: ['/run:/s:ro']}}", "E-GUARD-PRIVILEGED", "Docker socket"),
        ("services: {web: {image: a, volumes: ['/etc:/s:ro']}}", "E-GUARD-MOUNT", "/etc"),
        (
            (
                "services: {web: {image: a, volumes: ['v:/s']}}\n"
                "volumes: {v: {driver_opts: {type: none, o: bind, device: /etc}}}"
            ),
            "E-GUARD-MOUNT",
            "/etc",
        ),
        (
            "services: {web: {image: a, configs: [c]}}\nconfigs: {c: {file: /etc/shadow}}",
            "E-GUARD-MOUNT",
            "/etc/shadow",
        ),
        (
            "services: {web: {image: a, ports: ['80:80']}, two: {image: a, ports: ['80:81']}}",
            "E-COMPOSE-REFERENCE",
            "80",
        ),
        ("services: {web: {image: 'test/none:9', pull_policy: never}}", "E-IMAGE-MISSING", "test/none:9"),
        (
            "services: {web: {image: a, networks: [n]}}\nnetworks: {n: {external: true}}",
            "E-GUARD-EXTERNAL",
            "docker network create",
        ),
    ],
)
def test_what_the_guard_refuses_ends_with_its_own_code_and_touches_nothing(
    body: str, code: str, says: str, tmp_path: Path, untouched: str
) -> None:
    host = host_at(tmp_path, untouched)
    host.push({"fleet.yaml": host.fleet(), "stacks/web/compose.yaml": body})

    done = host.run("converge", "--json")

    assert done.code == (78 if code.startswith("E-COMPOSE") else 1), done.out
    assert done.error["code"] == code
    assert says in f"{done.error['what']} {done.error['why']} {done.error['next']}"
    check_nothing_happened(host)


def test_a_stack_that_no_host_runs_is_named(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    nobody = Case(
        "nobody", {"stacks/web/compose.yaml": f"x-reconciler: {{hosts: {{role: nobody}}}}\n{stack()}"}, "", ""
    )

    done = run("validate", on_disk(nobody, host, tmp_path / "work"), "--json")

    assert done.error["code"] == "E-MANIFEST-HOST"
    assert "role: nobody" in done.error["what"]


SETTINGS = 'host = "alpha"\n\n[repository]\nurl = "file:///nowhere"\n'


@pytest.mark.parametrize(
    ("content", "code", "at", "says"),
    [
        (None, "E-SETTINGS-FILE", "", "there is no"),
        (b"\xff", "E-SETTINGS-FILE", "", "cannot read"),
        ("host = \n", "E-SETTINGS-SYNTAX", ":1:8", "Invalid value"),
        (f"{SETTINGS}brnach = 'x'\n", "E-SETTINGS-KEY", ":5:1", "'branch'"),
        (f"{SETTINGS}[trsut]\nsignatures = 'off'\n", "E-SETTINGS-KEY", ":5:1", "'trust'"),
        (f"{SETTINGS}[apply]\nparallel = 'four'\n", "E-SETTINGS-VALUE", ":6:1", "whole number"),
        (f"{SETTINGS}[verify]\nwindow = '5 parsecs'\n", "E-SETTINGS-VALUE", ":6:1", "duration"),
        ("[repository]\nurl = 'file:///x'\n", "E-SETTINGS-MISSING", "", "host is not set"),
        (f"{SETTINGS}[trust]\nsignatures = 'some'\n", "E-SETTINGS-VALUE", ":6:1", "off"),
    ],
)
def test_a_wrong_host_file_is_named_with_its_line(
    content: str | bytes | None, code: str, at: str, says: str, tmp_path: Path
) -> None:
    file = tmp_path / "reconciler.toml"
    if content is not None:
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    done = run("converge", "--json", "--config", file)

    assert done.code == 78
    assert done.error["code"] == code
    told = f"{done.error['what']} {done.error['why']} {done.error['next']}"
    assert says in told
    if at:
        place = done.error["at"]
        assert f":{place['line']}:{place['column']}" == at
        assert place["file"] == str(file)
    assert os.listdir(tmp_path) == ([] if content is None else ["reconciler.toml"])


@pytest.mark.parametrize("command", ["plan", "diff alpha", "status", "history", "pause --reason x", "sentinels list"])
def test_every_command_says_that_the_host_file_is_missing(command: str, tmp_path: Path) -> None:
    done = run(*command.split(), "--json", "--config", tmp_path / "none.toml")

    assert (done.code, done.error["code"]) == (78, "E-SETTINGS-FILE")
    assert command.startswith(done.answer["command"])


def test_a_fleet_that_does_not_have_this_host_is_told_both_ways_out(tmp_path: Path, untouched: str) -> None:
    host = host_at(tmp_path, untouched)
    host.push({"fleet.yaml": host.fleet().replace("alpha", "omega"), "stacks/web/compose.yaml": stack()})

    done = host.run("converge")

    assert done.code == 78
    assert "manifests/fleet.yaml: the fleet has no host 'alpha' [E-MANIFEST-HOST]" in done.err
    assert "omega" in done.err
    assert "reconciler.toml" in done.err


def test_a_real_submodule_in_a_working_tree_is_refused(tmp_path: Path) -> None:
    host = host_at(tmp_path)
    case = Case(
        "submodule",
        {"stacks/web/compose.yaml": service("volumes: [./sub:/sub]")},
        "E-COMPOSE-PATH",
        f"{WEB}:4:15",
        ("submodule",),
    )
    manifests = on_disk(case, host, tmp_path / "work")
    subprocess.run(["git", "init", "--quiet", manifests / "stacks/web/sub"], check=True)

    check_error(run("validate", manifests, "--json"), case)
