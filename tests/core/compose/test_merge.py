"""`extends`, `include`, `!reset` and `!override`."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from reconciler.core.trees import Content
from reconciler.model.desired import Attachment, Dependency, Port
from tests.support.compose import FILE, HOST, load, problem

OTHERS = """
  b: {image: b}
  c: {image: c}
networks: {n: , m: }
volumes: {v: , w: }
configs: {x: {content: x}, y: {content: y}}
"""


def extended(base: str, over: str) -> Any:
    """The service `web` that extends `base` of another file."""
    text = f"services:\n  web: {{extends: {{file: base.yaml, service: base}}, {over}}}{OTHERS}"
    return load(text, {"stacks/app/base.yaml": f"services: {{base: {{image: a, {base}}}}}"}).stack.service("web")


@pytest.mark.parametrize(
    ("base", "over", "attribute", "value"),
    [
        ("user: a", "user: b", "user", "b"),
        ("user: a", "tty: true", "user", "a"),
        ("command: [a, b]", "command: [c]", "command", ("c",)),
        ("entrypoint: [a, b]", "entrypoint: c d", "entrypoint", ("c", "d")),
        ("healthcheck: {test: [CMD, a], interval: 5s}", "healthcheck: {test: b}", "healthcheck.test", ("CMD-SHELL",
         "b")),
        ("healthcheck: {test: [CMD, a], interval: 5s}", "healthcheck: {test: b}", "healthcheck.interval", 5),
        ("environment: {A: 1, B: 1}", "environment: [B=2, C=3]", "environment", (("A", "1"), ("B", "2"), ("C", "3"))),
        ("labels: [a=1, b=1]", "labels: {b: 2}", "labels", (("a", "1"), ("b", "2"))),
        ("sysctls: {a: 1}", "sysctls: [a=2]", "sysctls", (("a", "2"),)),
        ("ports: ['80:80']", "ports: ['81:81', '80:80']", "ports",
         (Port(80, host_port="80"), Port(81, host_port="81"))),
        ("expose: [1]", "expose: [2, 1]", "expose", ("1", "2")),
        ("cap_add: [A]", "cap_add: [B, A]", "cap_add", ("A", "B")),
        ("dns: 1.1.1.1", "dns: [8.8.8.8]", "dns", ("1.1.1.1", "8.8.8.8")),
        ("tmpfs: /a", "tmpfs: ['/b', '/a:size=1']", "mounts", [("/a", "", "size=1"), ("/b", "", "")]),
        ("volumes: ['v:/v', '/h:/h']", "volumes: ['w:/v']", "mounts", [("/v", "w", ""), ("/h", "/h", "")]),
        ("volumes: ['v:/v']", "volumes: [{type: volume, source: w, target: /v}]", "mounts", [("/v", "w", "")]),
        ("depends_on: [b]", "depends_on: {c: {condition: service_healthy}}", "depends_on",
         (Dependency("b"), Dependency("c", "service_healthy"))),
        ("networks: [n]", "networks: {m: {aliases: [x]}}", "networks", (Attachment("n"), Attachment("m", ("x",)))),
        ("networks: {n: {aliases: [x]}}", "networks: {n: {aliases: [y]}}", "networks", (Attachment("n", ("x", "y")),)),
        ("extra_hosts: ['h:1.1.1.1']", "extra_hosts: {i: 2.2.2.2}", "extra_hosts", (("h", "1.1.1.1"), ("i",
         "2.2.2.2"))),
        ("logging: {driver: a, options: {x: 1}}", "logging: {driver: b}", "logging.options", ()),
        ("logging: {driver: a, options: {x: 1}}", "logging: {options: {y: 2}}", "logging.options", (("x", "1"), ("y",
         "2"))),
        ("deploy: {resources: {limits: {memory: 1g}}}", "deploy: {resources: {limits: {cpus: 2}}}",
         "resources.memory", 1 << 30),
        ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits: {nofile: 5}", "ulimits", [(5, 5)]),
        ("configs: [x]", "configs: [y]", "grants", [("x", "/x"), ("y", "/y")]),
        ("devices: ['/dev/a:/dev/x']", "devices: ['/dev/b:/dev/x']", "devices", [("/dev/b", "/dev/x")]),
        ("environment: {A: 1, B: 1}", "environment: {A: !reset null}", "environment", (("B", "1"),)),
        ("ports: ['80:80']", "ports: !reset []", "ports", ()),
        ("ports: ['80:80']", "ports: !override ['81:81']", "ports", (Port(81, host_port="81"),)),
        ("healthcheck: {test: a}", "healthcheck: !reset null", "healthcheck", None),
        ("environment: {A: 1, B: 1}", "environment: null", "environment", (("A", "1"), ("B", "1"))),
        ("command: [a]", "command: null", "command", None),
    ],
)  # fmt: skip
def test_how_a_service_is_laid_over_what_it_extends(base: str, over: str, attribute: str, value: Any) -> None:
    made: Any = extended(base, over)
    for name in attribute.split("."):
        made = getattr(made, name)
    if attribute == "mounts":
        made = [(m.target, m.source, m.options) for m in made]
    elif attribute == "ulimits":
        made = [(u.soft, u.hard) for u in made]
    elif attribute == "grants":
        made = [(g.key, g.target) for g in made]
    elif attribute == "devices":
        made = [(d.source, d.target) for d in made]
    assert made == value


def test_build_is_merged_from_its_short_form() -> None:
    text = """
    services:
      base: {build: ., image: a}
      web: {extends: base, build: {args: {A: 1}}}
    """
    build = load(text, {"stacks/app/Dockerfile": "FROM x"}).stack.service("web").build
    assert build is not None
    assert (build.context, build.args) == ("stacks/app", (("A", "1"),))


def test_the_service_that_is_extended_stays_as_it_was() -> None:
    text = "services: {base: {image: a, labels: {x: 1}}, web: {extends: {service: base}, labels: {x: 2}}}"
    assert load(text).stack.service("base").labels == (("x", "1"),)


def test_paths_of_another_file_begin_at_that_file() -> None:
    files: dict[str, Content] = {
        "shared/base.yaml": """
services:
  base: {extends: root, volumes: ["./conf:/conf"], env_file: base.env}
  root: {image: a, volumes: ["./data:/data"]}
""",
        "shared/base.env": "A=1\n",
        "shared/conf/x": "x",
    }
    text = 'services: {web: {extends: {file: ../../shared/base.yaml, service: base}, volumes: ["./own:/own"]}}'
    made = load(text, files).stack.service("web")
    assert {m.target: m.source for m in made.mounts} == {
        "/conf": f"{HOST}/shared/conf",
        "/data": f"{HOST}/shared/data",
        "/own": f"{HOST}/stacks/app/own",
    }
    assert made.environment == (("A", "1"),)
    assert made.reads == ("shared/base.yaml", "shared/base.env")
    assert not hasattr(load(text, files).stack, "base")


def test_an_error_in_an_extended_value_names_the_file_it_came_from() -> None:
    files = {"stacks/app/base.yaml": "services:\n  base:\n    image: a\n    shm_size: lots\n"}
    error = problem("services: {web: {extends: {file: base.yaml, service: base}}}", files)
    assert str(error.at) == "stacks/app/base.yaml:4:15"


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("services: {a: {image: x, extends: a}}", {}),
        ("services: {a: {image: x, extends: b}, b: {extends: a}}", {}),
        ("services: {a: {extends: {file: o.yaml, service: o}}}",
         {"stacks/app/o.yaml": "services: {o: {extends: {file: compose.yaml, service: a}}}"}),
        ("include: [o.yaml]\nservices: {a: {image: x}}",
         {"stacks/app/o.yaml": "include: [compose.yaml]\nservices: {}"}),
        ("include: [compose.yaml]\nservices: {a: {image: x}}", {}),
    ],
)  # fmt: skip
def test_what_leads_back_to_itself_is_refused(text: str, files: dict[str, Content]) -> None:
    error = problem(text, files)
    assert error.code == "E-COMPOSE-CYCLE"
    assert error.at is not None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("services: {a: {extends: nowhere}}", "E-COMPOSE-REFERENCE"),
        ("services: {a: {extends: {file: nowhere.yaml, service: a}}}", "E-COMPOSE-REFERENCE"),
        ("services: {a: {extends: {file: compose.yaml}}}", "E-COMPOSE-VALUE"),
        ("services: {a: {extends: {servce: a}}}", "E-COMPOSE-KEY"),
        ("services: {a: {extends: [a]}}", "E-COMPOSE-VALUE"),
        ("services: {a: {image: x}}\ninclude: other.yaml", "E-COMPOSE-VALUE"),
        ("services: {a: {image: x}}\ninclude: [{pat: x}]", "E-COMPOSE-KEY"),
        ("services: {a: {image: x}}\ninclude: [{path: []}]", "E-COMPOSE-VALUE"),
    ],
)
def test_a_bad_extends_or_include_is_refused(text: str, code: str) -> None:
    assert problem(text).code == code


def test_an_included_file_brings_its_services_its_folder_and_its_variables() -> None:
    files: dict[str, Content] = {
        "lib/db/compose.yaml": """
services: {db: {image: "db:$V-$W", volumes: ["./d:/d", "data:/data"]}}
volumes: {data: }
""",
        "lib/db/.env": "V=lib\nW=lib\n",
        "stacks/app/.env": "V=app\n",
    }
    stack = load("include: [../../lib/db/compose.yaml]\nservices: {web: {image: a, depends_on: [db]}}", files).stack
    assert [s.name for s in stack.services] == ["web", "db"]
    database = stack.service("db")
    assert database.image == "db:app-lib"
    assert database.mounts[0].source == f"{HOST}/lib/db/d"
    assert [v.name for v in stack.volumes] == ["app_data"]


def test_an_include_may_name_its_folder_its_env_file_and_several_files() -> None:
    files: dict[str, Content] = {
        "lib/one.yaml": 'services: {db: {image: "db:$V", labels: {a: 1}, volumes: ["./d:/d"]}}',
        "lib/two.yaml": "services: {db: {labels: {b: 2}}}",
        "stacks/app/x.env": "V=x\n",
    }
    text = """
    include:
      - {path: [../../lib/one.yaml, ../../lib/two.yaml], project_directory: ., env_file: x.env}
    services: {web: {image: a}}
    """
    database = load(text, files).stack.service("db")
    assert (database.image, database.labels) == ("db:x", (("a", "1"), ("b", "2")))
    assert database.mounts[0].source == f"{HOST}/stacks/app/d"


def test_a_name_that_an_included_file_defines_too_is_refused() -> None:
    files = {"stacks/app/o.yaml": "services: {web: {image: other}}"}
    error = problem("include: [o.yaml]\nservices: {web: {image: a}}", files)
    assert error.code == "E-COMPOSE-REFERENCE"
    assert "stacks/app/o.yaml:1:12" in error.why


def test_the_same_definition_may_be_included_twice() -> None:
    files = {
        "stacks/app/o.yaml": "include: [net.yaml]\nservices: {b: {image: a, networks: [n]}}\nnetworks: {n: }",
        "stacks/app/net.yaml": "networks: {n: }\nservices: {c: {image: a}}",
    }
    loaded = load("include: [o.yaml, net.yaml]\nservices: {web: {image: a}}", files)
    assert [s.name for s in loaded.stack.services] == ["web", "b", "c"]


def test_an_override_within_one_file_is_just_the_value() -> None:
    assert load("services: {web: {image: !override a, user: !reset x}}").stack.service("web").image == "a"


def test_a_file_may_be_extended_many_times_without_being_read_again() -> None:
    rows = "".join(f"  s{i}: {{extends: {{file: base.yaml, service: b}}}}\n" for i in range(300))
    loaded = load(f"services:\n{rows}", {"stacks/app/base.yaml": "services: {b: {image: a}}"})
    assert len(loaded.stack.services) == 300
    assert loaded.reads == (FILE, "stacks/app/base.yaml")


def test_many_services_cannot_multiply_one_large_base() -> None:
    labels = ", ".join(f"l{i}: x" for i in range(5000))
    rows = "".join(f"  s{i}: {{extends: base}}\n" for i in range(5000))
    tracemalloc.start()
    error = problem(f"services:\n  base: {{image: a, labels: {{{labels}}}}}\n{rows}")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.code == "E-YAML-SIZE"
    assert peak < 64 * 1024 * 1024, "25 million labels were not made"


def test_a_long_chain_of_includes_is_refused() -> None:
    files: dict[str, Content] = {
        f"stacks/app/i{i}.yaml": f"include: [i{i + 1}.yaml]\nservices: {{s{i}: {{image: a}}}}" for i in range(150)
    }
    assert problem("include: [i0.yaml]\nservices: {web: {image: a}}", files).code == "E-COMPOSE-CYCLE"


def test_a_long_chain_of_extends_is_refused() -> None:
    rows = "".join(f"  s{i}: {{extends: s{i + 1}}}\n" for i in range(500))
    assert problem(f"services:\n{rows}  s500: {{image: a}}\n").code == "E-COMPOSE-CYCLE"


def test_what_a_merged_service_lacks_is_missed_where_it_is_defined() -> None:
    files = {"stacks/app/base.yaml": "services:\n  base:\n    user: a\n"}
    error = problem("services:\n  web:\n    extends: {file: base.yaml, service: base}\n", files)
    assert "neither image nor build" in error.what
    assert str(error.at) == "stacks/app/compose.yaml:3:5"
