"""fleet.yaml and x-reconciler: what is read, what is refused and where, and what is only warned about."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from reconciler.core.document import Map, parse
from reconciler.core.manifest import is_job, json_schema, load_fleet, load_stack_extension, selects
from reconciler.errors import BadConfiguration, Position
from reconciler.model.fleet import Fleet, Host

LEAST = "apiVersion: reconciler/v1\nkind: Fleet\nhosts:\n  caroline: {connect: local, checkout: /opt/caroline}\n"
WHOLE = """\
apiVersion: reconciler/v1
kind: Fleet
sites:
  milky-way: {orchestrator: orch-izar}
  andromeda: {orchestrator: orch-tarn}
hosts:
  caroline:    {connect: local, checkout: /opt/caroline, labels: {site: milky-way}}
  altair-link: {connect: ssh://root@10.42.0.199, checkout: /opt/fleet}
drones:
  drone-izar: {connect: ssh://root@10.42.0.203, site: milky-way, cores: 16, memory: 11GiB,
               checkout: /opt/build-swarm, unit: {manager: openrc, name: build-drone}, profile: znver3}
  sweeper-capella: {site: milky-way, cores: 8, role: sweeper}
orchestrators: {orch-izar: {url: http://10.42.0.201:8080, primary: true}, orch-tarn: {url: http://100.64.0.118:8080}}
gateway: {url: http://10.42.0.199:8090, binhost: http://10.42.0.194/}
ci: {provider: github, repository: owner/name, require: [lint.yml, test.yml], fork_pull_requests: never}
rollout: {waves: [[caroline], [altair-link, "site=andromeda"]], on_failure: rollback}
notifications: {discord: {webhook: {secret: discord-webhook}, mention_on_failure: "<@&123>"}}
ignore: [docs/**, "**/*.md", tests/**, .github/**]      # deploys nothing
quiet: [n8n/workflows/**]                                 # deploys, without a notice
identities: {drone-izar-host: drone-izar, 10.42.0.0/24: 10.1.0.0/24}
"""
HERE = Position("compose.yaml", 2, 1)


def fleet(text: str) -> Fleet:
    document = parse(text.encode(), "fleet.yaml")
    assert isinstance(document, Map)
    return load_fleet(document, "fleet.yaml")


def extension(text: str) -> Map:
    document: Any = parse(f"x-reconciler: {text}".encode(), "compose.yaml")
    found = document["x-reconciler"]
    assert isinstance(found, Map)
    return found


def mistake(text: str) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as caught:
        fleet(text)
    return caught.value


def test_the_fleet_of_the_manual_is_read_whole() -> None:
    read = fleet(WHOLE)
    assert read.hosts == (
        Host("caroline", "local", "/opt/caroline", (("site", "milky-way"),)),
        Host("altair-link", "ssh://root@10.42.0.199", "/opt/fleet"),
    )
    assert read.sites == ("milky-way", "andromeda")
    assert read.ignore == ("docs/**", "**/*.md", "tests/**", ".github/**")
    assert read.quiet == ("n8n/workflows/**",)


def test_what_is_not_acted_on_is_said_with_its_place() -> None:
    warnings = fleet(WHOLE).warnings
    named = {re.sub(r".*`(\w+):`.*", r"\1", warning) for warning in warnings}
    assert {"drones", "orchestrators", "gateway", "ci", "rollout", "notifications", "identities"} <= named
    gate = next(warning for warning in warnings if "`ci:`" in warning)
    assert gate.startswith("fleet.yaml:15:1: ")
    assert "without waiting for their checks" in gate
    assert fleet(LEAST).warnings == ()


@pytest.mark.parametrize(
    ("text", "code", "place", "says"),
    [
        (LEAST + "hots: {}\n", "E-MANIFEST-KEY", "fleet.yaml:5:1", "hosts"),
        (LEAST.replace("checkout", "chekout"), "E-MANIFEST-", "fleet.yaml:4:", "checkout"),
        (LEAST.replace("local,", "local, label: {},"), "E-MANIFEST-KEY", "fleet.yaml:4:30", "labels"),
        (LEAST.replace("local", "telnet://x"), "E-MANIFEST-VALUE", "fleet.yaml:4:14", "telnet"),
        (LEAST.replace("/opt", "opt"), "E-MANIFEST-VALUE", "fleet.yaml:4:30", "opt/caroline"),
        (LEAST.replace("v1", "v2"), "E-MANIFEST-VALUE", "fleet.yaml:1:1", "v2"),
        (LEAST.replace("kind: Fleet\n", ""), "E-MANIFEST-VALUE", "fleet.yaml:1:1", "kind"),
        ("apiVersion: reconciler/v1\nkind: Fleet\nhosts: {}\n", "E-MANIFEST-VALUE", "fleet.yaml:3:1", ""),
        (LEAST + "hosts2:\n", "E-MANIFEST-KEY", "fleet.yaml:5:1", "hosts"),
        (LEAST + "ci: {provider: github, repositry: a/b}\n", "E-MANIFEST-KEY", "fleet.yaml:5:24", "repository"),
        (LEAST + "ignore: [docs/**, 3]\n", "E-MANIFEST-VALUE", "fleet.yaml:5:19", "3"),
        (LEAST + "drones: {d: {cores: many}}\n", "E-MANIFEST-VALUE", "fleet.yaml:5:14", "many"),
        (LEAST + "notifications: {discord: {webhook: https://x}}\n", "E-MANIFEST-VALUE", "fleet.yaml:5:27", ""),
    ],
)
def test_a_mistake_names_its_place_and_what_was_meant(text: str, code: str, place: str, says: str) -> None:
    error = mistake(text)
    assert error.code.startswith(code)
    assert str(error.at).startswith(place)
    assert says in f"{error.what} {error.why} {error.next}"


def test_a_stack_chooses_hosts_by_name_or_label_or_has_no_choice() -> None:
    pair = fleet(WHOLE)
    caroline, altair = pair.hosts
    alone = fleet(LEAST)

    def chosen(text: str) -> list[bool]:
        choice = load_stack_extension(extension(text), "compose.yaml")
        return [selects(choice, host, pair, HERE) for host in (caroline, altair)]

    assert chosen("{hosts: [caroline]}") == [True, False]
    assert chosen("{hosts: [caroline, altair-link]}") == [True, True]
    assert chosen("{hosts: {site: milky-way}}") == [True, False]
    assert selects(load_stack_extension(Map(), "compose.yaml"), alone.hosts[0], alone, HERE) is True


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{hosts: [carolin]}", "did you mean 'caroline'"),
        ("{hosts: {site: milkyway}}", "site: milky-way"),
        ("{}", "caroline, altair-link"),
    ],
)
def test_a_choice_that_chooses_nothing_real_is_refused(text: str, says: str) -> None:
    pair = fleet(WHOLE)
    with pytest.raises(BadConfiguration) as caught:
        selects(load_stack_extension(extension(text), "compose.yaml"), pair.hosts[0], pair, HERE)
    assert caught.value.code == "E-MANIFEST-HOST"
    assert caught.value.at == HERE
    assert says in caught.value.why


@pytest.mark.parametrize(
    "text", ["{hosts: []}", "{hosts: {}}", "{hosts: caroline}", "{hosts: [[a]]}", "{hosts: ['a b']}"]
)
def test_a_malformed_choice_is_refused(text: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        load_stack_extension(extension(text), "compose.yaml")
    assert caught.value.code == "E-MANIFEST-VALUE"
    assert str(caught.value.at).startswith("compose.yaml:1:")


@pytest.mark.parametrize("key", ["migrations", "verify", "needs", "image_drift"])
def test_a_key_of_a_later_version_is_refused_not_dropped(key: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        load_stack_extension(extension(f"{{{key}: []}}"), "compose.yaml")
    assert caught.value.code == "E-MANIFEST-UNSUPPORTED"
    assert str(caught.value.at) == "compose.yaml:1:16"


def test_a_service_may_be_a_job() -> None:
    assert is_job(None, "compose.yaml") is False
    assert is_job(extension("{}"), "compose.yaml") is False
    assert is_job(extension("{job: true}"), "compose.yaml") is True
    for text, code in (("{on_change: []}", "UNSUPPORTED"), ("{jop: true}", "KEY"), ("{job: maybe}", "VALUE")):
        with pytest.raises(BadConfiguration) as caught:
            is_job(extension(text), "compose.yaml")
        assert caught.value.code == f"E-MANIFEST-{code}"


def test_the_schemas_are_json_and_refuse_unknown_keys() -> None:
    whole, stack = json_schema("fleet"), json_schema("stack")
    assert json.loads(json.dumps([whole, stack])) == [whole, stack]
    assert whole["additionalProperties"] is False
    assert {"apiVersion", "kind", "hosts"} <= set(whole["required"])
    assert whole["$id"] != stack["$id"]
    assert "hosts" in stack["properties"]["x-reconciler"]["properties"]
