"""When two published ports are one and the same to the engine."""

from __future__ import annotations

from ipaddress import ip_address

from reconciler.model.desired import Port


def is_fixed(port: Port) -> bool:
    """Whether the manifest names the one port of the host; of a range the engine takes what is free."""
    return bool(port.host_port) and "-" not in port.host_port


def meet(one: str, other: str) -> bool:
    """Whether two host addresses share a socket; "" is every address, the wildcards are all of their family."""
    if not one or not other:
        return True
    first, second = _address(one), _address(other)
    same_family = (":" in first) == (":" in second)
    return first == second or (same_family and not {first, second}.isdisjoint(("0.0.0.0", "::")))  # noqa: S104  # compared with, never bound


def _address(text: str) -> str:
    """In its one short form: `0::0` is `::`."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text
