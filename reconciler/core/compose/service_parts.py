"""The smaller keys of a service, each from a positioned value to its model value."""

from __future__ import annotations

import re
import shlex

from reconciler.core.compose import keys, read
from reconciler.core.compose.problems import bad_value, check_keys, fail, show, unsupported, want_map, want_seq
from reconciler.core.compose.values import pull_interval
from reconciler.core.document import Map, Seq
from reconciler.model.desired import Attachment, Dependency, Device, Healthcheck, Logging, Pairs, RestartPolicy, Ulimit
from reconciler.model.observed import is_kept, is_made

_ON_FAILURE = re.compile(r"on-failure(?::([0-9]{1,9}))?")
_CONTAINER_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_EXPOSE = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(/(tcp|udp|sctp))?")
_CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")
_PULL_POLICIES = {
    "always": "always",
    "missing": "missing",
    "if_not_present": "missing",
    "never": "never",
    "build": "build",
}


def words(holder: Map, key: str) -> tuple[str, ...]:
    """A command: a list as it stands, text split as a shell splits it."""
    if isinstance(holder[key], Seq):
        return read.strings(holder, key)
    line = read.text(holder, key)
    try:
        return tuple(read.keep_seal(line, word) for word in shlex.split(line))
    except ValueError:
        bad_value(holder.at(key), key, line, "a command: a quote is never closed")


def restart(holder: Map, key: str) -> RestartPolicy:
    value = holder[key]
    if value is False:
        return RestartPolicy("no")
    if value in ("no", "always", "unless-stopped"):
        return RestartPolicy(str(value))
    found = _ON_FAILURE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        bad_value(holder.at(key), key, value, "one of no, always, unless-stopped, on-failure[:N]")
    return RestartPolicy("on-failure", int(found[1] or 0))


def container_name(holder: Map, key: str) -> str:
    name = read.text(holder, key)
    if not _CONTAINER_NAME.fullmatch(name):
        bad_value(holder.at(key), key, name, "a container name (letters, digits, _ . -, two at least)")
    if is_made(name) or is_kept(name):
        why = "a container that is being replaced has such a name; this one would be taken for what a pass left behind"
        fail("E-COMPOSE-VALUE", f"container_name {show(name)} is one of reconciler's own", holder.at(key), why=why)
    return name


def expose(holder: Map, key: str) -> tuple[str, ...]:
    found = read.spelled_list(holder, key)
    for index, port in enumerate(found):
        if not _EXPOSE.fullmatch(port):
            bad_value(holder[key].at(index), key, port, "a port such as 80, 8000-8010 or 53/udp")
    return tuple(dict.fromkeys(found))


def pull_policy(holder: Map, key: str) -> str:
    """`daily`, `weekly` and `every_<duration>` stay as they are written."""
    value = read.text(holder, key)
    if value == "refresh":
        unsupported(holder.at(key), f"the pull policy {value}", "use daily, weekly or every_12h")
    if value in ("daily", "weekly") or (value.startswith("every_") and pull_interval(value)):
        return value
    return _PULL_POLICIES[read.choice(holder, key, tuple(_PULL_POLICIES))]


def healthcheck(holder: Map, key: str) -> Healthcheck:
    given = want_map(holder[key], holder.at(key), key)
    check_keys(given, keys.HEALTHCHECK, key, keys.HEALTHCHECK_REFUSED)
    if given.get("disable") is not None and read.boolean(given, "disable"):
        return Healthcheck(("NONE",))
    seconds = {
        name: read.duration(given, name)
        for name in ("interval", "timeout", "start_period")
        if given.get(name) is not None
    }
    retries = read.whole(given, "retries") if given.get("retries") is not None else 0
    return Healthcheck(_test(given) if given.get("test") is not None else (), retries=retries, **seconds)


def _test(given: Map) -> tuple[str, ...]:
    if isinstance(given["test"], str):
        return ("CMD-SHELL", read.filled(given, "test"))
    test = read.strings(given, "test")
    if test and test[0] == "NONE":
        return ("NONE",)
    if len(test) < 2 or test[0] not in ("CMD", "CMD-SHELL"):
        bad_value(given.at("test"), "test", given["test"], "text, or a list that begins with CMD, CMD-SHELL or NONE")
    return test


def depends_on(holder: Map, key: str) -> tuple[Dependency, ...]:
    if isinstance(holder[key], Seq):
        return tuple(Dependency(name) for name in read.unique_strings(holder, key))
    given = want_map(holder[key], holder.at(key), key)
    return tuple(_dependency(given, name) for name in given)


def _dependency(given: Map, name: str) -> Dependency:
    wanted = want_map(given[name], given.at(name), name)
    check_keys(wanted, keys.DEPENDS_ON, "depends_on")
    condition = read.choice(wanted, "condition", _CONDITIONS) if "condition" in wanted else _CONDITIONS[0]
    return Dependency(
        name,
        condition,  # type: ignore[arg-type]  # one of _CONDITIONS
        read.boolean(wanted, "restart") if "restart" in wanted else False,
        read.boolean(wanted, "required") if "required" in wanted else True,
    )


def networks(holder: Map, key: str) -> tuple[Attachment, ...]:
    if isinstance(holder[key], Seq):
        return tuple(Attachment(name) for name in read.unique_strings(holder, key))
    given = want_map(holder[key], holder.at(key), key)
    return tuple(_attachment(given, name) for name in given)


def _attachment(given: Map, name: str) -> Attachment:
    if given[name] is None:
        return Attachment(name)
    wanted = want_map(given[name], given.at(name), name)
    check_keys(wanted, keys.ATTACHMENT, "networks", keys.ATTACHMENT_REFUSED)
    texts = {
        k: read.text(wanted, k) for k in ("ipv4_address", "ipv6_address", "mac_address") if wanted.get(k) is not None
    }
    lists = {k: read.unique_strings(wanted, k) for k in ("aliases", "link_local_ips") if wanted.get(k) is not None}
    priority = read.whole(wanted, "priority", -(2**31), 2**31) if "priority" in wanted else 0
    return Attachment(name, priority=priority, **texts, **lists)  # type: ignore[arg-type]  # by their names


def devices(holder: Map, key: str) -> tuple[Device, ...]:
    items = want_seq(holder[key], holder.at(key), key)
    return tuple(_device(items, index) for index in range(len(items)))


def _device(items: Seq, index: int) -> Device:
    item, at = items[index], items.at(index)
    if isinstance(item, Map):
        check_keys(item, keys.DEVICE, "devices")
        if "source" not in item:
            fail("E-COMPOSE-VALUE", "a device needs a source", at)
        parts = [read.filled(item, "source")]
        parts.append(read.filled(item, "target") if "target" in item else parts[0])
        parts.append(read.filled(item, "permissions") if "permissions" in item else "rwm")
    else:
        parts = read.filled(items, index).split(":")
    if not parts[0].startswith("/"):
        unsupported(at, "a device that is no path (CDI)", "name a device below /dev")
    if len(parts) == 2 and not parts[1].startswith("/"):
        parts.insert(1, parts[0])
    source, target, permissions = (*parts, *("", "")[: max(0, 3 - len(parts))])[:3]
    if len(parts) > 3 or not re.fullmatch("[rwm]{0,3}", permissions):
        bad_value(at, index, item, "SOURCE[:TARGET[:rwm]]")
    return Device(source, target or source, permissions or "rwm")


def ulimits(holder: Map, key: str) -> tuple[Ulimit, ...]:
    given = want_map(holder[key], holder.at(key), key)
    return tuple(_ulimit(given, name) for name in sorted(given))


def _ulimit(given: Map, name: str) -> Ulimit:
    if not isinstance(given[name], Map):
        value = read.whole(given, name, -1)
        return Ulimit(name, value, value)
    both = given[name]
    check_keys(both, keys.ULIMIT, "ulimits")
    if "soft" not in both or "hard" not in both:
        fail("E-COMPOSE-VALUE", f"the ulimit {name} needs soft and hard", both.position)
    return Ulimit(name, read.whole(both, "soft", -1), read.whole(both, "hard", -1))


def logging(holder: Map, key: str) -> Logging:
    given = want_map(holder[key], holder.at(key), key)
    check_keys(given, keys.LOGGING, key)
    driver = read.text(given, "driver") if given.get("driver") is not None else ""
    return Logging(driver, read.mapping_pairs(given, "options") if given.get("options") is not None else ())


def extra_hosts(holder: Map, key: str) -> Pairs:
    given = holder[key]
    found: list[tuple[str, str]] = []
    if isinstance(given, Map):
        for name in given:
            addresses = read.strings(given, name) if isinstance(given[name], Seq) else (read.filled(given, name),)
            found.extend((name, address) for address in addresses)
    else:
        for index, entry in enumerate(read.strings(holder, key)):
            name, sign, address = entry.partition("=" if "=" in entry else ":")
            if not (name and sign and address):
                bad_value(given.at(index), index, given[index], "HOST=ADDRESS")
            found.append((name.strip(), address.strip()))
    bare = ((n, a[1:-1] if a.startswith("[") and a.endswith("]") else a) for n, a in found)
    return tuple(sorted(dict.fromkeys(bare)))
