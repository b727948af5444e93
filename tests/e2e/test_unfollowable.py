"""A branch that cannot be followed: it fails and says so, and what was verified last is healed all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.host import Host

pytestmark = pytest.mark.engine

APP = "services: {{web: {{image: '{0}', command: sleep 1000, environment: {{A: {1}}}, stop_grace_period: 0s}}}}"
OTHER = "services: {{other: {{image: 'test/box:1', command: sleep 1000, environment: {{A: {0}}}}}}}"


def _mistyped(host: Host) -> None:
    host.push(other="services: {other: {imgae: 'test/box:1'}}")


def _no_image(host: Host) -> None:
    host.push(app=APP.format("127.0.0.1:9/no/such:1", 2))


def _away(host: Host) -> None:
    host.remote.path.rename(host.remote.path.with_suffix(".away"))


def _rewritten(host: Host) -> None:
    host.remote.force(host.remote.git("rev-list", "--max-parents=0", "main").decode().strip())
    host.push(other=OTHER.format(9))


def _refused(host: Host) -> None:
    host.push(other="services: {other: {image: 'test/box:1', privileged: true}}")


def _invalid(host: Host) -> None:
    rule = "{paths: [conf/**], validate: ['false'], action: restart}"
    host.push(
        {"other/conf/a": "2"},
        other=f"services: {{other: {{image: 'test/box:1', command: sleep 1000, volumes: ['./conf:/etc/conf:ro'], "
        f"x-reconciler: {{on_change: [{rule}]}}}}}}",
    )


CASES = {
    "E-COMPOSE-KEY": _mistyped,
    "E-PULL": _no_image,
    "E-GIT-FETCH": _away,
    "E-REWRITTEN": _rewritten,
    "E-GUARD-PRIVILEGED": _refused,
    "E-VALIDATE": _invalid,
}


def running(host: Host) -> dict[str, str]:
    return {name: seen[0] for name, seen in host.started().items() if seen[1] == "running"}


@pytest.mark.parametrize("code", CASES)
def test_what_was_verified_is_healed_while_the_branch_cannot_be_followed(host: Host, code: str) -> None:
    happens: Callable[[Host], None] = CASES[code]
    conf = "volumes: ['./conf:/etc/conf:ro'], " if code == "E-VALIDATE" else ""
    more = OTHER.format(1).replace("command: sleep 1000", f"{conf}command: sleep 1000")
    host.push({"other/conf/a": "1"} if conf else {}, app=APP.format("test/box:1", 1), other=more)
    host.converge()
    stamp, before = host.stamp, running(host)
    happens(host)
    host.engine.cli("rm", "-f", "app-web-1")

    ran = host.run("converge", "--yes", "--json")

    assert ran.code in (1, 69, 78) and ran.error["code"] == code, ran.stdout
    after = running(host)
    assert set(after) == set(before) and after["other-other-1"] == before["other-other-1"]
    assert "A=1" in host.inspect("app-web-1")["Config"]["Env"] and host.stamp == stamp
    assert "healed meanwhile: 1 create" in ran.data["reason"] and "1 create" in ran.error["unchanged"]
    again = host.run("converge", "--yes", "--json")
    assert again.error["code"] == code and "healed" not in again.data["reason"]
    assert running(host) == after


def test_a_paused_host_is_not_healed_either(host: Host) -> None:
    host.push(app=APP.format("test/box:1", 1))
    host.converge()
    _mistyped(host)
    host.engine.cli("rm", "-f", "app-web-1")
    (host.state / "sentinels/paused").touch()

    assert host.run("converge", "--yes").code == 3
    assert not host.containers()


def test_a_deploy_of_what_cannot_be_deployed_changes_nothing(host: Host) -> None:
    host.push(app=APP.format("test/box:1", 1))
    host.converge()
    _mistyped(host)
    host.engine.cli("rm", "-f", "app-web-1")

    assert host.run("deploy").code == 78
    assert not host.containers() and not (host.state / "sentinels/paused").exists()
