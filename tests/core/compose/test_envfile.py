"""Env files: their syntax, and where they are looked for."""

from __future__ import annotations

import pytest

from reconciler.core.compose.envfile import BadEnvFile, parse_env
from tests.support.compose import service, service_problem


def parsed(text: str, **known: str) -> dict[str, str]:
    return parse_env(text.encode(), known.get)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("# comment\n\n  \nA=1 # note", {"A": "1"}),
        ("A=1#not", {"A": "1#not"}),
        ("A=#x", {"A": ""}),
        ("export A=1", {"A": "1"}),
        ("  A = spaced out  ", {"A": "spaced out"}),
        ("A: yaml", {"A": "yaml"}),
        ("A=", {"A": ""}),
        ("A='$X \\n'", {"A": "$X \\n"}),
        ("A='it\\'s'", {"A": "it's"}),
        ('A="a\\nb\\t\\"c\\" \\\\"', {"A": 'a\nb\t"c" \\'}),
        ('A="\\$X"', {"A": "$X"}),
        ('A="$X" # note', {"A": "known"}),
        ("A=$X/${Y:-d}", {"A": "known/d"}),
        ("A=1\nB=$A$A", {"A": "1", "B": "11"}),
        ("X=own\nB=$X", {"X": "own", "B": "known"}),
        ('KEY="-----BEGIN\nline\n-----END"\nB=2', {"KEY": "-----BEGIN\nline\n-----END", "B": "2"}),
        ("A=a=b=c", {"A": "a=b=c"}),
        ("A.b-c=1", {"A.b-c": "1"}),
        ("X", {"X": "known"}),
        ("UNKNOWN", {}),
        ("A=1\r\nB='2'\r\n", {"A": "1", "B": "2"}),
        ("\ufeffA=1", {"A": "1"}),
        ("A=$$5", {"A": "$5"}),
        ("export=1", {"export": "1"}),
    ],
)
def test_the_syntax_of_env_files(text: str, found: dict[str, str]) -> None:
    assert parsed(text, X="known") == found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("A=1\n=2", 2),
        ("A=1\n\nA B=2", 3),
        ("A='hush", 1),
        ('A="a\nb"\nB="hush', 3),
        ('A="hush" hush', 1),
        ("A=1\nB=hush$1", 2),
        ("A=hu\0sh", 1),
    ],
)
def test_a_bad_env_file_names_the_line_and_no_value(text: str, line: int) -> None:
    with pytest.raises(BadEnvFile, match=r".*") as caught:
        parsed(text)
    assert caught.value.line == line
    assert "hush" not in str(caught.value)


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    with pytest.raises(BadEnvFile, match="UTF-8") as caught:
        parse_env(b"A=1\nB=\xff\n", lambda _: None)
    assert caught.value.line == 2


def test_raw_format_takes_values_as_they_stand() -> None:
    made = service("env_file: [{path: a.env, format: raw}]", {"stacks/app/a.env": "A='$X' # y\n"})
    assert made.environment == (("A", "'$X' # y"),)


def test_environment_wins_over_env_files_and_later_files_over_earlier_ones() -> None:
    files = {"stacks/app/a.env": "A=a\nB=a\nC=a\n", "stacks/app/b.env": "B=b\nC=b\n"}
    made = service("env_file: [a.env, ./b.env]\nenvironment: {C: own, D: null}", files)
    assert dict(made.environment) == {"A": "a", "B": "b", "C": "own", "D": None}
    assert made.reads == ("stacks/app/a.env", "stacks/app/b.env")
    assert not made.sealed


def test_env_files_may_use_variables_of_the_stack_and_of_the_service() -> None:
    files = {"stacks/app/a.env": "A=$STACK-$OWN\n", "stacks/app/.env": "STACK=s\n"}
    made = service("env_file: a.env\nenvironment: {OWN: o}", files)
    assert dict(made.environment) == {"A": "s-o", "OWN": "o"}


def test_an_env_file_may_use_what_those_before_it_say() -> None:
    files = {"stacks/app/a.env": "A=1\n", "stacks/app/b.env": "A=2\nB=${A}x\n"}
    made = service("env_file: [a.env, b.env]", files)
    assert made.environment == (("A", "2"), ("B", "1x"))


def test_an_env_file_that_is_not_in_git_is_looked_for_on_the_host() -> None:
    made = service("env_file: ./secrets/app.env", host_files={"app.env": b"PW=hush\n"})
    assert made.environment == (("PW", "hush"),)
    assert made.sealed
    assert made.reads == ()


def test_the_host_may_keep_the_folders_of_an_env_file() -> None:
    made = service("env_file: sub/app.env", host_files={"sub/app.env": b"A=1\n", "app.env": b"A=2\n"})
    assert made.environment == (("A", "1"),)


def test_git_wins_over_the_host_for_an_env_file() -> None:
    made = service("env_file: app.env", {"stacks/app/app.env": "A=git\n"}, host_files={"app.env": b"A=host\n"})
    assert made.environment == (("A", "git"),)


def test_a_missing_env_file_names_both_places() -> None:
    error = service_problem("env_file: conf/app.env")
    assert error.code == "E-COMPOSE-HOSTFILE"
    assert "stacks/app/conf/app.env" in error.why
    assert "/etc/reconciler/env/app/app.env" in error.why


def test_a_missing_env_file_may_be_optional() -> None:
    assert service("env_file: [{path: app.env, required: false}]").environment == ()


def test_an_error_in_an_env_file_names_that_file_and_line() -> None:
    error = service_problem("env_file: app.env", host_files={"app.env": b"A=1\nB='hush\n"})
    assert error.code == "E-COMPOSE-ENVFILE"
    assert str(error.at) == "/etc/reconciler/env/app/app.env:2:1"
    assert "hush" not in str(error)


def test_an_env_file_above_the_repository_is_refused() -> None:
    assert service_problem("env_file: ../../../x.env").code == "E-COMPOSE-PATH"
