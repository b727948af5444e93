"""The smaller keys of a service, each from a positioned value to its model value."""

from __future__ import annotations

import re
import shlex

from reconciler.core.compose import keys, read
from reconciler.core.compose.problems import bad_value, check_keys, demand, fail, show, unsupported, want_map, want_seq
from reconciler.core.compose.values import pull_interval
from reconciler.core.document import Map, Seq
from reconciler.core.mistakes import Mistakes, Reader, every
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
    every(_check_exposed, holder[key], range(len(found)))
    return tuple(dict.fromkeys(found))


def _check_exposed(items: Seq, index: int) -> None:
    if not _EXPOSE.fullmatch(read.spelled(items, index)):
        bad_value(items.at(index), "expose", items[index], "a port such as 80, 8000-8010 or 53/udp")


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
    with Mistakes() as mistakes:
        mistakes.of(check_keys, given, keys.HEALTHCHECK, key, keys.HEALTHCHECK_REFUSED)
        if given.get("disable") is not None and mistakes.of(read.boolean, given, "disable"):
            return Healthcheck(("NONE",))
        found = mistakes.given(_HEALTHCHECK, given)
    return Healthcheck(**found)


def _test(given: Map, _key: str) -> tuple[str, ...]:
    if isinstance(given["test"], str):
        return ("CMD-SHELL", read.filled(given, "test"))
    test = read.strings(given, "test")
    if test and test[0] == "NONE":
        return ("NONE",)
    if len(test) < 2 or test[0] not in ("CMD", "CMD-SHELL"):
        bad_value(given.at("test"), "test", given["test"], "text, or a list that begins with CMD, CMD-SHELL or NONE")
    return test


_HEALTHCHECK: dict[str, Reader] = {
    "interval": read.duration,
    "timeout": read.duration,
    "start_period": read.duration,
    "retries": read.whole,
    "test": _test,
}


def depends_on(holder: Map, key: str) -> tuple[Dependency, ...]:
    if isinstance(holder[key], Seq):
        return tuple(Dependency(name) for name in read.unique_strings(holder, key))
    given = want_map(holder[key], holder.at(key), key)
    return tuple(every(_dependency, given, given))


_DEPENDENCY: dict[str, Reader] = {
    "condition": lambda holder, key: read.choice(holder, key, _CONDITIONS),
    "restart": read.boolean,
    "required": read.boolean,
}


def _dependency(given: Map, name: str) -> Dependency:
    wanted = want_map(given[name], given.at(name), name)
    with Mistakes() as mistakes:
        mistakes.of(check_keys, wanted, keys.DEPENDS_ON, "depends_on")
        found = mistakes.written(_DEPENDENCY, wanted)
    return Dependency(name, **{"condition": _CONDITIONS[0], **found})


def links(holder: Map, key: str) -> tuple[tuple[str, str], ...]:
    """(service, name) of each; a name that is not given is that of the service."""
    items = want_seq(holder[key], holder.at(key), key)
    return tuple(dict.fromkeys(every(_link, items, range(len(items)))))


def _link(items: Seq, index: int) -> tuple[str, str]:
    service, sign, name = read.text(items, index).partition(":")
    if not service or ":" in name or bool(sign) != bool(name):
        bad_value(items.at(index), index, items[index], "SERVICE or SERVICE:NAME")
    return service, name or service


def networks(holder: Map, key: str) -> tuple[Attachment, ...]:
    if isinstance(holder[key], Seq):
        return tuple(Attachment(name) for name in read.unique_strings(holder, key))
    given = want_map(holder[key], holder.at(key), key)
    return tuple(every(_attachment, given, given))


_ATTACHMENT: dict[str, Reader] = {
    "ipv4_address": read.text,
    "ipv6_address": read.text,
    "mac_address": read.text,
    "aliases": read.unique_strings,
    "link_local_ips": read.unique_strings,
}
_PRIORITY: dict[str, Reader] = {"priority": lambda holder, key: read.whole(holder, key, -(2**31), 2**31)}


def _attachment(given: Map, name: str) -> Attachment:
    if given[name] is None:
        return Attachment(name)
    wanted = want_map(given[name], given.at(name), name)
    with Mistakes() as mistakes:
        mistakes.of(check_keys, wanted, keys.ATTACHMENT, "networks", keys.ATTACHMENT_REFUSED)
        found = mistakes.given(_ATTACHMENT, wanted) | mistakes.written(_PRIORITY, wanted)
    return Attachment(name, **found)


def devices(holder: Map, key: str) -> tuple[Device, ...]:
    items = want_seq(holder[key], holder.at(key), key)
    return tuple(every(_device, items, range(len(items))))


def _device(items: Seq, index: int) -> Device:
    item, at = items[index], items.at(index)
    if isinstance(item, Map):
        with Mistakes() as mistakes:
            mistakes.of(check_keys, item, keys.DEVICE, "devices")
            found = mistakes.written(dict.fromkeys(("source", "target", "permissions"), read.filled), item)
            demand(item, keys.DEVICE, "a device needs a source", "source")
        parts = [found["source"], found.get("target", found["source"]), found.get("permissions", "rwm")]
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
    return tuple(every(_ulimit, given, sorted(given)))


def _ulimit(given: Map, name: str) -> Ulimit:
    if not isinstance(given[name], Map):
        value = _limit(given, name)
        return Ulimit(name, value, value)
    both = given[name]
    with Mistakes() as mistakes:
        mistakes.of(check_keys, both, keys.ULIMIT, "ulimits")
        found = mistakes.written(dict.fromkeys(("soft", "hard"), _limit), both)
        for key in ("soft", "hard"):
            mistakes.of(demand, both, keys.ULIMIT, f"the ulimit {name} needs soft and hard", key)
    return Ulimit(name, **found)


def _limit(holder: Map, key: str) -> int:
    return read.whole(holder, key, -1)


def logging(holder: Map, key: str) -> Logging:
    given = want_map(holder[key], holder.at(key), key)
    with Mistakes() as mistakes:
        mistakes.of(check_keys, given, keys.LOGGING, key)
        found = mistakes.given({"driver": read.text, "options": read.mapping_pairs}, given)
    return Logging(**found)


def extra_hosts(holder: Map, key: str) -> Pairs:
    given = holder[key]
    if isinstance(given, Map):
        several = every(_addresses, given, given)
        found = [(name, address) for name, addresses in zip(given, several, strict=True) for address in addresses]
    else:
        found = every(_host, want_seq(given, holder.at(key), key), range(len(given or ())))
    bare = ((n, a[1:-1] if a.startswith("[") and a.endswith("]") else a) for n, a in found)
    return tuple(sorted(dict.fromkeys(bare)))


def _addresses(given: Map, name: str) -> tuple[str, ...]:
    return read.strings(given, name) if isinstance(given[name], Seq) else (read.filled(given, name),)


def _host(given: Seq, index: int) -> tuple[str, str]:
    entry = read.text(given, index)
    name, sign, address = entry.partition("=" if "=" in entry else ":")
    if not (name and sign and address):
        bad_value(given.at(index), index, given[index], "HOST=ADDRESS")
    return name.strip(), address.strip()
