"""One suite over the engine in memory and a real one: what a pass relies on holds for both."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from reconciler.adapters.docker.engine import DockerEngine
from reconciler.adapters.docker.memory import MemoryEngine
from reconciler.errors import ReconcilerError, Terminal, Transient, Unreachable
from reconciler.model import labels
from reconciler.model.desired import IpamPool, Network, Volume
from reconciler.model.observed import Container, Slot
from reconciler.ports import ContainerEngine
from tests.support.engine import Engine
from tests.support.host import free_port, until

OWNER = "fleet/manifests@box"
OURS = {labels.OWNER: OWNER, labels.PROJECT: "app", labels.SERVICE: "web", labels.FINGERPRINT: "v1:abc"}


REAL = [pytest.param(name, marks=pytest.mark.engine) for name in ("docker", "docker by docker-py")]


@pytest.fixture(params=["memory", *REAL])
def docker(request: pytest.FixtureRequest) -> Iterator[ContainerEngine]:
    """An engine with the images test/box:1 and test/box:2, and nothing else."""
    if request.param == "memory":
        yield MemoryEngine(["test/box:1", "test/box:2"])
    else:
        url = request.getfixturevalue("engine").url
        if "docker-py" in request.param:  # as with an engine behind TLS
            url = f"http+{url}"
        with closing(DockerEngine(url)) as docker:
            yield docker


def body(**host: Any) -> dict[str, Any]:
    return {"Image": "test/box:1", "Labels": OURS, "HostConfig": host}


def only(docker: ContainerEngine, container: str) -> Container:
    (found,) = docker.look([container])
    return found


def test_a_container_from_its_making_to_its_end(docker: ContainerEngine) -> None:
    made = docker.create("web", body(RestartPolicy={"Name": "always", "MaximumRetryCount": 0}), "")
    seen = only(docker, made)
    assert (seen.name, seen.state, seen.started_at, seen.running) == ("web", "created", "", False)
    assert (seen.owner, seen.stack, seen.service, seen.number, seen.fingerprint) == (OWNER, "app", "web", 1, "v1:abc")

    docker.start(made)
    docker.start(made)  # it runs already: fine
    first = only(docker, made)
    assert first.running and first.started_at and first.image == "test/box:1"

    docker.update(made, {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}})
    assert only(docker, made).definition["HostConfig"]["RestartPolicy"]["Name"] == "no"
    docker.stop(made, 0)
    docker.stop(made, 0)
    assert only(docker, made).state == "exited"

    docker.rename(made, "web.kept-1")
    docker.start(made)
    again = only(docker, made)
    assert (again.name, again.role) == ("web.kept-1", "kept")
    assert again.started_at > first.started_at

    docker.remove(made)
    docker.remove(made)
    docker.stop(made, None)  # gone is as good as stopped
    assert docker.look([made]) == () and docker.logs(made, 5) == ()


def test_a_list_says_who_is_there_and_no_more(docker: ContainerEngine) -> None:
    made = docker.create("web.new-1", body(), "")
    docker.start(made)
    (seen,) = docker.listed()
    assert (seen.id, seen.name, seen.role, seen.state) == (made, "web.new-1", "new", "running")
    assert (seen.owner, seen.stack, seen.service, seen.fingerprint) == (OWNER, "app", "web", "v1:abc")
    assert not seen.definition and not seen.started_at


def test_everything_is_observed_and_ours_in_full(docker: ContainerEngine) -> None:
    docker.create_network(Network("net", "app_net", ipam=(IpamPool("192.168.213.0/24"),)), OURS)
    docker.create_volume(Volume("data", "app_data"), OURS)
    ours = docker.create("web", body() | {"Env": ["A=1"]}, "")
    docker.create("theirs", {"Image": "test/box:2", "HostConfig": {}}, "")

    observed = docker.observe("box", OWNER)

    by_name = {c.name: c for c in observed.containers}
    assert by_name.keys() == {"web", "theirs"} and by_name["web"].id == ours
    assert "A=1" in by_name["web"].definition["Env"] and by_name["theirs"].owner == ""
    network = next(n for n in observed.networks if n.name == "app_net")
    assert (network.owner, network.stack, network.subnets) == (OWNER, "app", ("192.168.213.0/24",))
    volume = next(v for v in observed.volumes if v.name == "app_data")
    assert (volume.owner, volume.fingerprint) == (OWNER, "v1:abc")
    one, two = observed.image("test/box:1"), observed.image("docker.io/test/box:2")
    assert one and two and one.id != two.id and by_name["web"].image_id == one.id
    assert observed.image("test/none:1") is None


def test_what_compose_made_and_nobody_owns_is_observed_in_full(docker: ContainerEngine) -> None:
    theirs = {labels.PROJECT: "app", labels.SERVICE: "web"}
    docker.create_network(Network("net", "app_net", internal=True), {labels.PROJECT: "app"})
    docker.create("app_web_1", {**body(), "Env": ["A=1"], "Labels": theirs}, "")
    docker.create("other", {**body(), "Labels": {**theirs, labels.OWNER: "others"}}, "")

    observed = docker.observe("box", OWNER)

    by_name = {c.name: c for c in observed.containers}
    assert "A=1" in by_name["app_web_1"].definition["Env"] and by_name["app_web_1"].owner == ""
    assert by_name["app_web_1"].slot == Slot("app", "web")
    network = next(n for n in observed.networks if n.name == "app_net")
    assert (network.definition["Driver"], network.definition["Internal"]) == ("bridge", True)


def test_an_image_says_what_its_containers_have_by_themselves(docker: ContainerEngine) -> None:
    image = docker.observe("box", OWNER).image("test/box:1")
    assert image is not None
    configs = docker.image_configs([image.id, "sha256:" + "0" * 64])
    assert configs.keys() == {image.id} and not configs[image.id].get("User")


def test_a_name_is_taken_once(docker: ContainerEngine) -> None:
    first = docker.create("web", body(), "")
    second = docker.create("other", body(), "")

    with pytest.raises(Terminal) as creating:
        docker.create("web", body(), "")
    with pytest.raises(Terminal) as renaming:
        docker.rename(second, "web")

    assert creating.value.code == renaming.value.code == "E-DOCKER-REFUSED"
    docker.remove(first)
    docker.rename(second, "web")


@pytest.mark.parametrize("act", ["start", "rename", "update", "unpause", "connect", "create"])
def test_what_is_not_there_is_said_to_be_gone(docker: ContainerEngine, act: str) -> None:
    missing = "0" * 64
    docker.create_network(Network("net", "app_net"), OURS)
    with pytest.raises(Transient) as gone:
        match act:
            case "start":
                docker.start(missing)
            case "rename":
                docker.rename(missing, "web")
            case "update":
                docker.update(missing, {"RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}})
            case "unpause":
                docker.unpause(missing)
            case "connect":
                docker.connect("app_net", missing, {})
            case _:
                docker.create("web", body() | {"Image": "test/none:1"}, "")
    assert gone.value.code == "E-DOCKER-GONE"


def test_networks_are_joined_left_and_removed(docker: ContainerEngine) -> None:
    one = docker.create_network(Network("one", "app_one"), OURS)
    two = docker.create_network(Network("two", "app_two"), OURS)
    endpoint = {"Aliases": ["web", "www"]}
    made = docker.create(
        "web", body(NetworkMode="app_one") | {"NetworkingConfig": {"EndpointsConfig": {"app_one": endpoint}}}, ""
    )
    docker.connect("app_two", made, {"Aliases": ["second"]})
    docker.start(made)

    seen = only(docker, made)
    assert {name: found[0] for name, found in seen.networks.items()} == {"app_one": one, "app_two": two}
    assert {"web", "www"} <= set(seen.networks["app_one"][1])
    assert "second" in seen.definition["NetworkingConfig"]["EndpointsConfig"]["app_two"]["Aliases"]

    with pytest.raises(ReconcilerError):
        docker.remove_network(two)  # in use
    docker.disconnect("app_two", made)
    docker.disconnect("app_two", "0" * 64)
    docker.remove_network(two)
    docker.remove_network(two)
    assert set(only(docker, made).networks) == {"app_one"}

    with pytest.raises(ReconcilerError):
        docker.create_network(Network("one", "app_one"), OURS)
    docker.stop(made, 0)
    docker.remove_network(one)  # what stands still does not hold it
    with pytest.raises(Transient) as gone:
        docker.start(made)
    assert gone.value.code == "E-DOCKER-GONE"


def test_two_networks_cannot_have_the_same_addresses(docker: ContainerEngine) -> None:
    network = Network("one", "app_one", ipam=(IpamPool("192.168.214.0/24"),))
    made = docker.create_network(network, OURS)
    with pytest.raises(ReconcilerError):
        docker.create_network(replace(network, name="app_two"), OURS)
    docker.remove_network(made)
    docker.create_network(replace(network, name="app_two"), OURS)


def test_a_port_or_an_address_can_be_had_once_at_a_time(docker: ContainerEngine) -> None:
    docker.create_network(Network("net", "app_net", ipam=(IpamPool("192.168.215.0/24"),)), OURS)
    endpoint = {"app_net": {"IPAMConfig": {"IPv4Address": "192.168.215.9"}}}
    addressed = body(NetworkMode="app_net") | {"NetworkingConfig": {"EndpointsConfig": endpoint}}
    published = body(PortBindings={"80/tcp": [{"HostIp": "", "HostPort": str(free_port())}]})
    for request in addressed, published:
        first, second = (docker.create(name, request, "") for name in ("first", "second"))
        docker.start(first)
        with pytest.raises(Terminal) as taken:
            docker.start(second)
        assert taken.value.code == "E-DOCKER-PORT"
        docker.stop(first, 0)
        docker.start(second)
        docker.remove(first)
        docker.remove(second)


def test_only_a_running_container_can_be_joined(docker: ContainerEngine) -> None:
    host = docker.create("host", body(), "")
    guest = docker.create("guest", body(NetworkMode=f"container:{host}") | {"Cmd": ["sleep", "1000"]}, "")

    with pytest.raises(Terminal) as refused:
        docker.start(guest)
    assert refused.value.code == "E-DOCKER-REFUSED"

    docker.start(host)
    docker.start(guest)
    assert only(docker, guest).running and only(docker, guest).networks == {}
    assert only(docker, guest).definition["HostConfig"]["NetworkMode"] == f"container:{host}"


def test_images_are_tagged_and_not_pulled_from_nowhere(docker: ContainerEngine) -> None:
    observed = docker.observe("box", OWNER)
    image = observed.image("test/box:1")
    assert image
    docker.tag(image.id, "test/again:1")
    found = docker.observe("box", OWNER).image("test/again:1")
    assert found and found.id == image.id

    with pytest.raises(Transient) as failed:
        docker.pull("127.0.0.1:9/no/such:1", "", lambda _: None)
    assert failed.value.code == "E-PULL"


def test_every_read_touches_nothing(docker: ContainerEngine) -> None:
    made = docker.create("web", body(), "")
    assert docker.observe("box", OWNER) == docker.observe("box", OWNER)
    assert docker.look([made, "0" * 64]) == docker.look([made])


def test_a_signal_and_a_command_reach_what_runs_and_nothing_else(docker: ContainerEngine) -> None:
    made = docker.create("web", body(), "")
    for attempt in (lambda: docker.signal(made, "SIGHUP"), lambda: docker.exec(made, ["true"], 5)):
        with pytest.raises(Terminal) as standing:
            attempt()
        assert standing.value.code == "E-DOCKER-REFUSED"
    for attempt in (lambda: docker.signal("0" * 64, "SIGHUP"), lambda: docker.exec("0" * 64, ["true"], 5)):
        with pytest.raises(Transient) as gone:
            attempt()
        assert gone.value.code == "E-DOCKER-GONE"

    docker.start(made)
    docker.signal(made, "SIGWINCH")
    assert docker.exec(made, ["true"], 5) == (0, "") and only(docker, made).running


# The real one alone


@pytest.fixture(params=["", "http+"])
def real(request: pytest.FixtureRequest, engine: Engine) -> Iterator[DockerEngine]:
    """By bare HTTP, and by docker-py as with an engine behind TLS."""
    with closing(DockerEngine(f"{request.param}{engine.url}")) as docker:
        yield docker


@pytest.mark.engine
def test_a_signal_reaches_the_first_process(engine: Engine, real: DockerEngine) -> None:
    script = "trap 'touch /told' HUP; touch /ready; while :; do sleep 0.05; done"
    made = engine.cli("run", "-d", "--entrypoint", "sh", "test/box:1", "-c", script)
    exists = "until test -e {}; do sleep 0.05; done"
    assert real.exec(made, ["sh", "-c", exists.format("/ready")], 20) == (0, "")

    real.signal(made, "SIGHUP")

    assert real.exec(made, ["sh", "-c", exists.format("/told")], 20) == (0, "")


@pytest.mark.engine
def test_a_container_that_was_signalled_is_started_again_when_it_ends(engine: Engine, real: DockerEngine) -> None:
    script = "trap 'touch /told' HUP; trap 'exit 1' TERM; touch /ready; while :; do sleep 0.05; done"
    made = engine.cli("run", "-d", "--restart", "always", "--entrypoint", "sh", "test/box:1", "-c", script)
    exists = "until test -e {}; do sleep 0.05; done"
    assert real.exec(made, ["sh", "-c", exists.format("/ready")], 20) == (0, "")
    real.signal(made, "SIGHUP")
    assert real.exec(made, ["sh", "-c", exists.format("/told")], 20) == (0, "")

    real.exec(made, ["kill", "1"], 20)

    until(lambda: only(real, made).restart_count == 1)


@pytest.mark.engine
def test_a_signal_reaches_what_has_no_shell(engine: Engine, real: DockerEngine) -> None:
    script = "trap 'touch /told' HUP; rm /bin/sh; touch /ready; while :; do sleep 0.05; done"
    made = engine.cli("run", "-d", "--entrypoint", "sh", "test/box:1", "-c", script)
    until(lambda: real.exec(made, ["test", "-e", "/ready"], 20)[0] == 0)
    real.signal(made, "SIGHUP")
    until(lambda: real.exec(made, ["test", "-e", "/told"], 20)[0] == 0)


@pytest.mark.engine
def test_a_command_in_a_container_tells_how_it_ended_and_what_it_said(engine: Engine, real: DockerEngine) -> None:
    made = engine.cli("run", "-d", "test/box:1", "sleep", "1000")
    assert real.exec(made, ["sh", "-c", "echo out; echo err >&2; exit 7"], 20) in ((7, "out\nerr\n"), (7, "err\nout\n"))
    code, log = real.exec(made, ["/no/such/program"], 20)
    assert code in (126, 127) and "no such file" in log
    assert real.exec(made, ["sh", "-c", "echo begun; sleep 1000"], 1) == (124, "begun\n")
    code, log = real.exec(made, ["sh", "-c", "yes | head -c 200000; echo the end"], 20)
    assert code == 0 and log.endswith("the end\n") and len(log) == 1 << 16


@pytest.mark.engine
def test_a_long_grace_is_no_timeout(engine: Engine) -> None:
    stubborn = engine.cli(
        "run", "-d", "--entrypoint", "sh", "test/box:1", "-c", "trap '' TERM; sleep 100 & wait; sleep 100"
    )
    with closing(DockerEngine(engine.url, deadline=1)) as docker:
        docker.stop(stubborn, 2.5)
        assert only(docker, stubborn).state == "exited"


@pytest.mark.engine
def test_a_file_that_does_not_exist_is_the_manifests_fault(engine: Engine) -> None:
    mount = {"Type": "bind", "Source": "/no/such/folder", "Target": "/data"}
    with closing(DockerEngine(engine.url)) as docker:
        with pytest.raises(Terminal):
            docker.create("web", body(Mounts=[mount]), "")
        made = docker.create("web", body() | {"Entrypoint": ["/no/such/program"]}, "")
        with pytest.raises(Terminal):
            docker.start(made)


# docker-py leaves the socket that could not connect to the garbage collector, which is called while it is allowed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_engine_that_is_away_is_unreachable() -> None:
    with pytest.raises(Unreachable) as away:
        DockerEngine("unix:///no/such/docker.sock").observe("box", OWNER)
    assert away.value.exit_code == 69
    del away
    gc.collect()
