"""fleet.yaml and `x-reconciler`: what they become, and what is refused with its line and the nearest known key."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.document import Map, parse
from reconciler.core.manifest.fleet import load_fleet
from reconciler.core.manifest.schema import json_schema
from reconciler.core.manifest.selecting import selects
from reconciler.core.manifest.stack import load_service_extension, load_stack_extension
from reconciler.errors import BadConfiguration, Position
from reconciler.model.fleet import Fleet, Host, StackExtension
from reconciler.model.gate import CiRules
from reconciler.model.notice import DiscordChannel, Notifications, Secret, WebhookChannel
from reconciler.model.on_change import OnChange

HEAD = "apiVersion: reconciler/v1\nkind: Fleet\n"
ONE = HEAD + "hosts: {a: {connect: local, checkout: /opt/a}}\n"


def read(text: str) -> Map:
    found = parse(text.encode(), "f.yaml")
    assert isinstance(found, Map)
    return found


def fleet(text: str) -> Fleet:
    return load_fleet(read(text), "f.yaml")


def problem(text: str) -> BadConfiguration:
    with pytest.raises(BadConfiguration) as caught:
        fleet(text)
    return caught.value


def test_a_whole_fleet_becomes_values_and_warns_of_what_is_not_acted_on() -> None:
    made = fleet(
        HEAD
        + textwrap.dedent("""
        hosts:
          a: {connect: local, checkout: /opt/a/, labels: {site: x, n: 1, on: true}}
          b: {connect: ssh://root@10.0.0.1, checkout: /opt/b}
        sites: {x: {orchestrator: o}}
        drones: {d: {site: x, cores: 8, unit: {manager: openrc, name: d}, role: sweeper}}
        orchestrators: {o: {url: 'http://x', primary: true}}
        gateway: {url: 'http://x'}
        ci: {provider: github, repository: o/n, require: [a.yml]}
        rollout: {waves: [[a], [b]], on_failure: rollback}
        notifications:
          discord: {webhook: {secret: w}, mention_on_failure: <@&1>}
          webhook: {url: {secret: u}, sign: {secret: s}}
          links: gitea
        ignore: [docs/**]
        quiet: [n8n/**]
        identities: {x: y}
        """)
    )

    assert made.hosts[0] == Host("a", "local", "/opt/a", (("n", "1"), ("on", "true"), ("site", "x")))
    assert made.hosts[1].connect == "ssh://root@10.0.0.1"
    assert (made.sites, made.ignore, made.quiet) == (("x",), ("docs/**",), ("n8n/**",))
    assert made.ci == CiRules("github", "o/n", require=("a.yml",))
    warned = [warning.split("`")[1].rstrip(":") for warning in made.warnings if "`" in warning]
    assert set(warned) >= {"drones", "primary", "gateway", "rollout", "identities"}
    assert (made.orchestrators, made.binhost, made.profiles) == ((("x", "http://x"),), "", ("default",))
    assert not {"notifications", "ci"} & set(warned)
    assert all(warning.startswith("f.yaml:") for warning in made.warnings)
    assert made.notifications == Notifications(
        DiscordChannel(Secret("w"), "<@&1>"), WebhookChannel(Secret("u"), Secret("s")), "gitea"
    )
    assert made.notifications.secrets == ("w", "u", "s")


def test_the_address_of_a_webhook_may_stand_in_the_fleet() -> None:
    made = fleet(ONE + "notifications: {webhook: {url: 'https://n8n.example/x'}}\n").notifications

    assert made == Notifications(webhook=WebhookChannel("https://n8n.example/x"))
    assert (made.channels, made.secrets) == (("webhook",), ())
    assert fleet(ONE).notifications.channels == ()


@pytest.mark.parametrize(
    ("text", "code", "at", "says"),
    [
        (ONE + "hsots: {}\n", "E-MANIFEST-KEY", "4:1", "did you mean 'hosts'?"),
        (ONE + "x-mine: {}\n", "E-MANIFEST-KEY", "4:1", "known here"),
        (ONE + "drones: {d: {core: 1}}\n", "E-MANIFEST-KEY", "4:14", "did you mean 'cores'?"),
        (ONE + "drones: {d: {unit: {manger: openrc, name: d}}}\n", "E-MANIFEST-KEY", "4:21", "did you mean 'manager'?"),
        (ONE + "drones: {d: {cores: 0}}\n", "E-MANIFEST-VALUE", "4:14", "a whole number above 0"),
        (ONE + "drones: {d: {cores: many}}\n", "E-MANIFEST-VALUE", "4:14", "'many' is not a whole number"),
        (
            ONE + "sites: {x: {orchestrator: oo}}\norchestrators: {o: {url: 'http://x'}}\n",
            "E-MANIFEST-VALUE",
            "4:13",
            "did you mean 'o'?",
        ),
        (ONE + "sites: {x: {}}\ndrones: {d: {site: y}}\n", "E-MANIFEST-VALUE", "5:14", "its sites are: x"),
        (ONE + "orchestrators: {o: {url: 'x:8080'}}\n", "E-MANIFEST-VALUE", "4:21", "url"),
        (ONE + "gateway: {url: 'http://x', binhost: 'ftp://y'}\n", "E-MANIFEST-VALUE", "4:28", "binhost"),
        (ONE + "drones: {d: {profile: a/b}}\n", "E-MANIFEST-VALUE", "4:14", "profile"),
        (ONE + "rollout: {waves: [[a], b]}\n", "E-MANIFEST-VALUE", "4:24", "list"),
        (ONE + "notifications: {discord: {webhok: {secret: w}}}\n", "E-MANIFEST-KEY", "4:27", "'webhook'?"),
        (
            ONE + "notifications: {discord: {webhook: https://x}}\n",
            "E-MANIFEST-VALUE",
            "4:27",
            "is not a mapping with secret",
        ),
        (
            ONE + "notifications: {discord: {webhook: {secret: w}, mention_on_failure: role}}\n",
            "E-MANIFEST-VALUE",
            "4:49",
            "mention_on_failure",
        ),
        (ONE + "notifications: {webhook: {url: ftp://x}}\n", "E-MANIFEST-VALUE", "4:27", "url"),
        (ONE + "notifications: {webhook: {}}\n", "E-MANIFEST-VALUE", "4:17", "url is missing"),
        (ONE + "notifications: {links: sourceforge}\n", "E-MANIFEST-VALUE", "4:17", "one of github, gitea"),
        (ONE + "ci: {provider: jenkins}\n", "E-MANIFEST-VALUE", "4:6", "one of github, gitea"),
        (ONE + "ignore: docs/**\n", "E-MANIFEST-VALUE", "4:1", "list"),
        (ONE.replace("local", "telnet://x"), "E-MANIFEST-VALUE", "3:13", "connect"),
        (ONE.replace("/opt/a", "opt"), "E-MANIFEST-VALUE", "3:29", "checkout"),
        (ONE.replace("/opt/a", "/"), "E-MANIFEST-VALUE", "3:29", "checkout"),
        (ONE.replace("{a:", "{'a b':"), "E-MANIFEST-VALUE", "3:9", "a b"),
        (ONE.replace("v1", "v2"), "E-MANIFEST-VALUE", "1:1", "'reconciler/v1'"),
        (ONE.replace("Fleet", "Flotte"), "E-MANIFEST-VALUE", "2:1", "'Fleet'"),
        (HEAD, "E-MANIFEST-VALUE", "1:1", "hosts is missing"),
        (HEAD + "hosts: {}\n", "E-MANIFEST-VALUE", "3:1", "hosts"),
        (HEAD + "hosts: {a: {connect: local}}\n", "E-MANIFEST-VALUE", "3:9", "hosts.a.checkout is missing"),
        (HEAD + "hosts: {a: }\n", "E-MANIFEST-VALUE", "3:9", "hosts.a"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_a_way_out(text: str, code: str, at: str, says: str) -> None:
    error = problem(text)

    assert error.code == code
    assert str(error.at) == f"f.yaml:{at}"
    assert says in f"{error.what} {error.why}"
    assert error.next


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", None),
        ("ci: ~\n", None),
        ("ci: {provider: none}\n", CiRules("none")),
        ("ci: {provider: github, repository: o/n}\n", CiRules("github", "o/n")),
        (
            "ci: {provider: gitea, repository: o/n, url: 'https://git.example/', token: {secret: t}, settle: 90s}\n",
            CiRules("gitea", "o/n", "https://git.example", "t", settle=90.0),
        ),
        (
            "ci: {provider: generic, url: 'http://ci/{sha}', neutral: fail, unknown: pass}\n",
            CiRules("generic", url="http://ci/{sha}", neutral="fail", unknown="pass"),
        ),
    ],
)
def test_the_gate_of_a_fleet_becomes_rules(text: str, rules: CiRules | None) -> None:
    assert fleet(ONE + text).ci == rules


@pytest.mark.parametrize(
    ("ci", "says"),
    [
        ("{provider: github}", "owner/name"),
        ("{provider: github, repository: name}", "owner/name"),
        ("{provider: github, repository: ../x}", "owner/name"),
        ("{provider: forgejo, repository: o/n}", "https://git.example"),
        ("{provider: generic, url: 'http://ci/x'}", "{sha}"),
        ("{provider: generic, url: 'http://me:pw@ci/{sha}'}", "url"),
        ("{provider: generic, url: 'ftp://ci/{sha}'}", "url"),
        ("{provider: none, token: {secret: a/b}}", "token"),
        ("{provider: none, token: abc}", "token"),
        ("{provider: none, settle: soon}", "settle"),
        ("{provider: none, fork_pull_requests: always}", "never"),
        ("{provider: none, require: ['']}", "require"),
        ("[]", "ci"),
    ],
)
def test_a_mistake_in_the_gate_is_named_with_its_place(ci: str, says: str) -> None:
    error = problem(ONE + f"ci: {ci}\n")

    assert error.code == "E-MANIFEST-VALUE"
    assert error.at and error.at.line == 4
    assert says in f"{error.what} {error.why} {error.next}"


def test_the_value_in_a_complaint_is_short() -> None:
    error = problem(ONE + f"ci: {{provider: {'x' * 5000}}}\n")

    assert len(error.why) < 100


@pytest.mark.parametrize(
    ("text", "extension"),
    [
        ("hosts: [a, b]", StackExtension(hosts=("a", "b"))),
        ("hosts: {site: x, n: 1}", StackExtension(labels=(("n", "1"), ("site", "x")))),
    ],
)
def test_a_stack_chooses_its_hosts(text: str, extension: StackExtension) -> None:
    assert load_stack_extension(read(text), "f.yaml") == extension


def test_a_service_may_follow_its_tag_in_another_way_than_its_stack() -> None:
    assert load_stack_extension(read("image_drift: report"), "f.yaml").image_drift == "report"
    assert load_stack_extension(read("hosts: [a]"), "f.yaml").image_drift == "recreate"
    assert load_service_extension(read("image_drift: ignore"), "f.yaml").image_drift == "ignore"
    assert load_service_extension(read("job: true"), "f.yaml").image_drift == ""
    with pytest.raises(BadConfiguration, match="image_drift"):
        load_service_extension(read("image_drift: never"), "f.yaml")


def test_a_service_may_be_a_job() -> None:
    assert load_service_extension(read("job: true"), "f.yaml").job
    assert not load_service_extension(read("job: false"), "f.yaml").job
    with pytest.raises(BadConfiguration):
        load_service_extension(read("job: 3 times"), "f.yaml")


def test_a_service_says_what_a_change_of_its_files_asks_for() -> None:
    text = """
        on_change:
          - {paths: [conf/**], action: signal, signal: SIGHUP}
          - {paths: ['*.html'], action: none}
          - {paths: [Caddyfile], validate: [caddy, validate], action: exec, command: [caddy, reload], timeout: 5m}
          - {paths: [x]}
        """
    assert load_service_extension(read(text), "f.yaml").on_change == (
        OnChange(("conf/**",), "signal", "SIGHUP"),
        OnChange(("*.html",), "none"),
        OnChange(("Caddyfile",), "exec", "", ("caddy", "reload"), ("caddy", "validate"), 300.0),
        OnChange(("x",)),
    )


@pytest.mark.parametrize(
    ("rule", "code", "at", "says"),
    [
        ("{paths: [a], action: signal}", "E-MANIFEST-VALUE", "1:13", "goes with"),
        ("{paths: [a], action: none, signal: SIGHUP}", "E-MANIFEST-VALUE", "1:13", "goes with"),
        ("{paths: [a], action: exec}", "E-MANIFEST-VALUE", "1:13", "goes with"),
        ("{paths: [a], command: [x]}", "E-MANIFEST-VALUE", "1:13", "goes with"),
        ("{paths: [a], action: signal, signal: HUP}", "E-MANIFEST-VALUE", "1:42", "signal"),
        ("{paths: [a], action: reload}", "E-MANIFEST-VALUE", "1:26", "restart"),
        ("{paths: []}", "E-MANIFEST-VALUE", "1:14", "paths"),
        ("{paths: ['!a']}", "E-MANIFEST-VALUE", "1:22", "paths"),
        ("{paths: [a], vaildate: [x]}", "E-MANIFEST-KEY", "1:26", "did you mean 'validate'?"),
    ],
)
def test_a_wrong_rule_is_an_error_with_its_line(rule: str, code: str, at: str, says: str) -> None:
    with pytest.raises(BadConfiguration) as caught:
        load_service_extension(read(f"on_change: [{rule}]"), "f.yaml")
    assert (caught.value.code, str(caught.value.at)) == (code, f"f.yaml:{at}")
    assert says in f"{caught.value.what} {caught.value.why}"


A = Host("a", "local", "/a", (("role", "web"), ("site", "x")))
B = Host("b", "local", "/b", (("site", "x"),))
AT = Position("f.yaml", 1, 1)


@pytest.mark.parametrize(
    ("extension", "hosts", "chosen"),
    [
        (StackExtension(), (A,), {"a"}),
        (StackExtension(hosts=("b",)), (A, B), {"b"}),
        (StackExtension(hosts=("a", "b")), (A, B), {"a", "b"}),
        (StackExtension(labels=(("site", "x"),)), (A, B), {"a", "b"}),
        (StackExtension(labels=(("role", "web"), ("site", "x"))), (A, B), {"a"}),
        (StackExtension(labels=(("name", "b"),)), (A, B), {"b"}),
    ],
)
def test_which_hosts_run_a_stack(extension: StackExtension, hosts: tuple[Host, ...], chosen: set[str]) -> None:
    assert {host.name for host in hosts if selects(extension, host, Fleet(hosts), AT)} == chosen


@pytest.mark.parametrize("extension", [StackExtension(), StackExtension(hosts=("a", "c"))])
def test_a_stack_that_could_run_anywhere_or_nowhere_is_refused(extension: StackExtension) -> None:
    with pytest.raises(BadConfiguration) as caught:
        selects(extension, A, Fleet((A, B)), AT)

    assert caught.value.code == "E-MANIFEST-HOST"
    assert "a, b" in caught.value.why


def test_the_schemas_name_every_key_and_forbid_others() -> None:
    schema = json_schema("fleet")

    assert schema["required"] == ["apiVersion", "kind", "hosts"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["HostModel"]["properties"]["checkout"]["description"]
    assert (
        "job"
        in json_schema("stack")["properties"]["services"]["additionalProperties"]["properties"]["x-reconciler"][
            "properties"
        ]
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab:/{}[] ", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["hosts", "a", "connect", "ci"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_any_document_is_loaded_or_refused_with_a_place(value: object) -> None:
    import json

    document = parse(json.dumps({"apiVersion": "reconciler/v1", "kind": "Fleet", "hosts": value}).encode(), "f.yaml")
    found: BadConfiguration | None = None
    try:
        load_fleet(document, "f.yaml")
    except BadConfiguration as error:
        found = error
    assert found is None or (found.at is not None and found.at.file == "f.yaml" and found.next)
