"""What is as much as being root on the host, besides privileged and the socket; and ports that two stacks want."""

from __future__ import annotations

import pytest

from tests.support.guard import refusal, service

SECCOMP = 'security_opt: ["seccomp=unconfined"]'


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ("privileged: true", "is privileged"),
        ("cap_add: [ALL]", "ALL"),
        ("cap_add: [CAP_SYS_ADMIN]", "SYS_ADMIN"),
        ("cap_add: [NET_ADMIN, sys_module]", "SYS_MODULE"),
        ("cap_add: [cap_sys_ptrace]", "SYS_PTRACE"),
        ("cap_add: [SYS_RAWIO]", "SYS_RAWIO"),
        ("cap_add: [DAC_READ_SEARCH]", "DAC_READ_SEARCH"),
        ("cap_add: [Bpf]", "BPF"),
        ("pid: host", "pid: host"),
        ('security_opt: ["seccomp=unconfined"]', "seccomp=unconfined"),
        ('security_opt: ["seccomp:unconfined"]', "seccomp=unconfined"),
        ('security_opt: ["apparmor=unconfined"]', "apparmor=unconfined"),
        ('security_opt: ["apparmor:unconfined"]', "apparmor=unconfined"),
        ('security_opt: ["label:disable"]', "label=disable"),
        ('security_opt: ["label=type:spc_t"]', "label=type:spc_t"),
        ('security_opt: ["systempaths=unconfined"]', "systempaths=unconfined"),
        ("runtime: mine", "another runtime (mine)"),
        ("userns_mode: host", "userns_mode: host"),
        *(
            (f"device_cgroup_rules: ['{rule}']", rule)
            for rule in ("a *:* rwm", "b 8:0 r", "b 254:* m", "c *:* r", "c 1:1 r", "c 1:* r", "c 10:* rwm", "c 21:0 r")
        ),
        *(
            (f"devices: ['{path}:/dev/x:r']", path)
            for path in (
                "/dev/sda",
                "/dev/sdb1",
                "/dev/nvme0",
                "/dev/nvme0n1p2",
                "/dev/vda",
                "/dev/xvda1",
                "/dev/mmcblk0",
                "/dev/dm-0",
                "/dev/mapper/root",
                "/dev/mapper",
                "/dev/mem",
                "/dev/kmem",
                "/dev/port",
                "/dev/kmsg",
                "/dev/loop0",
                "/dev/loop-control",
                "/dev/disk/by-id/x",
                "/dev/sg0",
                "/dev/md0",
                "/dev/shm/x",
                "/dev",
                "/dev/../dev/sda",
                "//dev/sda",
                "/opt/fleet/stacks/app/data/node",
            )
        ),
    ],
)
def test_each_power_is_named_and_needs_the_hosts_trust(body: str, names: str) -> None:
    found = refusal(service(body))

    assert found is not None
    assert found.code == "E-GUARD-PRIVILEGED"
    assert names in found.what
    assert '"app" to trust.allow_privileged' in found.next
    assert refusal(service(body), allow_privileged=("app",)) is None


def test_a_device_counts_where_it_leads() -> None:
    text = service("devices: ['/dev/backup:/dev/x']")

    for real in ("/dev/sda", "/opt/node"):
        found = refusal(text, links={"/dev/backup": real})
        assert found is not None
        assert real in found.what
    assert refusal(text, links={"/dev/backup": "/dev/ttyUSB0"}) is None


@pytest.mark.parametrize(
    "body",
    [
        "cap_add: [NET_ADMIN, NET_RAW, SYS_NICE, SYS_TIME, CHOWN]",
        "cap_drop: [ALL]",
        "network_mode: host",
        "ipc: host",
        "gpus: all",
        "runtime: nvidia",
        "device_cgroup_rules: ['c 188:* rmw', 'c 189:3 r', 'c 226:128 rw', 'c 10:200 rwm', 'c 1:3 r']",
        "uts: host",
        "cgroup: host",
        "cgroup_parent: /x",
        "oom_kill_disable: true",
        "oom_score_adj: -1000",
        'security_opt: ["no-new-privileges:true", "seccomp=builtin", "label=type:svirt_t", "apparmor=docker-default"]',
        *(
            f"devices: ['{path}']"
            for path in (
                "/dev/dri",
                "/dev/dri/renderD128",
                "/dev/net/tun",
                "/dev/ttyUSB0",
                "/dev/ttyACM0",
                "/dev/serial/by-id/x",
                "/dev/snd",
                "/dev/null",
                "/dev/fuse",
                "/dev/kvm",
                "/dev/bus/usb",
                "/dev/video0",
                "/dev/sr0",
                "/dev/sgx_enclave",
            )
        ),
    ],
)
def test_what_is_harmless_stays_allowed(body: str) -> None:
    assert refusal(service(body)) is None


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("80:80", "80:80", True),
        ("80:80", "0.0.0.0:80:80", True),
        ("80:80", "[::]:80:80", True),
        ("80:80", "127.0.0.1:80:80", True),
        ("80:80", "[::1]:80:80", True),
        ("0.0.0.0:80:80", "127.0.0.1:80:80", True),
        ("[::]:80:80", "[::1]:80:80", True),
        ("[0::0]:80:80", "[::1]:80:80", True),
        ("[0:0::1]:80:80", "[::1]:80:80", True),
        ("127.0.0.1:80:80", "127.0.0.1:80:81", True),
        ("8000-8002:80-82", "8001:80", True),
        ("127.0.0.1:80:80", "127.0.0.2:80:80", False),
        ("0.0.0.0:80:80", "[::]:80:80", False),  # what the engine binds for "80:80"
        ("0.0.0.0:80:80", "[::1]:80:80", False),
        ("80:80", "80:80/udp", False),
        ("80:80", "81:80", False),
        ("80", "80", False),
        ("8000-8010:80", "8000-8010:80", False),  # the engine takes a free one
    ],
)
def test_two_stacks_clash_over_a_port_as_they_would_on_the_engine(one: str, other: str, clash: bool) -> None:
    texts = [service(f"ports: ['{port}']") for port in (one, other)]

    for pair in (texts, texts[::-1]):
        found = refusal(*pair)
        assert (found.code if found else "") == ("E-GUARD-PORT-TWICE" if clash else "")
