"""What a commit changes is told before and after, and a commit that nothing sees restarts nothing."""

from __future__ import annotations

import pytest

from tests.support.host import NAME, Host

pytestmark = pytest.mark.engine

STACK = """
    services:
      web: {image: 'test/box:1', volumes: ['./web:/web:ro']}
      db: {image: 'test/box:1'}
    """


def test_plan_and_diff_tell_what_lies_between(host: Host) -> None:
    fleet = (
        f"apiVersion: reconciler/v1\nkind: Fleet\nhosts: {{{NAME}: {{connect: local, checkout: {host.checkout}}}}}\n"
    )
    host.remote.commit({"manifests/fleet.yaml": f"{fleet}ignore: ['*.md']\nquiet: ['web/**']\n"})
    host.push({"app/web/page": "1\n"}, app=STACK)
    host.converge()
    assert host.run("plan", "--json").data["changes"]["any_deploy"] is False

    host.remote.commit({"README.md": "hello\n"}, "Say hello")
    said = host.run("plan", "--json").data["changes"]
    assert (said["any_deploy"], said["files"], said["ignored"], said["services"]) == (False, 1, 1, [])
    assert "nothing mounts, builds or reads it" in host.run("plan").stdout
    with host.quiet():
        ran = host.converge()
    assert host.run("history", "show", ran.data["run"], "--json").data["run"]["reason"] == "only ignored paths changed"

    host.push({"app/web/page": "2\nand more\n"})
    host.remote.commit({"main.py": "pass\n"}, "A program")
    said = host.run("diff", NAME, "--json").data["changes"]
    assert (said["any_deploy"], said["services"]) == (True, [f"{NAME}/app/web"])
    assert (said["files"], said["insertions"], said["deletions"], said["silent"]) == (2, 3, 1, False)
    assert said["commits"][0]["subject"] == "A program" and len(said["commits"]) == 2
    assert "Changed: 2 files +3 -1 in 2 commits" in host.run("plan").stdout
    with host.moves("app-web-1"):
        host.converge()


def test_what_moves_is_what_lies_between_the_verified_and_the_target(host: Host) -> None:
    # main: c1 (verified) - c2 (web) - c3 (db, superseded) - c4 (db as in c1)
    host.push({"app/web/page": "1\n"}, app=STACK)
    host.converge()
    host.push({"app/web/page": "2\n"})
    host.push(app=STACK.replace("db: {", "db: {user: '0', "))
    assert host.plan().keys() == {"app/web", "app/db"}
    host.push(app=STACK)
    with host.moves("app-web-1"):
        assert host.converge().reasons.keys() == {"app/web"}
    host.settled()

    host.push({"app/web/page": "3\n"})
    host.push({"app/web/page": "2\n"})
    with host.moves():
        assert host.converge().reasons == {}
