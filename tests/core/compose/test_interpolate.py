"""Variables in values."""

from __future__ import annotations

import pytest

from reconciler.core.compose.interpolate import LONGEST, BadTemplate, substitute
from tests.support.compose import load, problem, service, service_problem

KNOWN = {"X": "x", "EMPTY": "", "N": "1"}


def fill(text: str) -> tuple[str, list[str]]:
    missing: list[str] = []
    return substitute(text, KNOWN.get, missing.append), missing


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"), ("$X", "x"), ("${X}", "x"), ("a$X.b", "ax.b"), ("$X$X", "xx"),
        ("$$X", "$X"), ("$$$X", "$x"),
        ("${X:-d}", "x"), ("${EMPTY:-d}", "d"), ("${EMPTY-d}", ""), ("${NO-d}", "d"),
        ("${NO:-d}", "d"), ("${NO:-}", ""),
        ("${X:+r}", "r"), ("${EMPTY:+r}", ""), ("${EMPTY+r}", "r"), ("${NO+r}", ""), ("${NO:+r}", ""),
        ("${X:?e}", "x"), ("${EMPTY?e}", ""), ("${NO:-${X}}", "x"), ("${NO:-${NOR:-${X}y}z}", "xyz"),
        ("${NO:-a:b-c?d}", "a:b-c?d"), ("${NO:-$$}", "$"), ("${NO:-{}}", "{}"), ("${X:+${N}}", "1"),
        ("${NO:-http://h:80/p?q=1}", "http://h:80/p?q=1"), ("${X:-${NO:?never}}", "x"),
    ],
)  # fmt: skip
def test_every_form_of_a_variable(text: str, value: str) -> None:
    assert fill(text) == (value, [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("$", "$$"), ("a$ b", "$$"), ("$1", "$$"), ("${X", "never closed"), ("${}", "name"), ("${1X}", "name"),
        ("${X!y}", "operator"), ("${NO:?please}", "NO must be set: please"), ("${EMPTY:?}", "EMPTY must be set"),
        ("${NO?it is $X}", "it is x"), ("${" + "A:-${" * 30 + "}" * 31, "nested too deeply"),
    ],
)  # fmt: skip
def test_a_bad_template_says_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(BadTemplate, match=r".*") as caught:
        fill(text)
    assert says in str(caught.value)


def test_an_unset_variable_is_empty_and_reported() -> None:
    assert fill("a${NO}b$NOR") == ("ab", ["NO", "NOR"])


def test_variables_cannot_grow_without_bound() -> None:
    with pytest.raises(BadTemplate, match="grows"):
        substitute("$A" * 100, {"A": "x" * (LONGEST // 10)}.get, lambda _: None)


def test_variables_of_env_files_cannot_multiply_without_bound() -> None:
    rows = ["A0=" + "x" * 1000] + [f"A{i}=" + f"${{A{i - 1}}}" * 10 for i in range(1, 9)]
    error = service_problem("user: $A8", {"stacks/app/.env": "\n".join(rows)})
    assert error.code == "E-COMPOSE-ENVFILE"
    assert error.at is not None
    assert error.at.file == "stacks/app/.env"


def test_the_nearest_source_wins() -> None:
    repo = {"stacks/app/.env": "A=repo\nB=repo\nC=repo\n"}
    made = service("labels: [$A, $B, $C]", repo, host_files={".env": b"A=host\nB=host\n"}, variables={"A": "given"})
    assert dict(made.labels) == {"given": "", "host": "", "repo": ""}


def test_the_environment_of_the_process_is_never_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAK", "leaked")
    made = service('labels: {a: "${LEAK:-clean}"}\nenvironment: [LEAK]')
    assert made.labels == (("a", "clean"),)
    assert made.environment == (("LEAK", None),)


def test_an_unset_variable_warns_with_its_place() -> None:
    loaded = load("services: {web: {image: a, user: 'u$NOPE'}}")
    assert loaded.stack.service("web").user == "u"
    assert loaded.warnings == (
        "stacks/app/compose.yaml:1:34: the variable NOPE is not set; an empty string stands for it",
    )


def test_a_demanded_variable_is_an_error_with_its_place() -> None:
    error = problem("services:\n  web:\n    image: a\n    user: ${U:?who?}\n")
    assert error.code == "E-COMPOSE-INTERPOLATION"
    assert "U must be set: who?" in error.what
    assert str(error.at) == "stacks/app/compose.yaml:4:11"


def test_keys_are_not_interpolated() -> None:
    made = service('labels: {"$X": "$X"}', variables={"X": "x"})
    assert made.labels == (("$X", "x"),)


def test_positions_survive_interpolation() -> None:
    error = service_problem('volumes: ["$D:/data", "nope:/x"]', variables={"D": "./d"})
    assert error.at is not None
    assert error.at.line == 4


def test_text_from_a_variable_is_cast_where_compose_casts_it() -> None:
    made = service(
        'read_only: "${RO}"\nmem_limit: "${M}"\nports: ["${P}:80"]\ndeploy: {replicas: "$R"}',
        variables={"RO": "true", "M": "64m", "P": "8080-8082", "R": "2"},
    )
    assert made.read_only is True
    assert made.resources.memory == 64 * 1024 * 1024
    assert made.ports[0].host_port == "8080-8082"
    assert made.replicas == 2


def test_a_service_is_sealed_by_a_value_of_the_host_only() -> None:
    text = """
    services:
      plain: {image: a, labels: {x: $SHA, y: $REPO}}
      secret: {image: a, labels: {x: $PW}}
      derived: {image: a, labels: {x: $URL}}
      inherited: {image: a, environment: [PW]}
      reader: {image: a, configs: [c]}
      mounter: {image: a, volumes: ["v:/v"]}
    configs: {c: {content: "pw=$PW"}}
    volumes: {v: {driver_opts: {o: "password=$PW"}}}
    """
    repo = {"stacks/app/.env": "REPO=r\nURL=http://$PW/\n"}
    stack = load(text, repo, host_files={".env": b"PW=hush\n"}, variables={"SHA": "abc"}).stack
    assert {s.name for s in stack.services if s.sealed} == {"secret", "derived", "inherited", "reader", "mounter"}


@pytest.mark.parametrize(
    "body",
    [
        "mem_limit: $PW",
        "ports: [$PW]",
        "restart: $PW",
        "stop_grace_period: $PW",
        "volumes: ['/a:$PW']",
        "volumes: ['/a:/b:$PW']",
        "volumes: ['$PW:/b']",
        "networks: [$PW]",
    ],
)
def test_a_value_of_the_host_is_not_shown_in_an_error(body: str) -> None:
    error = service_problem(body, host_files={".env": b"PW=hush-hush\n"})
    assert error.code in ("E-COMPOSE-VALUE", "E-COMPOSE-REFERENCE")
    assert "hush" not in f"{error} {error.why} {error.next}"
