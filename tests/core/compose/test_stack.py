"""The stack as a whole: its name, resources, profiles and references."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.core.compose.load import HostContext, load_stack
from reconciler.core.trees import MemoryTree
from reconciler.errors import BadConfiguration
from reconciler.model.desired import Dependency, FileObject, IpamPool, Network, Volume
from tests.support.compose import HOST, load, problem


def name_of(text: str, default: str = "app", **host: object) -> str:
    context = HostContext(HOST, **host)  # type: ignore[arg-type]
    return load_stack(MemoryTree({"c.yaml": text}), "c.yaml", context, default).stack.name


@pytest.mark.parametrize(
    ("top", "default", "name"),
    [("name: core", "x", "core"), ("", "My.Stack_1", "mystack_1"), ("", "_-web", "web"), ("name: a-$X", "x", "a-1")],
)
def test_the_project_name(top: str, default: str, name: str) -> None:
    assert name_of(f"{top}\nservices: {{web: {{image: a}}}}", default, variables={"X": "1"}) == name


def test_the_project_name_may_come_from_the_env_file_and_is_itself_a_variable() -> None:
    text = 'name: x\nservices: {web: {image: "img-$COMPOSE_PROJECT_NAME"}}'
    stack = load(text, {"stacks/app/.env": "COMPOSE_PROJECT_NAME=legacy\n"}).stack
    assert (stack.name, stack.services[0].image) == ("legacy", "img-legacy")


@pytest.mark.parametrize("top", ["name: Core", "name: a b", "name: -a", "name: 5"])
def test_a_bad_project_name_is_refused(top: str) -> None:
    assert problem(f"{top}\nservices: {{web: {{image: a}}}}").code == "E-COMPOSE-VALUE"


def test_a_default_name_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="project name"):
        name_of("services: {web: {image: a}}", "ÄÖ")


def test_names_of_networks_and_volumes_begin_with_the_project() -> None:
    text = """
    services: {web: {image: a, networks: [front, ext, old, default], volumes: ["v:/v", "e:/e", "n:/n"]}}
    networks:
      front: {driver: bridge, driver_opts: {mtu: 1400}, internal: true, attachable: true, enable_ipv6: true,
       labels: [a=b],
              ipam: {driver: default, options: {o: 1},
                     config: [{subnet: 10.0.0.0/24, gateway: 10.0.0.1, ip_range: 10.0.0.0/25,
                      aux_addresses: {h: 10.0.0.5}}]}}
      ext: {external: true}
      old: {external: {name: legacy-net}}
      unused:
    volumes:
      v:
      e: {external: true, name: real}
      n: {name: own, driver: local, driver_opts: {type: nfs, o: "addr=x"}, labels: {k: 1}}
      unused:
    """
    stack = load(text).stack
    pool = IpamPool("10.0.0.0/24", "10.0.0.0/25", "10.0.0.1", (("h", "10.0.0.5"),))
    assert stack.networks == (
        Network("front", "app_front", False, "bridge", (("mtu", "1400"),), True, True, True, "default",
                (("o", "1"),), (pool,), (("a", "b"),)),
        Network("ext", "ext", external=True),
        Network("old", "legacy-net", external=True),
        Network("default", "app_default"),
    )  # fmt: skip
    assert stack.volumes == (
        Volume("v", "app_v"),
        Volume("e", "real", external=True),
        Volume("n", "own", False, "local", (("o", "addr=x"), ("type", "nfs")), (("k", "1"),)),
    )


def test_the_default_network_is_there_only_when_a_service_uses_it() -> None:
    one = load("services: {web: {image: a, network_mode: host}}").stack
    two = load("services: {web: {image: a}}\nnetworks: {default: {name: custom}}").stack
    assert one.networks == ()
    assert two.networks == (Network("default", "custom"),)


def test_configs_and_secrets_come_from_where_they_say() -> None:
    text = """
    services: {web: {image: a, configs: [f, i, v], secrets: [local, ext, named]}}
    configs:
      f: {file: ./f.conf}
      i: {content: "a=$X"}
      v: {environment: X}
      unused: {file: ./nowhere}
    secrets:
      local: {file: ./local.txt}
      ext: {external: true}
      named: {external: true, name: other}
    """
    stack = load(text, {"stacks/app/f.conf": "x"}, variables={"X": "1"}).stack
    assert stack.files == (
        FileObject("config", "f", "app_f", repo_path="stacks/app/f.conf"),
        FileObject("config", "i", "app_i", content=b"a=1"),
        FileObject("config", "v", "app_v", content=b"1"),
        FileObject("secret", "local", "app_local", host_path=f"{HOST}/stacks/app/local.txt"),
        FileObject("secret", "ext", "ext", external=True),
        FileObject("secret", "named", "other", external=True),
    )


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        ("networks: {a: {external: true, driver: x}}", "E-COMPOSE-VALUE"),
        ("networks: {a: {drivr: x}}", "E-COMPOSE-KEY"),
        ("networks: {a: {enable_ipv4: false}}", "E-COMPOSE-UNSUPPORTED"),
        ("networks: {a: {external: {name: x}, name: y}}", "E-COMPOSE-VALUE"),
        ("volumes: {a: {driver_opt: x}}", "E-COMPOSE-KEY"),
        ("volumes: [a]", "E-COMPOSE-VALUE"),
        ("configs: {a: {template_driver: x}}", "E-COMPOSE-UNSUPPORTED"),
        ("secrets: {a: {fil: x}}", "E-COMPOSE-KEY"),
        ("models: {a: {}}", "E-COMPOSE-UNSUPPORTED"),
        ("volums: {}", "E-COMPOSE-KEY"),
    ],
)
def test_what_is_refused_at_the_top_level_even_when_unused(rest: str, code: str) -> None:
    assert problem(f"services: {{web: {{image: a}}}}\n{rest}").code == code


@pytest.mark.parametrize(
    "config", ["{}", "{content: a, file: b}", "{environment: UNSET}"], ids=["nothing", "two", "unset variable"]
)
def test_a_config_needs_one_source(config: str) -> None:
    assert problem(f"services: {{web: {{image: a, configs: [c]}}}}\nconfigs: {{c: {config}}}").code in (
        "E-COMPOSE-VALUE",
        "E-COMPOSE-INTERPOLATION",
    )


@pytest.mark.parametrize(
    "text", ["services: {}", "name: x", "services: null", "services: [a]", "[]", "text", "services: {a: b}"]
)
def test_a_file_without_services_is_refused(text: str) -> None:
    assert problem(text).code == "E-COMPOSE-VALUE"


def test_services_whose_profiles_are_off_are_left_out() -> None:
    text = """
    services:
      web: {image: a, depends_on: {debug: {condition: service_started, required: false}}}
      debug: {image: a, profiles: [dev, test], env_file: missing.env, networks: [n]}
    networks: {n: }
    """
    off = load(text.replace("missing.env", "no.env"))
    assert [s.name for s in off.stack.services] == ["web"]
    assert off.stack.services[0].depends_on == ()
    assert off.disabled == ("debug",)
    assert off.stack.networks == (Network("default", "app_default"),)


@pytest.mark.parametrize("host", [{"profiles": frozenset(["dev"])}, {"profiles": frozenset(["*"])},
                                  {"variables": {"COMPOSE_PROFILES": "x, dev"}}])  # fmt: skip
def test_profiles_switch_services_on(host: dict[str, Any]) -> None:
    loaded = load("services: {web: {image: a}, debug: {image: a, profiles: [dev]}}", **host)
    assert [s.name for s in loaded.stack.services] == ["web", "debug"]
    assert loaded.disabled == ()


@pytest.mark.parametrize(
    "key", ["depends_on: [off]", "network_mode: service:off", "pid: service:off", "ipc: service:off"]
)
def test_who_needs_a_service_that_is_off_is_told_so(key: str) -> None:
    error = problem(f"services:\n  web:\n    image: a\n    {key}\n  off: {{image: a, profiles: [p]}}")
    assert error.code == "E-COMPOSE-REFERENCE"
    assert "profiles are off" in error.what


@pytest.mark.parametrize(
    "key",
    ["depends_on: [gone]", "network_mode: service:gone", "pid: service:gone", "ipc: service:gone", "networks: [gone]",
     "volumes: ['gone:/x']", "configs: [gone]", "secrets: [gone]",
     "depends_on: {gone: {condition: service_started, required: false}}"],
)  # fmt: skip
def test_a_dangling_reference_is_refused_with_its_place(key: str) -> None:
    error = problem(f"services:\n  web:\n    image: a\n    {key}\n")
    assert error.code == "E-COMPOSE-REFERENCE"
    assert "'gone'" in error.what
    assert error.at is not None
    assert error.at.line == 4


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("depends_on: [b]", "depends_on: [a]"),
        ("depends_on: [b]", "network_mode: service:a"),
        ("depends_on: [a]", "restart: always"),
        ("pid: service:b", "ipc: service:a"),
    ],
)
def test_services_that_wait_for_each_other_are_refused(a: str, b: str) -> None:
    error = problem(f"services:\n  a:\n    image: x\n    {a}\n  b:\n    image: x\n    {b}\n")
    assert error.code == "E-COMPOSE-CYCLE"
    assert "a -> " in error.what


def test_a_long_chain_of_dependencies_is_no_cycle() -> None:
    rows = "".join(f"  s{i}: {{image: x, depends_on: [s{i + 1}, s5000]}}\n" for i in range(5000))
    stack = load(f"services:\n{rows}  s5000: {{image: x}}\n").stack
    assert stack.services[0].depends_on == (Dependency("s1"), Dependency("s5000"))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("container_name: same", "container_name: same"),
        ('ports: ["80:80"]', 'ports: ["80:81"]'),
        ('ports: ["127.0.0.1:80:80"]', 'ports: ["80:80"]'),
        ('ports: ["0.0.0.0:80:80"]', 'ports: ["127.0.0.1:80:80"]'),
        ('ports: ["8000-8005:8000-8005"]', 'ports: ["8005:80"]'),
    ],
)
def test_two_services_cannot_want_the_same(one: str, two: str) -> None:
    error = problem(f"services:\n  a:\n    image: x\n    {one}\n  b:\n    image: x\n    {two}\n")
    assert error.code == "E-COMPOSE-REFERENCE"
    assert "a and b both" in error.what
    assert error.at is not None
    assert error.at.line == 7


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ('"80:80"', '"80:80/udp"'),
        ('"127.0.0.1:80:80"', '"127.0.0.2:80:80"'),
        ('"0.0.0.0:80:80"', '"[::]:80:80"'),
        ('"80"', '"80"'),
        ('"8000-8010:80"', '"8000-8010:80"'),
    ],
)
def test_ports_that_do_not_meet_are_fine(one: str, two: str) -> None:
    stack = load(f"services: {{a: {{image: x, ports: [{one}]}}, b: {{image: x, ports: [{two}]}}}}").stack
    assert len(stack.services) == 2


@pytest.mark.parametrize("key", ["container_name: x1", 'ports: ["80:80"]'])
def test_replicas_cannot_share_a_name_or_a_port(key: str) -> None:
    error = problem(f"services:\n  a:\n    image: x\n    deploy: {{replicas: 2}}\n    {key}\n")
    assert error.code == "E-COMPOSE-VALUE"
    assert "2 containers" in error.what


def test_a_service_needs_an_image_or_a_build() -> None:
    assert "neither image nor build" in problem("services: {web: {restart: always}}").what


def test_a_bad_service_name_is_refused() -> None:
    assert problem('services: {"a b": {image: x}}').code == "E-COMPOSE-VALUE"


def test_settings_of_our_own_are_handed_over_with_their_places() -> None:
    text = """
    x-reconciler: {hosts: [one], verify: [{http: "http://x/$SHA"}]}
    services:
      web:
        image: a
        x-reconciler: {on_change: []}
      plain: {image: a}
    """
    loaded = load(text, variables={"SHA": "abc"})
    assert loaded.extensions == {"hosts": ["one"], "verify": [{"http": "http://x/abc"}]}
    assert loaded.extensions["verify"].at(0).line == 2
    assert loaded.service_extensions == {"web": {"on_change": []}, "plain": {}}
    assert loaded.service_extensions["web"].key_at("on_change").line == 6


def test_a_stack_knows_its_folder_and_its_services_their_line() -> None:
    stack = load("services:\n  b: {image: a}\n  a: {image: a}\n").stack
    assert (stack.directory, stack.file) == ("stacks/app", "stacks/app/compose.yaml")
    assert [(s.name, s.position.line) for s in stack.services] == [("b", 2), ("a", 3)]


@pytest.mark.parametrize(
    "rest",
    [
        "configs: {c: {name: '../../../pwn/job', content: x}}",
        "configs: {c: {name: '/etc/cron.d/job', content: x}}",
        "configs: {c: {name: '..', content: x}}",
        "configs: {c: {name: '.hidden', content: x}}",
        'configs: {c: {name: "a\\n", content: x}}',
        "configs: {c: {name: 'a:b', environment: X}}",
        "configs: {c: {name: 'a/b', file: ./f}}",
        "secrets: {c: {name: '../key', environment: X}}",
        "secrets: {c: {name: '../reconciler.toml', external: true}}",
        "secrets: {c: {external: {name: '../reconciler.toml'}}}",
        "configs: {'a/../../c': {content: x}}",
        "volumes: {c: {name: /etc}}",
        "volumes: {c: {name: /etc, external: true}}",
    ],
)
def test_a_name_that_would_be_a_path_is_refused(rest: str) -> None:
    section, key = rest.split(":", maxsplit=1)[0], "a/../../c" if "a/../../c" in rest else "c"
    use = f"volumes: ['{key}:/x']" if section == "volumes" else f"{section}: ['{key}']"
    found = problem(f"services: {{web: {{image: a, {use}}}}}\n{rest}", variables={"X": "1"})

    assert found.code == "E-COMPOSE-VALUE"
    assert "letters, digits" in found.what
    assert found.at is not None
    assert found.at.line == 2


BASE = """
services:
  web:
    image: nginx:1
    command: [nginx]
    environment: [A=1, B=1]
    ports: ["${PORT:-80}:80"]
  old: {image: nginx:1}
"""
OVER = """
name: mine
x-reconciler: {hosts: [alpha]}
services:
  web: {image: "nginx:2", environment: {B: 2}, ports: ["443:443"]}
  extra: {extends: old}
"""


@pytest.mark.parametrize("beside", ["compose.override.yml", "docker-compose.override.yaml"])
def test_an_override_file_beside_the_compose_file_is_laid_over_it(beside: str) -> None:
    loaded = load(BASE, {f"stacks/app/{beside}": OVER}, variables={"PORT": "81"})
    web = loaded.stack.service("web")

    assert (loaded.stack.name, loaded.stack.file) == ("mine", "stacks/app/compose.yaml")
    assert [service.name for service in loaded.stack.services] == ["web", "old", "extra"]
    assert (web.image, web.command, web.environment) == ("nginx:2", ("nginx",), (("A", "1"), ("B", "2")))
    assert [port.host_port for port in web.ports] == ["81", "443"]
    assert loaded.extensions["hosts"] == ["alpha"]
    assert f"stacks/app/{beside}" in loaded.reads


def test_only_the_first_override_file_counts_as_for_compose() -> None:
    files = {
        f"stacks/app/{name}": f"services: {{web: {{image: '{name}'}}}}"
        for name in ("docker-compose.override.yml", "compose.override.yaml")
    }

    assert load(BASE, files).stack.service("web").image == "compose.override.yaml"


def test_what_is_wrong_in_an_override_file_is_found_there() -> None:
    at = problem(BASE, {"stacks/app/compose.override.yaml": "services:\n  web: {imag: a}"}).at

    assert at
    assert (at.file, at.line) == ("stacks/app/compose.override.yaml", 2)
