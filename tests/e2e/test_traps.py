"""Docker's own traps: names, ports, addresses, namespaces and volumes that only one container can have at a time."""

from __future__ import annotations

import socket
import time

import pytest

from tests.support.host import Host, free_port

pytestmark = pytest.mark.engine


# Names


def test_a_name_that_a_foreign_container_has_is_refused_and_nothing_touched(host: Host) -> None:
    host.push(app="services: {web: {image: 'test/box:1'}}")
    host.converge()
    host.engine.cli("run", "-d", "--name", "mine", "test/box:1")
    host.push(app="services: {web: {image: 'test/box:2'}, db: {image: 'test/box:1', container_name: mine}}")

    with host.quiet():
        ran = host.converge(code=1)

    assert ran.error["code"] == "E-GUARD-NAME-TAKEN"
    assert "mine" in ran.error["what"] and "docker rename" in ran.error["next"]


def test_names_move_between_services_in_git(host: Host) -> None:
    host.push(
        app="""
        services:
          a: {image: 'test/box:1', container_name: first}
          b: {image: 'test/box:1', container_name: second, depends_on: [a]}
          c: {image: 'test/box:1', container_name: third}
        """
    )
    host.converge()
    host.push(
        app="""
        services:
          a: {image: 'test/box:1', container_name: second}
          b: {image: 'test/box:1', container_name: first, depends_on: [a]}
          d: {image: 'test/box:1', container_name: third}
        """
    )
    host.converge()

    services = {n: c["Config"]["Labels"]["com.docker.compose.service"] for n, c in host.containers().items()}
    assert services == {"first": "b", "second": "a", "third": "d"}
    host.settled()


def test_a_failed_change_of_names_is_taken_back(host: Host) -> None:
    host.push(app="services: {a: {image: 'test/box:1', container_name: first}, b: {image: 'test/box:1'}}")
    host.converge()
    before = {name: seen[0] for name, seen in host.started().items()}
    host.push(
        app="services: {a: {image: 'test/box:1'}, b: {image: 'test/box:1', container_name: first, command: 'false'}}"
    )

    host.converge(code=4)

    assert {name: seen[0] for name, seen in host.started().items()} == before
    assert all(seen[1] == "running" for seen in host.started().values())
    host.settled()


def test_a_container_renamed_by_hand_gets_its_name_back(host: Host) -> None:
    host.push(app="services: {web: {image: 'test/box:1'}, db: {image: 'test/box:1'}}")
    host.converge()
    host.engine.cli("rename", "app-web-1", "other")

    assert host.plan() == {"app/web": "replace: name other -> app-web-1"}
    with host.moves():
        host.converge()
    assert set(host.containers()) == {"app-web-1", "app-db-1"}
    host.settled()


def test_names_that_look_like_ours_are_refused(host: Host) -> None:
    host.push(app="services: {web: {image: 'test/box:1', container_name: 'site.new-1'}}")

    assert "container_name" in host.converge(code=78).error["what"]


def test_long_names_are_fine(host: Host) -> None:
    name = "a-stack-whose-name-is-rather-long-for-what-it-does"
    host.push(**{name: "services: {a-service-with-a-name-that-is-longer-than-it-should-be: {image: 'test/box:1'}}"})
    host.converge()
    host.push(**{name: "services: {a-service-with-a-name-that-is-longer-than-it-should-be: {image: 'test/box:2'}}"})
    host.converge()
    host.settled()


# Volumes


def test_anonymous_volumes_carry_their_data_over_a_replacement(host: Host) -> None:
    host.push(
        {"app/img/Dockerfile": "FROM test/box:1\nVOLUME /from-image\n"},
        app="services: {web: {build: ./img, volumes: [/data]}}",
    )
    host.converge()
    host.sh("app-web-1", "echo kept > /data/file; echo too > /from-image/file")

    for generation in "1", "2":
        host.push(app=f"services: {{web: {{build: ./img, volumes: [/data], environment: {{A: '{generation}'}}}}}}")
        with host.moves("app-web-1"):
            host.converge()
        assert host.sh("app-web-1", "cat /data/file /from-image/file") == "kept\ntoo"
    host.settled()


def test_an_anonymous_volume_stays_when_its_service_goes(host: Host) -> None:
    both = "{image: 'test/box:1', command: sleep 1000, stop_signal: KILL, volumes: [/data]}"
    host.push(app=f"services: {{web: {both}, db: {both}}}")
    host.converge()
    before = host.engine.cli("volume", "ls", "-q").split()
    host.push(app=f"services: {{web: {both}}}")
    host.converge()
    assert set(host.containers()) == {"app-web-1"}
    assert host.engine.cli("volume", "ls", "-q").split() == before and len(before) == 2


def test_a_changed_volume_is_refused(host: Host) -> None:
    compose = (
        "services: {{web: {{image: 'test/box:1', volumes: ['data:/data']}}}}\nvolumes: {{data: {{labels: {{a: {}}}}}}}"
    )
    host.push(app=compose.format("one"))
    host.converge()
    host.push(app=compose.format("two"))

    with host.quiet():
        assert host.converge(code=1).error["code"] == "E-GUARD-VOLUME"


# Namespaces


def test_who_shares_a_namespace_follows_its_host(host: Host) -> None:
    compose = """
        services:
          gateway: {{image: 'test/box:1', ipc: shareable, environment: {{A: '{0}'}}}}
          client: {{image: 'test/box:1', command: sleep 1000, network_mode: 'service:gateway'}}
          watcher: {{image: 'test/box:1', command: sleep 1000, pid: 'service:gateway'}}
          writer: {{image: 'test/box:1', command: sleep 1000, ipc: 'service:gateway'}}
          other: {{image: 'test/box:1'}}
        """
    host.push(app=compose.format("1"))
    host.converge()
    host.push(app=compose.format("2"))

    with host.moves("app-gateway-1", "app-client-1", "app-watcher-1", "app-writer-1"):
        ran = host.converge()

    assert "shares a namespace of gateway" in ran.reasons["app/client"]
    assert "image" in host.sh("app-client-1", "wget -q -O - http://127.0.0.1/ 2>&1 || echo image: 404")
    assert "httpd" in host.sh("app-watcher-1", "ps")
    host.settled()

    host.engine.cli("restart", "-t", "0", "app-gateway-1")
    host.heals({"app/client": "which was restarted", "app/watcher": "stopped", "app/writer": "which was restarted"})
    assert "404" in host.sh("app-client-1", "wget -q -O - http://127.0.0.1/ 2>&1 || true")


# Jobs


def test_a_job_that_is_done_is_not_run_again_until_it_changes(host: Host) -> None:
    compose = """
        services:
          job: {{image: 'test/box:1', command: "sh -c 'echo ran >> /out/log; exit {0}'", volumes: ['out:/out']}}
          web:
            image: test/box:1
            volumes: ['out:/out']
            depends_on: {{job: {{condition: service_completed_successfully}}}}
        volumes: {{out: }}
        """
    host.push(app=compose.format("0"))
    host.converge()
    host.settled()
    assert host.sh("app-web-1", "cat /out/log") == "ran"

    host.push(app=compose.format("0 # again"))
    with host.moves("app-job-1"):
        host.converge()
    assert host.sh("app-web-1", "cat /out/log") == "ran\nran"
    host.settled()

    host.push(app=compose.format("3"))
    ran = host.converge(code=4)
    assert "app/job: it exited with code 3" in ran.error["what"]
    assert ran.data["outcome"] == "rolled-back"
    host.settled()


def test_a_job_that_fails_at_the_first_deploy_says_so(host: Host) -> None:
    host.push(
        app="""
        services:
          job: {image: 'test/box:1', command: "sh -c 'echo no luck; exit 3'", x-reconciler: {job: true}}
          web: {image: 'test/box:1'}
        """
    )
    ran = host.converge(code=1)

    assert "app/job: it exited with code 3" in ran.error["what"] and "no luck" in ran.error["why"]
    assert ran.data["outcome"] == "failed"


# Files


def test_a_mounted_file_that_changed_replaces_its_service_alone(host: Host) -> None:
    host.push(
        {"app/conf/web.conf": "one\n", "app/conf/db.conf": "one\n"},
        app="""
        services:
          web: {image: 'test/box:1', volumes: ['./conf/web.conf:/etc/web.conf:ro']}
          db: {image: 'test/box:1', volumes: ['./conf/db.conf:/etc/db.conf:ro']}
        """,
    )
    host.converge()
    host.push({"app/conf/web.conf": "two\n", "app/conf/unused": "x"})

    with host.moves("app-web-1"):
        ran = host.converge()

    assert "conf/web.conf changed in" in ran.reasons["app/web"]
    assert host.sh("app-web-1", "cat /etc/web.conf") == "two"
    host.settled()


# Ports and addresses


def test_a_port_moves_between_services_and_stacks(host: Host) -> None:
    port, other = free_port(), free_port()
    host.push(
        app=f"""
        services:
          a: {{image: 'test/box:1', ports: ['{port}:80'], depends_on: [b]}}
          b: {{image: 'test/box:1', ports: ['{other}:80']}}
        """
    )
    host.converge()
    host.push(
        app=f"""
        services:
          a: {{image: 'test/box:1', ports: ['{other}:80'], depends_on: [b]}}
          b: {{image: 'test/box:1', ports: ['{port}:80']}}
        """
    )
    host.converge()
    assert _published(host, "app-a-1") == str(other) and _published(host, "app-b-1") == str(port)
    host.settled()

    # From a service, and then from a whole stack, that is gone.
    host.push(app=f"services: {{c: {{image: 'test/box:1', ports: ['{port}:80']}}}}")
    host.converge()
    host.push(app=None, new=f"services: {{d: {{image: 'test/box:1', ports: ['{port}:80']}}}}")
    host.converge()
    assert _published(host, "new-d-1") == str(port)
    host.settled()


def _published(host: Host, name: str) -> str:
    return str(host.inspect(name)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"])


def test_a_port_that_something_else_holds_is_named_and_the_old_state_kept(host: Host) -> None:
    host.push(app="services: {web: {image: 'test/box:1'}}")
    host.converge()
    before = host.started()["app-web-1"][0]

    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        host.push(app=f"services: {{web: {{image: 'test/box:1', ports: ['{port}:80']}}}}")
        ran = host.converge(code=4)
        assert ran.error["code"] == "E-DOCKER-PORT"
        assert str(port) in ran.error["what"] + ran.error["why"] and "app/web" in ran.error["what"]
        assert host.started()["app-web-1"][:2] == (before, "running")
        host.settled()  # and it does not flap at every tick


def test_a_static_address_is_free_in_time_and_can_be_swapped(host: Host) -> None:
    compose = """
        services:
          a: {{image: 'test/box:{0}', networks: {{net: {{ipv4_address: {3}.{1}}}}}}}
          b: {{image: 'test/box:{0}', networks: {{default: , net: {{ipv4_address: {3}.{2}}}}}, depends_on: [a]}}
        networks: {{net: {{ipam: {{config: [{{subnet: {3}.0/24}}]}}}}}}
        """
    for image, a, b in ("1", 10, 11), ("2", 10, 11), ("2", 11, 10):
        host.push(app=compose.format(image, a, b, host.subnet(1)))
        host.converge()
        assert _address(host, "app-a-1") == f"{host.subnet(1)}.{a}"
        assert _address(host, "app-b-1") == f"{host.subnet(1)}.{b}"
    host.settled()


def _address(host: Host, name: str, network: str = "app_net") -> str:
    return str(host.inspect(name)["NetworkSettings"]["Networks"][network]["IPAddress"])


# Networks


def test_a_network_that_changed_takes_its_containers_along_and_back(host: Host) -> None:
    compose = """
        services:
          a: {{image: 'test/box:1', networks: {{net: {{ipv4_address: {0}.9}}}}}}
          b: {{image: 'test/box:1', networks: [net], command: {1}}}
          c: {{image: 'test/box:1'}}
        networks: {{net: {{ipam: {{config: [{{subnet: {0}.0/24}}]}}}}}}
        """
    host.push(app=compose.format(host.subnet(2), "sleep 1000"))
    host.converge()
    host.push(app=compose.format(host.subnet(3), "sleep 1000"))
    with host.moves("app-a-1", "app-b-1"):
        host.converge()
    assert _address(host, "app-a-1") == f"{host.subnet(3)}.9"
    host.settled()

    before = {name: seen[0] for name, seen in host.started().items()}
    host.push(app=compose.format(host.subnet(4), "/no/such/program"))
    host.converge(code=4)
    assert {name: seen[0] for name, seen in host.started().items()} == before
    assert all(seen[1] == "running" for seen in host.started().values())
    assert _address(host, "app-a-1") == f"{host.subnet(3)}.9"
    assert host.sh("app-b-1", "timeout 5 wget -q -O - http://a/ 2>&1 || true").count("404")
    host.settled()


# In place, and side by side


def test_a_restart_policy_is_changed_without_a_restart(host: Host) -> None:
    host.push(app="services: {web: {image: 'test/box:1', restart: always}}")
    host.converge()
    host.push(app="services: {web: {image: 'test/box:1', restart: 'on-failure:3'}}")

    with host.moves():
        assert host.converge().reasons == {"app/web": "update: restart policy always -> on-failure"}

    assert host.inspect("app-web-1")["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    host.settled()


def test_replicas_go_down_and_up(host: Host) -> None:
    for count in 3, 1, 2:
        host.push(app=f"services: {{web: {{image: 'test/box:1', deploy: {{replicas: {count}}}}}}}")
        with host.moves():
            host.converge()
        assert set(host.containers()) == {f"app-web-{n + 1}" for n in range(count)}
    host.settled()


def test_start_first_overlaps_and_fails_without_a_gap(host: Host) -> None:
    compose = """
        services:
          web:
            image: test/box:1
            command: {0}
            healthcheck: {{test: [CMD, test, -e, /ok], interval: 200ms, retries: 2}}
            deploy: {{update_config: {{order: start-first}}}}
        """
    host.push(app=compose.format("sh -c 'touch /ok; sleep 1000'"))
    host.converge()
    old = host.started()["app-web-1"]

    host.push(app=compose.format("sleep 1000"))
    host.converge(code=4)
    assert host.started() == {"app-web-1": old}
    host.settled()

    host.push(app=compose.format("sh -c 'touch /ok; sleep 2000'"))
    since = time.time()
    host.converge()
    new = host.started()["app-web-1"]
    events = host.engine.events(since)
    began = next(i for i, line in enumerate(events) if f" start {new[0]}" in line)
    ended = next(i for i, line in enumerate(events) if f" die {old[0]}" in line)
    assert began < ended
    host.settled()


# Builds


def test_a_build_is_made_again_only_when_its_context_changes(host: Host) -> None:
    files = {
        "app/img/Dockerfile": "FROM test/box:1\nCOPY page /page\n",
        "app/img/.dockerignore": "notes\n",
        "app/img/page": "one\n",
        "app/img/notes": "a",
    }
    host.push(files, app="services: {web: {build: ./img}, db: {image: 'test/box:1'}}")
    host.converge()
    first = host.inspect("app-web-1")["Image"]

    host.push({"app/img/notes": "b", "app/beside": "c"})
    with host.quiet():
        host.converge()

    host.push({"app/img/page": "two\n"})
    with host.moves("app-web-1"):
        host.converge()
    assert host.sh("app-web-1", "cat /page") == "two"

    host.push({"app/img/page": "one\n"})
    with host.moves("app-web-1"):
        ran = host.converge()
    assert host.inspect("app-web-1")["Image"] == first
    assert "tagging the image" in ran.stdout
    host.settled()
