"""Which containers are taken over from Compose, what makes them differ, and what is remembered of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.adoption import claimed, newcomers, remembered, welcomed
from reconciler.core.moved_data import moves, refusals
from reconciler.model.adopted import Adopted, Adoption
from reconciler.model.observed import Image, Observed, ObservedNetwork
from tests.support.adopting import ADOPTED, actions, composed, planned
from tests.support.planning import OWNER, image_id, wish

WEB = "services: {web: {image: box}}"


def test_what_fits_is_adopted_and_nothing_else_happens() -> None:
    wanted = wish(WEB)
    plan = planned(wanted, composed(wanted))
    assert actions(plan) == ADOPTED
    assert not plan.networks and not plan.volumes and not plan.images


@pytest.mark.parametrize("labels", [{"com.docker.compose.oneoff": "True"}])
def test_a_one_off_container_is_nobodys_service(labels: dict[str, str]) -> None:
    wanted = wish(WEB)
    observed = composed(wanted)
    (web,) = observed.containers
    run = replace(web, labels={**web.labels, **labels}, name="app_web_run_1")
    assert newcomers(replace(observed, containers=(run,)), wanted.wants, OWNER) == {}


def test_a_container_of_another_fleet_is_not_taken_over() -> None:
    wanted = wish(WEB)
    (web,) = composed(wanted).containers
    theirs = Observed("alpha", (replace(web, owner="others"),))
    assert newcomers(theirs, wanted.wants, OWNER) == {}


def test_a_place_that_one_of_ours_fills_is_not_given_away() -> None:
    wanted = wish(WEB)
    (ours,) = wanted.fulfilled().containers
    (theirs,) = composed(wanted, id="another", name="app_web_1").containers
    observed = replace(wanted.fulfilled(), containers=(theirs, ours))
    assert planned(wanted, observed).empty


def test_of_two_the_running_one_is_taken() -> None:
    wanted = wish(WEB)
    (web,) = composed(wanted).containers
    dead = replace(web, id="dead", name="aaa_app_web_1", state="exited")
    observed = replace(composed(wanted), containers=(dead, web))
    assert [c.id for c in newcomers(observed, wanted.wants, OWNER).values()] == [web.id]


@pytest.mark.parametrize(
    ("live", "image", "differs"),
    [
        ({"User": "root"}, {}, "user root -> unset"),
        ({"User": "app"}, {"User": "app"}, ""),
        ({"Cmd": ["sleep"]}, {"Cmd": ["sleep"]}, ""),
        ({"Cmd": ["sleep"]}, {}, "command changed"),
        ({}, {"Cmd": ["sleep"]}, "command changed"),
        ({"Env": ["A=1"]}, {}, "environment A not in git"),
        ({"Env": ["PATH=/bin"]}, {"Env": ["PATH=/bin"]}, ""),
        ({"Env": ["PATH=/sbin"]}, {"Env": ["PATH=/bin"]}, "environment PATH not in git"),
        ({"Labels": {"traefik.enable": "true"}}, {}, "label traefik.enable not in git"),
        ({"Labels": {"maintainer": "me"}}, {"Labels": {"maintainer": "me"}}, ""),
        ({"Labels": {"com.docker.compose.version": "1.29.2"}}, {}, ""),
        ({"Tty": True}, {}, "tty True -> unset"),
        ({"Hostname": "abc"}, {}, "hostname abc -> unset"),
        ({"MacAddress": "02:42:ac:11:65:43"}, {}, "mac_address 02:42:ac:11:65:43 -> unset"),
        ({"Healthcheck": {"Test": ["CMD", "true"]}}, {}, "healthcheck changed"),
        ({"HostConfig": {"NetworkMode": "app_default", "VolumesFrom": ["x"]}}, {}, "volumes_from: not in git"),
        ({"HostConfig": {"NetworkMode": "app_default", "OomScoreAdj": 500}}, {}, "oom_score_adj 500 -> unset"),
        ({"HostConfig": {"NetworkMode": "app_default", "CgroupParent": "/x"}}, {}, "cgroup_parent /x -> unset"),
        ({"HostConfig": {"NetworkMode": "app_default", "Binds": ["/a:/b:rw"]}}, {}, "volume /a:/b:rw removed"),
        ({"HostConfig": {"NetworkMode": "app_default", "CpuShares": 5}}, {}, "cpu shares set by hand"),
        ({"HostConfig": {"NetworkMode": "app_default", "LogConfig": {"Type": "journald", "Config": {}}}}, {}, ""),
    ],
)
def test_what_a_container_has_beyond_git_and_its_image_is_a_difference(
    live: dict[str, Any], image: dict[str, Any], differs: str
) -> None:
    wanted = wish(WEB)
    plan = planned(wanted, composed(wanted, definition=live), {image_id("box"): image})
    assert actions(plan) == (ADOPTED if not differs else {"app/web": f"replace: {differs}"})


def test_a_health_check_has_from_its_image_what_it_leaves_out() -> None:
    wanted = wish("services: {web: {image: box, healthcheck: {interval: 10s}}}")
    image = {"Healthcheck": {"Test": ["CMD", "true"], "Interval": 5 * 10**9, "Retries": 4}}
    live = {"Test": ["CMD", "true"], "Interval": 10 * 10**9, "Retries": 4}
    configs = {image_id("box"): image}
    assert actions(planned(wanted, composed(wanted, definition={"Healthcheck": live}), configs)) == ADOPTED
    by_hand = planned(wanted, composed(wanted, definition={"Healthcheck": {**live, "Retries": 5}}), configs)
    assert actions(by_hand) == {"app/web": "replace: healthcheck changed"}


@pytest.mark.parametrize(
    ("service", "host"),
    [
        ("networks: [proxy]", {"NetworkMode": "net-proxy"}),
        (
            "networks: [proxy], logging: {options: {max-size: 1m}}",
            {"NetworkMode": "proxy", "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}},
        ),
    ],
)
def test_what_a_tool_or_an_engine_writes_in_its_own_way_is_no_difference(service: str, host: dict[str, Any]) -> None:
    networks = "networks: {proxy: {external: true}}"
    wanted = wish(f"services: {{web: {{image: box, {service}}}}}\n{networks}")
    observed = composed(wanted, definition={"HostConfig": host})
    there = replace(observed, networks=(ObservedNetwork("net-proxy", "proxy"),))
    assert actions(planned(wanted, there)) == ADOPTED


DEFAULTS = {
    "LogConfig": {"Type": "json-file", "Config": {"max-size": "7m"}},
    "Ulimits": [{"Name": "nofile", "Soft": 900, "Hard": 1000}],
    "ShmSize": 96 << 20,
}


@pytest.mark.parametrize(
    ("db", "differs"),
    [
        ({}, ""),
        ({"LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}}, ""),
        ({"LogConfig": {"Type": "none", "Config": {}}}, ""),
        ({"LogConfig": {"Type": "json-file", "Config": {}}}, "logging changed"),
        ({"Ulimits": None}, "ulimits changed"),
        ({"ShmSize": 64 << 20}, ""),
    ],
)
def test_what_an_engine_gives_to_all_is_no_difference(db: dict[str, Any], differs: str) -> None:
    wanted = wish(
        "services: {api: {image: box}, web: {image: box}, db: {image: box, "
        "logging: {driver: json-file, options: {max-size: 1m}}, ulimits: {nproc: 5}}}"
    )
    api, web, last = composed(wanted).containers
    host = {"NetworkMode": "app_default", **DEFAULTS}
    given = [replace(c, definition={**c.definition, "HostConfig": host}) for c in (api, web)]
    last = replace(last, definition={**last.definition, "HostConfig": {**host, **db}})
    reasons = actions(planned(wanted, replace(composed(wanted), containers=(*given, last))))
    assert reasons["app/web"] == (ADOPTED["app/web"] if not differs else f"replace: {differs}")


def test_an_option_that_only_one_container_has_is_a_difference() -> None:
    wanted = wish("services: {db: {image: box}, web: {image: box}}")
    db, web = composed(wanted).containers
    host = {"NetworkMode": "app_default", **DEFAULTS}
    web = replace(web, definition={**web.definition, "HostConfig": host})
    reasons = actions(planned(wanted, replace(composed(wanted), containers=(db, web))))
    assert reasons == {**ADOPTED, "app/db": ADOPTED["app/web"], "app/web": reasons["app/web"]}
    assert "logging changed" in reasons["app/web"]


def test_a_folder_to_work_in_is_the_same_with_a_slash_at_its_end() -> None:
    wanted = wish("services: {web: {image: box, working_dir: /srv/}}")
    assert actions(planned(wanted, composed(wanted, definition={"WorkingDir": "/srv"}))) == ADOPTED


def test_a_namespace_may_be_shared_by_the_name_of_its_host() -> None:
    wanted = wish(
        "services: {vpn: {image: box, container_name: tun}, web: {image: box, network_mode: 'container:tun'}}"
    )
    observed = composed(wanted)
    vpn, web = observed.containers
    named = {**web.definition, "HostConfig": {**web.definition["HostConfig"], "NetworkMode": "container:tun"}}
    observed = replace(observed, containers=(vpn, replace(web, definition=named)))
    assert set(actions(planned(wanted, observed)).values()) == set(ADOPTED.values())


@pytest.mark.parametrize(
    ("live", "version", "differs"),
    [("True", "1.29.2", ""), ("False", "1.29.2", "label on changed"), ("True", "2.26.1", "label on changed")],
)
def test_docker_compose_1_spells_what_is_true_in_its_own_way(live: str, version: str, differs: str) -> None:
    wanted = wish("services: {web: {image: box, labels: {on: true}}}")
    (web,) = composed(wanted).containers
    labels = {**web.labels, "on": live, "com.docker.compose.version": version}
    web = replace(web, labels=labels, definition={**web.definition, "Labels": labels})
    plan = planned(wanted, replace(composed(wanted), containers=(web,)))
    assert actions(plan) == (ADOPTED if not differs else {"app/web": f"replace: {differs}"})


def test_a_fixed_address_that_git_does_not_want_is_given_up_without_a_restart() -> None:
    wanted = wish(WEB)
    endpoint = {"app_default": {"Aliases": ["web"], "IPAMConfig": {"IPv4Address": "10.1.0.9"}}}
    plan = planned(wanted, composed(wanted, definition={"NetworkingConfig": {"EndpointsConfig": endpoint}}))
    assert actions(plan) == {"app/web": "update: another address on app_default"}


def test_an_entrypoint_of_its_own_needs_no_command_of_the_image() -> None:
    wanted = wish("services: {web: {image: box, entrypoint: [run]}}")
    assert actions(planned(wanted, composed(wanted), {image_id("box"): {"Cmd": ["sleep"]}})) == ADOPTED


def test_a_name_that_compose_chose_stays_until_there_is_another_reason() -> None:
    wanted = wish(WEB)
    assert actions(planned(wanted, composed(wanted, name="app_web_1"))) == ADOPTED
    named = wish("services: {web: {image: box, container_name: www}}")
    reasons = actions(planned(named, composed(named, name="app_web_1")))
    assert reasons == {"app/web": "replace: name app_web_1 -> www"}


def test_an_image_of_docker_compose_1_is_known_by_its_old_name() -> None:
    files = {"stacks/app/src/Dockerfile": "FROM box\n"}
    wanted = wish("services: {web: {build: ./src}}", files)
    observed = composed(wanted, image="app_web", definition={"Image": "app_web"})
    observed = replace(observed, images=(Image(image_id("app-web"), ("app_web:latest",)),))
    plan = planned(wanted, observed)
    assert actions(plan) == ADOPTED
    assert not plan.images, "it is not built again before its context changes"


def test_a_stopped_one_is_started_and_a_policy_is_set_in_place() -> None:
    wanted = wish("services: {web: {image: box, restart: always}}")
    stopped = planned(wanted, composed(wanted, state="exited"))
    assert actions(stopped) == {"app/web": "start: stopped (exit code 0)"}
    host = {**wanted.fulfilled().containers[0].definition["HostConfig"], "RestartPolicy": {"Name": "no"}}
    loose = planned(wanted, composed(wanted, definition={"HostConfig": host}))
    assert actions(loose) == {"app/web": "update: restart policy no -> always"}


@pytest.mark.parametrize(
    ("network", "live", "differs"),
    [
        ("", {"Driver": "bridge", "Options": {"x": "y"}}, ""),
        ("internal: true", {"Driver": "bridge"}, "internal False -> True"),
        ("driver: macvlan", {"Driver": "bridge"}, "driver bridge -> macvlan"),
        ("driver_opts: {a: b}", {"Driver": "bridge", "Options": {}}, "a None -> b"),
        ("ipam: {config: [{subnet: 10.1.0.0/24}]}", {"Driver": "bridge"}, "subnet 10.1.0.0/24 added"),
    ],
)
def test_a_network_of_compose_is_taken_over_or_made_anew(network: str, live: dict[str, Any], differs: str) -> None:
    wanted = wish(f"services: {{web: {{image: box, networks: [n]}}}}\nnetworks: {{n: {{{network}}}}}")
    observed = composed(wanted)
    observed = replace(observed, networks=tuple(replace(n, definition=live) for n in observed.networks))
    assert [step.reason for step in planned(wanted, observed).networks] == ([differs] if differs else [])


def test_what_was_adopted_is_ours_from_then_on() -> None:
    wanted = wish(WEB)
    observed = composed(wanted)
    welcome = welcomed(observed, wanted.wants, wanted.desired, {})
    known = remembered(Adopted(), wanted.plan(welcome), welcome)
    assert wanted.plan(claimed(observed, known, OWNER)).empty

    changed = wish("services: {web: {image: box, user: root}}")
    reasons = actions(changed.plan(claimed(observed, known, OWNER)))
    assert reasons == {"app/web": "replace: user unset -> root"}
    gone = wish("services: {other: {image: box}}")
    assert actions(gone.plan(claimed(observed, known, OWNER)))["app/web"] == "remove: service is gone from git"


def test_one_that_is_to_be_replaced_is_ours_before_it_is_touched() -> None:
    wanted = wish(WEB)
    welcome = welcomed(composed(wanted, definition={"User": "root"}), wanted.wants, wanted.desired, {})
    (adoption,) = remembered(Adopted(), wanted.plan(welcome), welcome).containers.values()
    assert adoption == Adoption("", wanted.desired.revision)


def test_a_kept_container_without_a_memory_of_it_is_ours() -> None:
    wanted = wish(WEB)
    observed = composed(wanted, name="app-web-1.kept-run")
    (kept,) = claimed(observed, Adopted(), OWNER).containers
    assert (kept.owner, kept.adopted) == (OWNER, True)


def test_what_is_gone_is_forgotten() -> None:
    wanted = wish(WEB)
    known = Adopted({"gone": Adoption("v1:x", "r")}, frozenset({"net-gone"}))
    assert remembered(known, wanted.plan(wanted.fulfilled()), wanted.fulfilled()) == Adopted()


def test_what_only_a_blocked_revision_wanted_is_let_go_with_its_network() -> None:
    wanted, base = wish({"app": WEB, "late": WEB}), wish(WEB)
    known = Adopted({"id-late/web": Adoption("v1:x", "b" * 40)}, frozenset({"net-late_default"}))
    observed = claimed(composed(wanted), known, OWNER)
    kept = welcomed(observed, base.wants, base.desired, {}, {"b" * 40: "it failed"})
    assert {c.stack: c.owner for c in kept.containers}["late"] == ""
    assert "late/web" not in actions(base.plan(kept))
    removed = welcomed(observed, base.wants, base.desired, {})
    assert actions(base.plan(removed))["late/web"].startswith("remove")


@pytest.mark.parametrize(
    ("old", "new", "holding", "refused"),
    [
        ("/home/ana/data", "/srv/data", {"/home/ana/data"}, True),
        ("/home/ana/data", "/srv/data", {"/home/ana/data", "/srv/data"}, False),
        ("/home/ana/data", "/srv/data", set(), False),
        ("/srv/data", "/srv/data", {"/srv/data"}, False),
        ("data", "/srv/data", set(), False),
    ],
)
def test_a_bind_does_not_leave_its_data_behind(old: str, new: str, holding: set[str], refused: bool) -> None:
    wanted = wish(f"services: {{web: {{image: box, volumes: ['{new}:/data']}}}}")
    host = {**wanted.fulfilled().containers[0].definition["HostConfig"], "Binds": [f"{old}:/data:rw"]}
    plan = planned(wanted, composed(wanted, definition={"HostConfig": host}))
    found = list(refusals(tuple(moves(wanted.desired, plan, wanted.wants)), holding))
    assert [each.code for each in found] == (["E-GUARD-DATA"] if refused else [])


def test_a_bind_to_what_git_holds_may_move() -> None:
    wanted = wish("services: {web: {image: box, volumes: ['./conf:/conf']}}", {"stacks/app/conf/a": "x"})
    host = {**wanted.fulfilled().containers[0].definition["HostConfig"], "Binds": ["/home/ana/conf:/conf:rw"]}
    plan = planned(wanted, composed(wanted, definition={"HostConfig": host}))
    assert plan.steps[0].starts_new
    assert not list(moves(wanted.desired, plan, wanted.wants))
