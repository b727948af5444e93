"""What each key of a service becomes."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model.desired import (
    Attachment,
    Dependency,
    Device,
    Grant,
    Healthcheck,
    Logging,
    RestartPolicy,
    Ulimit,
    UpdateConfig,
)
from reconciler.model.resources import Resources
from tests.support.compose import load, problem, service, service_problem


@pytest.mark.parametrize(
    ("body", "attribute", "value"),
    [
        ("command: sh -c 'a b' \"c d\"", "command", ("sh", "-c", "a b", "c d")),
        ("command: [sleep, '3']", "command", ("sleep", "3")),
        ("command: null", "command", None),
        ("command: []", "command", ()),
        ('entrypoint: ""', "entrypoint", ()),
        ("environment: {A: 1.10, B: true, C: 0644, D: '0644', E: ''}", "environment",
         (("A", "1.1"), ("B", "true"), ("C", "420"), ("D", "0644"), ("E", ""))),
        ("environment: [B=2, A=1=1, C]", "environment", (("A", "1=1"), ("B", "2"), ("C", None))),
        ("labels: {b: true, a: 1.10, c: null}", "labels", (("a", "1.1"), ("b", "true"), ("c", ""))),
        ("labels: [b=x=y, a]", "labels", (("a", ""), ("b", "x=y"))),
        ("restart: no", "restart", RestartPolicy("no")),
        ('restart: "no"', "restart", RestartPolicy("no")),
        ("restart: false", "restart", RestartPolicy("no")),
        ("restart: unless-stopped", "restart", RestartPolicy("unless-stopped")),
        ("restart: on-failure", "restart", RestartPolicy("on-failure")),
        ("restart: on-failure:3", "restart", RestartPolicy("on-failure", 3)),
        ("deploy: {restart_policy: {condition: any}}", "restart", RestartPolicy("always")),
        ("deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
         "restart", RestartPolicy("on-failure", 2)),
        ("restart: always\ndeploy: {restart_policy: {condition: none}}", "restart", RestartPolicy("always")),
        ("expose: [80, '53/udp', '8000-8010', 80]", "expose", ("80", "53/udp", "8000-8010")),
        ("pull_policy: if_not_present", "pull_policy", "missing"),
        ("pull_policy: always", "pull_policy", "always"),
        ("healthcheck: {test: curl x, interval: 1m30s, timeout: 5s, retries: 3, start_period: 500ms}", "healthcheck",
         Healthcheck(("CMD-SHELL", "curl x"), 90, 5, 3, 0.5)),
        ("healthcheck: {test: [CMD, a, b]}", "healthcheck", Healthcheck(("CMD", "a", "b"))),
        ("healthcheck: {test: [NONE]}", "healthcheck", Healthcheck(("NONE",))),
        ("healthcheck: {disable: true}", "healthcheck", Healthcheck(("NONE",))),
        ("healthcheck: {interval: 5s}", "healthcheck", Healthcheck((), 5)),
        ("devices: [/dev/dri, '/dev/a:/dev/b', '/dev/c:/dev/c:r', '/dev/d:rw']", "devices",
         (Device("/dev/dri", "/dev/dri"), Device("/dev/a", "/dev/b"), Device("/dev/c", "/dev/c", "r"),
          Device("/dev/d", "/dev/d", "rw"))),
        ("devices: [{source: /dev/a, permissions: r}]", "devices", (Device("/dev/a", "/dev/a", "r"),)),
        ("ulimits: {nofile: {soft: 1, hard: 2}, nproc: 5, core: -1}", "ulimits",
         (Ulimit("core", -1, -1), Ulimit("nofile", 1, 2), Ulimit("nproc", 5, 5))),
        ("logging: {driver: json-file, options: {max-file: 3, max-size: 10m}}", "logging",
         Logging("json-file", (("max-file", "3"), ("max-size", "10m")))),
        ("extra_hosts: ['a:1.2.3.4', 'b=[::1]', 'c:::1', 'h:host-gateway']", "extra_hosts",
         (("a", "1.2.3.4"), ("b", "::1"), ("c", "::1"), ("h", "host-gateway"))),
        ("extra_hosts: {b: 1.1.1.1, a: [2.2.2.2, 3.3.3.3]}", "extra_hosts",
         (("a", "2.2.2.2"), ("a", "3.3.3.3"), ("b", "1.1.1.1"))),
        ("networks: [a, b]", "networks", (Attachment("a"), Attachment("b"))),
        ("networks: {a: null, b: {aliases: [x], ipv4_address: 10.0.0.2, ipv6_address: 'fd::2', priority: 5, M, L}}"
         .replace("M", "mac_address: '02:42:ac:11:65:43'").replace("L", "link_local_ips: [169.254.1.1]"), "networks",
         (Attachment("a"), Attachment("b", ("x",), "10.0.0.2", "fd::2", ("169.254.1.1",), "02:42:ac:11:65:43", 5))),
        ("depends_on: [b, b]", "depends_on", (Dependency("b"),)),
        ("depends_on: {b: {condition: service_healthy, restart: true, required: false}}", "depends_on",
         (Dependency("b", "service_healthy", True, False),)),
        ("depends_on: {b: {condition: service_completed_successfully}}", "depends_on",
         (Dependency("b", "service_completed_successfully"),)),
        ("links: [b, 'b:db', b]", "links", (("b", "b"), ("b", "db"))),
        ("links: ['b:db']", "depends_on", (Dependency("b"),)),
        ("links: [b]\ndepends_on: {b: {condition: service_healthy}}", "depends_on",
         (Dependency("b", "service_healthy"),)),
        ("dns: 1.1.1.1", "dns", ("1.1.1.1",)),
        ("dns: [1.1.1.1, 8.8.8.8]", "dns", ("1.1.1.1", "8.8.8.8")),
        ("dns_search: example.org", "dns_search", ("example.org",)),
        ("dns_opt: [use-vc]", "dns_opt", ("use-vc",)),
        ("sysctls: {net.core.somaxconn: 1024}", "sysctls", (("net.core.somaxconn", "1024"),)),
        ("sysctls: [net.core.somaxconn=1024]", "sysctls", (("net.core.somaxconn", "1024"),)),
        ("group_add: [mail, 44]", "group_add", ("mail", "44")),
        ("security_opt: ['no-new-privileges:true', apparmor=x]", "security_opt", ("no-new-privileges:true",
         "apparmor=x")),
        ("security_opt: ['seccomp:unconfined']", "security_opt", ("seccomp:unconfined",)),
        ("cap_add: [NET_ADMIN]\ncap_drop: [ALL]", "cap_drop", ("ALL",)),
        ("shm_size: 64m", "shm_size", 64 << 20), ("shm_size: 1024", "shm_size", 1024),
        ("stop_grace_period: 1m30s", "stop_grace_period", 90.0), ("stop_grace_period: 0s", "stop_grace_period", 0.0),
        ("stop_signal: SIGINT", "stop_signal", "SIGINT"),
        ("init: true", "init", True), ("tty: true", "tty", True), ("stdin_open: true", "stdin_open", True),
        ("read_only: true", "read_only", True), ("privileged: true", "privileged", True),
        ("user: 1000:1000", "user", "1000:1000"), ("working_dir: /srv", "working_dir", "/srv"),
        ("hostname: h", "hostname", "h"), ("domainname: d", "domainname", "d"), ("platform: linux/arm64",
         "platform", "linux/arm64"),
        ("mac_address: 02:42:ac:11:65:43", "mac_address", "02:42:ac:11:65:43"),
        ("pid: host", "pid", "host"), ("ipc: shareable", "ipc", "shareable"), ("network_mode: host", "networks", ()),
        ("deploy: {resources: {limits: {cpus: '0.5', memory: 512M, pids: 5}, reservations: {memory: 1gb}}}",
         "resources",
         Resources(0.5, 512 << 20, 5, 1 << 30)),
        ("cpus: 1.5\nmem_limit: 1g\nmem_reservation: 256m\npids_limit: 100", "resources",
         Resources(1.5, 1 << 30, 100, 256 << 20)),
        ("pids_limit: -1\nmem_limit: 1g\ndeploy: {resources: {limits: {memory: 1024m}}}",
         "resources", Resources(0, 1 << 30)),
        ("deploy: {update_config: {order: start-first, failure_action: pause, monitor: 9s, delay: 1s, parallelism: 2}}",
         "update", UpdateConfig("start-first", "pause", 9, 2, 1)),
        ("deploy: {mode: replicated, replicas: 3}", "replicas", 3), ("deploy: {replicas: 0}", "replicas", 0),
        ("scale: 3", "replicas", 3), ("scale: 2\ndeploy: {replicas: 2}", "replicas", 2), ("scale: 0", "replicas", 0),
        ("configs: [c]", "grants", (Grant("config", "c", "/c"),)),
        ("secrets: [s]", "grants", (Grant("secret", "s", "/run/secrets/s"),)),
        ("secrets: [{source: s, target: t, uid: '1', gid: '1', mode: 0440}]", "grants",
         (Grant("secret", "s", "/run/secrets/t"),)),
        ("configs: [{source: c, target: /etc/c}]", "grants", (Grant("config", "c", "/etc/c"),)),
        ("labels: null\nports: null\nnetworks: null", "networks", (Attachment("default"),)),
    ],
)  # fmt: skip
def test_what_a_key_becomes(body: str, attribute: str, value: Any) -> None:
    rest = """
      b: {image: b}
    networks: {a: , b: }
    configs: {c: {content: x}}
    secrets: {s: {file: ./s}}
    """
    indented = "\n".join(f"    {line}" for line in body.splitlines())
    made = load(f"services:\n  web:\n    image: a\n{indented}\n" + _dedent(rest)).stack.service("web")
    assert getattr(made, attribute) == value


def _dedent(text: str) -> str:
    return "\n".join(line.removeprefix("    ") for line in text.splitlines()[1:])


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ("command: [sleep, 3]", "E-COMPOSE-VALUE", "text"),
        ("command: sh -c 'x", "E-COMPOSE-VALUE", "quote"),
        ("user: 1000", "E-COMPOSE-VALUE", "text"),
        ("restart: sometimes", "E-COMPOSE-VALUE", "unless-stopped"),
        ("restart: true", "E-COMPOSE-VALUE", "unless-stopped"),
        ("container_name: a b", "E-COMPOSE-VALUE", "container name"),
        ("expose: [http]", "E-COMPOSE-VALUE", "port"),
        ("pull_policy: refresh", "E-COMPOSE-UNSUPPORTED", "refresh"),
        ("pull_policy: every_day", "E-COMPOSE-VALUE", "pull_policy"),
        ("pull_policy: sometimes", "E-COMPOSE-VALUE", "one of"),
        ("healthcheck: {test: [curl, x]}", "E-COMPOSE-VALUE", "CMD"),
        ("healthcheck: {interval: 30}", "E-COMPOSE-VALUE", "duration"),
        ("healthcheck: {start_interval: 1s}", "E-COMPOSE-UNSUPPORTED", "start_interval"),
        ("healthcheck: {retry: 1}", "E-COMPOSE-KEY", "retry"),
        ("depends_on: {b: {condition: service_ready}}", "E-COMPOSE-VALUE", "one of"),
        ("devices: [vendor.com/gpu=all]", "E-COMPOSE-UNSUPPORTED", "CDI"),
        ("devices: ['/dev/a:/dev/b:q']", "E-COMPOSE-VALUE", "rwm"),
        ("ulimits: {nofile: {soft: 1}}", "E-COMPOSE-VALUE", "hard"),
        ("extra_hosts: [nohost]", "E-COMPOSE-VALUE", "HOST=ADDRESS"),
        ("environment: [=x]", "E-COMPOSE-VALUE", "NAME=value"),
        ("environment: {A: [1]}", "E-COMPOSE-VALUE", "list"),
        ("environment: text", "E-COMPOSE-VALUE", "list"),
        ("privileged: maybe", "E-COMPOSE-VALUE", "true or false"),
        ("mem_limit: 1g\ndeploy: {resources: {limits: {memory: 2g}}}", "E-COMPOSE-VALUE", "differ"),
        ("cpus: -1", "E-COMPOSE-VALUE", "at least 0"),
        ("network_mode: host\nnetworks: [a]", "E-COMPOSE-VALUE", "exclude"),
        ("deploy: {mode: global}", "E-COMPOSE-UNSUPPORTED", "mode"),
        ("deploy: {replicas: -1}", "E-COMPOSE-VALUE", "whole number"),
        ("deploy: {placement: {}}", "E-COMPOSE-UNSUPPORTED", "placement"),
        ("deploy: {resources: {reservations: {generic_resources: []}}}", "E-COMPOSE-UNSUPPORTED", "generic"),
        ("deploy: {restart_policy: {delay: 5}}", "E-COMPOSE-VALUE", "delay"),
        ("deploy: {restart_policy: {window: soon}}", "E-COMPOSE-VALUE", "window"),
        ("deploy: {update_config: {max_failure_ratio: few}}", "E-COMPOSE-VALUE", "max_failure_ratio"),
        ("deploy: {endpoint_mode: dns}", "E-COMPOSE-VALUE", "one of vip, dnsrr"),
        ("deploy: {labels: 3}", "E-COMPOSE-VALUE", "labels"),
        ("deploy: {rollback_config: {odrer: x}}", "E-COMPOSE-KEY", "'order'"),
        ("develop: [watch]", "E-COMPOSE-VALUE", "a mapping"),
        ("attach: 3", "E-COMPOSE-VALUE", "true or false"),
        ("deploy: {update_config: {order: sideways}}", "E-COMPOSE-VALUE", "start-first"),
        ("external_links: [b]", "E-COMPOSE-UNSUPPORTED", "external_links"),
        ("links: [c]", "E-COMPOSE-REFERENCE", "no service 'c'"),
        ("links: ['b:']", "E-COMPOSE-VALUE", "SERVICE:NAME"),
        ("links: [b]\nnetwork_mode: host", "E-COMPOSE-VALUE", "network_mode and links"),
        ("links: b", "E-COMPOSE-VALUE", "a list"),
        ("volumes_from: [b]", "E-COMPOSE-UNSUPPORTED", "volumes_from"),
        ("scale: 2\ndeploy: {replicas: 3}", "E-COMPOSE-VALUE", "scale and deploy.replicas differ"),
        ("scale: many", "E-COMPOSE-VALUE", "whole number"),
        ("label_file: x", "E-COMPOSE-HOSTFILE", "the label file 'x' is missing"),
        ("label_file: [3]", "E-COMPOSE-VALUE", "text"),
        ("label_file: {path: x}", "E-COMPOSE-VALUE", "text"),
        ("networks: {a: {gw_priority: 1}}", "E-COMPOSE-UNSUPPORTED", "gw_priority"),
        ("secrets: [{target: t}]", "E-COMPOSE-VALUE", "source"),
        ("stdin_open: [1]", "E-COMPOSE-VALUE", "true or false"),
        ("image: ''", "E-COMPOSE-VALUE", "empty"),
    ],
)
def test_what_is_refused_in_a_service(body: str, code: str, says: str) -> None:
    text = "services:\n  b: {image: b}\n  web:\n    " + "\n    ".join(body.splitlines())
    error = problem(text + ("" if body.startswith("image") else "\n    image: a"))
    assert error.code == code
    assert says in f"{error.what} {error.next}"
    assert error.at is not None
    assert error.at.line >= 4


@pytest.mark.parametrize(("body", "at"), [("scale: 2", "4:12"), ("deploy: {replicas: 2}", "4:24")])
def test_several_containers_of_one_name_are_refused_where_their_number_stands(body: str, at: str) -> None:
    assert str(service_problem(f"{body}\ncontainer_name: one").at) == f"stacks/app/compose.yaml:{at}"


def test_what_has_no_effect_on_a_host_is_read_and_a_warning_says_so() -> None:
    web = """
    services:
      web:
        image: a
        attach: false
        develop: {watch: [{path: ./src, action: rebuild}]}
        deploy:
          endpoint_mode: vip
          labels: {a: b}
          rollback_config: {parallelism: 1, order: stop-first}
          restart_policy: {condition: on-failure, delay: 5s, window: 2m, max_attempts: 3}
          update_config: {max_failure_ratio: 0.3, order: start-first}
    """
    loaded = load(web)
    made = loaded.stack.service("web")
    assert (made.restart, made.labels, made.update.order) == (RestartPolicy("on-failure", 3), (), "start-first")
    told = [warning.removeprefix("stacks/app/compose.yaml:") for warning in loaded.warnings]
    assert [warning.partition(" has no effect")[0] for warning in told] == [
        "5:5: attach",
        "6:5: develop",
        "8:7: endpoint_mode",
        "9:7: labels",
        "10:7: rollback_config",
        "11:47: delay",
        "11:58: window",
        "12:23: max_failure_ratio",
    ]
    assert "docker compose watch" in told[1] and "the service's own labels" in told[3]


def test_labels_come_from_files_too_and_those_of_the_file_itself_count_more() -> None:
    files = {"stacks/app/a.labels": "a=1\nb=${V}\ntraefik.enable=true\n", "stacks/app/b.labels": "b='3'\nc=4\n"}
    made = service("label_file: [a.labels, ./b.labels]\nlabels: {c: own}", files)
    assert made.labels == (("a", "1"), ("b", "3"), ("c", "own"), ("traefik.enable", "true"))
    assert made.reads == ("stacks/app/a.labels", "stacks/app/b.labels") and not made.sealed
    assert service("label_file: a.labels", files, variables={"V": "v"}).labels[1] == ("b", "v")
    of_host = service("label_file: x/c.labels", host_files={"c.labels": b"a=secret\n"})
    assert of_host.labels == (("a", "secret"),) and of_host.sealed


def test_an_unknown_key_names_the_nearest_one_and_its_place() -> None:
    error = problem("services:\n  web:\n    image: a\n    enviroment: {}\n")
    assert error.code == "E-COMPOSE-KEY"
    assert "'enviroment'" in error.what
    assert "'environment'" in error.next
    assert str(error.at) == "stacks/app/compose.yaml:4:5"


def test_an_unknown_key_of_the_file_names_the_nearest_one() -> None:
    assert "'services'" in problem("servces: {web: {image: a}}").next


def test_an_inactive_service_is_checked_for_unknown_keys_too() -> None:
    assert problem("services: {a: {image: a}, b: {image: a, profiles: [p], imag: b}}").code == "E-COMPOSE-KEY"


def test_extension_keys_are_allowed_everywhere() -> None:
    made = service("x-a: 1\nhealthcheck: {x-b: 1, test: a}\ndeploy: {x-c: 1}\nlogging: {x-d: 1, driver: none}")
    assert made.healthcheck == Healthcheck(("CMD-SHELL", "a"))


def test_the_version_is_ignored_and_anchors_work() -> None:
    text = """
    version: "3.8"
    x-base: &base {restart: always, labels: {a: "1"}}
    services: {web: {<<: *base, image: a}}
    """
    assert load(text).stack.service("web").restart == RestartPolicy("always")


def test_a_seccomp_profile_of_the_repository_is_read() -> None:
    made = service("security_opt: ['seccomp:./s.json']", {"stacks/app/s.json": "{}"})
    assert made.security_opt == ("seccomp={}",)
    assert made.reads == ("stacks/app/s.json",)


def test_a_seccomp_profile_that_is_not_in_git_is_refused() -> None:
    assert service_problem("security_opt: ['seccomp:./s.json']").code == "E-COMPOSE-REFERENCE"


def test_reserved_cpus_are_warned_about() -> None:
    loaded = load("services: {web: {image: a, deploy: {resources: {reservations: {cpus: '1'}}}}}")
    assert len(loaded.warnings) == 1
    assert "no effect" in loaded.warnings[0]
