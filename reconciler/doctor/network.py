"""How far a connection to a machine comes, and what network there is here."""

from __future__ import annotations

import errno
import ipaddress
import socket
from pathlib import Path

from reconciler.core.diagnosis.network import Link, NetworkFacts, Reach

_UP = 0x1  # IFF_UP of netdevice(7)
_REACHES: dict[int, Reach] = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "silent",
    errno.EHOSTUNREACH: "no route",
    errno.ENETUNREACH: "no route",
    errno.ENETDOWN: "no route",
    errno.EADDRNOTAVAIL: "no route",
    errno.ECONNRESET: "reset",
}


def probe_network(host: str, port: int, deadline: float) -> NetworkFacts:
    """One connection, closed at once."""
    reach, why = _reach(host, port, deadline)
    return NetworkFacts(host, port, reach, why, _near(host), _routed(), links())


def _reach(host: str, port: int, deadline: float) -> tuple[Reach, str]:
    try:
        with socket.create_connection((host, port), deadline):
            return "", ""
    except socket.gaierror as error:
        return "name", error.strerror or str(error)
    except TimeoutError as error:
        return "silent", str(error)
    except OSError as error:
        return _REACHES.get(error.errno or 0, "silent"), error.strerror or str(error)


def _near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _routed() -> bool:
    """Whether there is a default route, IPv4 (destination 0, flag up) or IPv6 (prefix length 0, not to nowhere)."""
    four = [line.split() for line in _lines("/proc/net/route")[1:]]
    six = [line.split() for line in _lines("/proc/net/ipv6_route")]
    return any(row[1] == "00000000" and row[7] == "00000000" for row in four) or any(
        row[1] == "00" and row[0] == "0" * 32 and row[9] != "lo" for row in six
    )


def links() -> tuple[Link, ...]:
    """The network interfaces of this machine."""
    names = [line.partition(":")[0].strip() for line in _lines("/proc/net/dev")[2:]]
    return tuple(_link(name) for name in names)


def _link(name: str) -> Link:
    folder = Path("/sys/class/net") / name
    flags = _flags(name)
    return Link(name, bool(flags & _UP), name == "lo", (folder / "device").exists())


def _flags(name: str) -> int:
    """By ioctl rather than /sys, which may belong to another network namespace."""
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            answer = fcntl.ioctl(any_socket, 0x8913, struct.pack("256s", name.encode()[:15]))  # SIOCGIFFLAGS
        except OSError:
            return 0
    return int(struct.unpack("H", answer[16:18])[0])


def _lines(file: str) -> list[str]:
    try:
        return Path(file).read_text().splitlines()
    except OSError:
        return []
