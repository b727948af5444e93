"""`validate` names every mistake of a file, and nothing that only follows from another one."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

import pytest

from reconciler.core.mistakes import MOST
from reconciler.core.trees import Content, MemoryTree
from reconciler.core.validate import Checked, validate_tree
from reconciler.errors import BadConfiguration, SeveralMistakes
from tests.support.compose import problem
from tests.support.planning import assembled

FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {a: {connect: local, checkout: /opt/fleet}}\n"

Told = tuple[str, int, str]
"""File below manifests/, line, code."""


def checked(
    compose: str, fleet: str = FLEET, others: Mapping[str, Content] | None = None, *, with_host_files: bool = False
) -> Checked:
    tree = MemoryTree(
        {
            "manifests/fleet.yaml": textwrap.dedent(fleet),
            "manifests/stacks/web/compose.yaml": textwrap.dedent(compose).lstrip(),
            **{f"manifests/stacks/{name}": content for name, content in (others or {}).items()},
        }
    )
    return validate_tree(tree, "manifests", lambda _: {}, with_host_files=with_host_files)


def told(found: Checked) -> list[Told]:
    return [
        (each.at.file.removeprefix("manifests/").removeprefix("stacks/"), each.at.line, each.code)
        for each in found.problems
        if each.at
    ]


KEY, UNSUPPORTED, VALUE = "E-COMPOSE-KEY", "E-COMPOSE-UNSUPPORTED", ["E-COMPOSE-VALUE"]

# One wrong line each, below a service that is right otherwise
WRONG = [
    ("healthchek: {test: 'true'}", ["E-COMPOSE-KEY"]),
    ("external_links: [db]", ["E-COMPOSE-UNSUPPORTED"]),
    ("links: [nobody, noone, 'db:']", ["E-COMPOSE-VALUE"]),
    ("links: [nobody, noone]", ["E-COMPOSE-REFERENCE"] * 2),
    ("ports: ['99999:80', abc, {target: x, protocol: icmp, name: a, mod: host}]", [*VALUE * 4, KEY]),
    ("expose: [80, x, y]", ["E-COMPOSE-VALUE"] * 2),
    ("restart: sometimes", ["E-COMPOSE-VALUE"]),
    ("environment: {A: [1], B: {}}", ["E-COMPOSE-VALUE"] * 2),
    ("labels: [=x, a=b, =y]", ["E-COMPOSE-VALUE"] * 2),
    ("env_file: [none.env, {path: other.env, requird: false}]", ["E-COMPOSE-HOSTFILE", "E-COMPOSE-KEY"]),
    ("volumes: [a:/a:rx, {type: bind, target: 3}, {type: tmpfs, target: /t, source: x, tmpfs: {size: big, mod: 1}}]",
     [*VALUE * 5, KEY]),
    ("tmpfs: [run]", ["E-COMPOSE-VALUE"]),
    ("healthcheck: {test: [curl], interval: 5, retries: many, start_interval: 1s}", [*VALUE * 3, UNSUPPORTED]),
    ("depends_on: {db: {condition: started, required: maybe}, nobody: {}}", ["E-COMPOSE-VALUE"] * 2),
    ("depends_on: [nobody, noone]", ["E-COMPOSE-REFERENCE"] * 2),
    ("networks: {n: {priority: high, aliasses: [a]}}", ["E-COMPOSE-VALUE", "E-COMPOSE-KEY"]),
    ("networks: [n, m]", ["E-COMPOSE-REFERENCE"] * 2),
    ("devices: [ttyUSB0, {source: /dev/a, permissions: x}]", ["E-COMPOSE-UNSUPPORTED", "E-COMPOSE-VALUE"]),
    ("ulimits: {nofile: many, nproc: {soft: 1}, core: {soft: x, hard: y}}", ["E-COMPOSE-VALUE"] * 4),
    ("logging: {driver: 3, option: {}}", ["E-COMPOSE-VALUE", "E-COMPOSE-KEY"]),
    ("extra_hosts: [a, b]", ["E-COMPOSE-VALUE"] * 2),
    ("secrets: [{sorce: a}, {target: b}]", ["E-COMPOSE-KEY", "E-COMPOSE-VALUE"]),
    ("build: {context: nowhere, targt: a, labels: 3}", ["E-COMPOSE-REFERENCE", "E-COMPOSE-KEY", "E-COMPOSE-VALUE"]),
    ("deploy: {mode: global, replicas: x, resources: {limits: {cpus: few, memry: 1g}}}",
     [UNSUPPORTED, *VALUE * 2, KEY]),
    ("deploy: {restart_policy: {condition: x, max_attempts: y}, update_config: {order: x, windw: 1s}}",
     [*VALUE * 3, KEY]),
    ("{cpus: few, mem_limit: lots, init: maybe, tty: 3, user: 5}", ["E-COMPOSE-VALUE"] * 5),
    ("x-reconciler: {jb: true, on_change: [{paths: [a], action: signal}]}", ["E-MANIFEST-KEY"]),
    ("x-reconciler: {on_change: [{paths: [a], action: signal}, {paths: [b], command: [x]}]}", ["E-MANIFEST-VALUE"] * 2),
]  # fmt: skip


def service(name: str, body: str) -> str:
    if body.startswith("{"):
        body = body[1:-1].replace(", ", "\n    ")
    return f"  {name}:\n    image: busybox\n    {body}\n"


@pytest.mark.parametrize(("body", "codes"), WRONG, ids=[body[:20] for body, _ in WRONG])
def test_every_mistake_of_a_service_is_named(body: str, codes: list[str]) -> None:
    found = checked("services:\n  db: {image: busybox}\n" + service("web", body), with_host_files=True)

    assert sorted(code for _, _, code in told(found)) == sorted(codes), [f"{each}" for each in found.problems]


def test_the_mistakes_of_all_services_are_named_together_in_the_order_of_their_lines() -> None:
    many = "services:\n  db: {image: busybox}\n" + "".join(
        service(f"s{number}", body) for number, (body, _) in enumerate(WRONG)
    )
    found = checked(many, with_host_files=True)

    assert sorted(code for _, _, code in told(found)) == sorted(code for _, codes in WRONG for code in codes)
    assert told(found) == sorted(told(found), key=lambda each: each[:2])


def test_the_mistakes_of_all_files_are_named_also_beside_a_fleet_file_that_is_wrong() -> None:
    found = checked(
        """
        servces: {}
        x-reconciler:
          hosts: [nobody-knows, b c]
          migrations: [{name: a, run: [x]}, {name: a, run: [x]}, {name: c, service: nobody, command: [x]}]
          verify: [{tcp: x}, {http: 'http://x', within: 0s, contains: y}]
        services:
          web: {imagee: busybox}
        networks: {n: {drivr: x, ipam: {config: [{subnet: 3}, {gatway: x}]}}}
        volumes: {v: {external: true, driver: x, labels: {}}, w: 3}
        configs: {c: {fil: x}}
        """,
        "apiVersion: v1\nkind: Fleet\nhosts: {a: {conect: local, checkout: opt}}\nci: {provider: github}\n",
        {"other/compose.yaml": "services: [\n", "none/README.md": "nothing"},
    )

    web = "web/compose.yaml"
    assert told(found) == [
        ("fleet.yaml", 1, "E-MANIFEST-VALUE"),
        ("fleet.yaml", 3, "E-MANIFEST-KEY"),
        ("fleet.yaml", 3, "E-MANIFEST-VALUE"),
        ("fleet.yaml", 4, "E-MANIFEST-VALUE"),
        ("none", 0, "E-MANIFEST-STACK"),
        ("other/compose.yaml", 2, "E-YAML-SYNTAX"),
        (web, 1, "E-COMPOSE-KEY"),
        (web, 3, "E-MANIFEST-VALUE"),
        (web, 7, "E-COMPOSE-KEY"),
        (web, 8, "E-COMPOSE-KEY"),
        (web, 8, "E-COMPOSE-VALUE"),
        (web, 8, "E-COMPOSE-KEY"),
        (web, 9, "E-COMPOSE-VALUE"),
        (web, 9, "E-COMPOSE-VALUE"),
        (web, 9, "E-COMPOSE-VALUE"),
        (web, 10, "E-COMPOSE-KEY"),
    ]


def test_what_x_reconciler_says_of_services_is_all_named() -> None:
    found = checked(
        """
        x-reconciler:
          migrations:
          - {name: a, run: [x]}
          - {name: a, run: [x], timeout: 0s}
          - {name: c, service: nobody, command: [x], needs: [noone]}
          verify:
          - {tcp: 'x:1', within: 0s, contains: y}
          - {exec: [a], service: nobody}
        services:
          web: {image: busybox, restart: sometimes}
        """
    )

    assert [line for _, line, code in told(found) if code == "E-MANIFEST-VERIFY"] == [7, 7]

    found = checked(
        """
        x-reconciler:
          migrations:
          - {name: a, run: [x]}
          - {name: a, run: [x], timeout: 0s}
          - {name: c, service: nobody, command: [x], needs: [noone]}
          verify:
          - {exec: [a], service: nobody}
        services:
          web: {image: busybox, restart: sometimes}
        """
    )
    assert told(found) == [
        ("web/compose.yaml", 4, "E-MANIFEST-MIGRATION"),
        ("web/compose.yaml", 4, "E-MANIFEST-MIGRATION"),
        ("web/compose.yaml", 5, "E-MANIFEST-MIGRATION"),
        ("web/compose.yaml", 5, "E-MANIFEST-MIGRATION"),
        ("web/compose.yaml", 7, "E-MANIFEST-VERIFY"),
        ("web/compose.yaml", 9, "E-COMPOSE-VALUE"),
    ]


# Nothing that only follows from another mistake


@pytest.mark.parametrize(
    ("compose", "lines"),
    [
        ("services: {a: {imagee: x}}", [1]),
        ("services:\n  a: {image: x, ports: [{targt: 80}]}\n", [2]),
        ("services:\n  a: {image: x, volumes: [{type: bind, target: /a, sorce: a}, {tpe: a, target: /b}]}\n", [2, 2]),
        ("include: [none.yaml]\nservices:\n  a: {image: x, depends_on: [b], networks: [n]}\n", [1]),
        ("services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, restart: 3}\n", [3]),
        ("services:\n  a: {image: x, depends_on: [b]}\n  b: 3\n", [3]),
        ("services:\n  a: {image: x, depends_on: [b]}\n  b: {extends: c}\n", [3]),
        ("services:\n  a: {image: x, volumes: ['v:/v']}\nvolumes: 3\n", [3]),
        ("services:\n  a: {image: x, volumes: ['v:/v']}\nvolumes: {v: {drivr: x}}\n", [3]),
        ("services:\n  a: {image: 'x:${', ports: ['${P']}\n  b: {image: x, depends_on: [a]}\n", [2, 2]),
        ("x-reconciler: {hosts: ['${H']}\nservices:\n  a: {image: x}\n", [1]),
        ("name: '${N'\nservices:\n  a: {image: x, cap_ad: []}\n", [1, 3]),
        ("services: [a]\nvolumes: {v: {drivr: x}}\n", [1, 2]),
        (
            "services:\n  a: {x-reconciler: {on_change: [{paths: [a], action: rebuild}]}, build: {contxt: .}}\n",
            [2, 2],
        ),
    ],
)  # fmt: skip
def test_what_follows_from_a_mistake_is_not_one_more(compose: str, lines: list[int]) -> None:
    found = checked(compose)

    assert [line for _, line, _ in told(found)] == lines, [f"{each}" for each in found.problems]


def test_a_key_that_several_services_extend_is_wrong_once() -> None:
    base = "services:\n  base: {image: x, prots: [80], restart: 3}\n"
    found = checked(base + "".join(f"  s{n}: {{extends: base}}\n" for n in range(5)))

    assert told(found) == [("web/compose.yaml", 2, "E-COMPOSE-KEY"), ("web/compose.yaml", 2, "E-COMPOSE-VALUE")]


def test_a_file_that_many_services_extend_and_that_is_no_yaml_is_wrong_once() -> None:
    services = "".join(f"  s{n}: {{extends: {{file: base.yaml, service: s}}}}\n" for n in range(200))
    found = checked(f"services:\n{services}", others={"web/base.yaml": "services: [\n"})

    assert told(found) == [("web/base.yaml", 2, "E-YAML-SYNTAX")]


def test_what_only_a_host_has_is_a_warning_and_hides_no_mistake() -> None:
    compose = """
        services:
          a: {image: '${IMAGE:?}', prots: [80]}
          b: {image: x, env_file: [secret.env], restart: 3}
        """
    found = checked(compose)

    assert told(found) == [("web/compose.yaml", 2, "E-COMPOSE-KEY"), ("web/compose.yaml", 3, "E-COMPOSE-VALUE")]
    assert len(found.warnings) == 2
    assert len(checked(compose, with_host_files=True).problems) == 4


def test_a_stack_whose_env_file_only_a_host_has_is_counted_and_checked() -> None:
    compose = """
        services:
          a: {image: x, env_file: [secret.env], ports: ['80:80'], x-reconciler: {on_change: [{paths: [a], action: x}]}}
          b: {image: x, ports: ['80:80']}
          c: {image: x, environment: {A: '${A:?}'}}
        """
    found = checked(compose, others={"gpu/compose.yaml": "services: {a: {image: x}}\n"})

    assert sorted(told(found)) == [
        ("web/compose.yaml", 2, "E-MANIFEST-VALUE"),
        ("web/compose.yaml", 3, "E-COMPOSE-REFERENCE"),
    ]
    well = checked(
        "services:\n  a: {image: x, env_file: [secret.env]}\n", others={"b/compose.yaml": "services: {a: {image: x}}\n"}
    )
    assert (well.hosts, well.problems) == ({"a": ("b", "web")}, ())
    unknown = checked("x-reconciler: {hosts: ['${H:?}']}\nservices: {a: {image: x}}\n")
    assert (unknown.problems, len(unknown.warnings)) == ((), 1), "who runs it is not known"
    assert len(well.warnings) == 1 and "a host may have it" in well.warnings[0]


def test_two_stacks_of_one_host_that_publish_the_same_port_are_told_without_a_host() -> None:
    port = "services: {a: {image: x, env_file: [secret.env], ports: ['80:80']}}\n"
    hosts = "hosts: {a: {connect: local, checkout: /opt/fleet}, b: {connect: local, checkout: /opt/fleet}}\n"

    both = checked(port, others={"gpu/compose.yaml": port})
    apart = checked(
        f"x-reconciler: {{hosts: [a]}}\n{port}",
        FLEET[: FLEET.index("hosts:")] + hosts,
        {"gpu/compose.yaml": f"x-reconciler: {{hosts: [b]}}\n{port}"},
    )

    assert told(both) == [("web/compose.yaml", 1, "E-GUARD-PORT-TWICE")]
    assert (apart.problems, apart.hosts) == ((), {"a": ("web",), "b": ("gpu",)})


# A pass


def test_a_pass_tells_the_first_and_how_many_more_there_are() -> None:
    error = problem("services:\n  a: {image: x, prots: [80], restart: 3, init: maybe}\n")

    assert isinstance(error, SeveralMistakes)
    assert (error.code, error.at) == (error.each[0].code, error.each[0].at)
    assert error.next == "did you mean 'ports'?; and 2 more mistakes: reconciler validate names all"


def test_a_pass_counts_the_mistakes_of_all_stacks() -> None:
    stacks = {"a": "services:\n  a: {image: x, prots: [80], restart: 3}\n", "b": "services: {b: {imagee: x}}\n"}

    with pytest.raises(SeveralMistakes) as raised:
        assembled(stacks)

    assert "and 2 more mistakes" in raised.value.next
    assert [each.at.file for each in raised.value.each if each.at] == [
        "stacks/a/compose.yaml",
        "stacks/a/compose.yaml",
        "stacks/b/compose.yaml",
    ]


def test_one_mistake_is_no_several() -> None:
    assert type(problem("services:\n  a: {image: x, prots: [80]}\n")) is BadConfiguration


@pytest.mark.parametrize(
    "text",
    [
        "services:\n" + "".join(f"  s{n}: {{aimge: x}}\n" for n in range(20_000)),
        "services:\n  a:\n" + "".join(f"    k{n}: x\n" for n in range(40_000)),
        "services:\n  a:\n    image: x\n    ports: [" + "x, " * 40_000 + "]\n",
        "services:\n  a: {image: x}\nvolumes:\n" + "".join(f"  v{n}: {{a: x}}\n" for n in range(20_000)),
    ],
    ids=["services", "keys", "items", "volumes"],
)
def test_a_file_of_nothing_but_mistakes_is_given_up_early(text: str) -> None:
    assert MOST <= len(checked(text).problems) < 2 * MOST
