"""The files that init writes itself say what they were given, whatever that is made of."""

from __future__ import annotations

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.document import parse
from reconciler.core.first_files import fleet_text, settings_text
from reconciler.core.manifest.fleet import load_fleet

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
PATH = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\u2028\u2029"), min_size=1)


@given(TEXT, TEXT, st.lists(TEXT), st.lists(TEXT))
def test_the_hosts_file_is_toml_that_means_what_it_was_given(
    url: str, docker: str, mounts: list[str], privileged: list[str]
) -> None:
    read = tomllib.loads(settings_text("caroline", {"url": url}, docker, mounts, privileged))

    assert read == {
        "host": "caroline",
        "repository": {"url": url},
        "docker": {"host": docker},
        "trust": {"allow_host_mounts": mounts, "allow_privileged": privileged},
    }


@given(st.dictionaries(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,8}", fullmatch=True), PATH.map("/{}".format)))
def test_the_fleet_file_loads(directories: dict[str, str]) -> None:
    text = fleet_text("caroline", "/opt/fleet", directories)

    (host,) = load_fleet(parse(text.encode(), "fleet.yaml"), "fleet.yaml").hosts

    assert (host.name, host.checkout, dict(host.directories)) == ("caroline", "/opt/fleet", directories)


def test_a_name_that_yaml_would_take_for_something_else_stays_a_name() -> None:
    text = fleet_text("no", "/opt/fleet", {"1e3": "/srv/1e3", "null": "/srv/null", "0x1f": "/x", "12": "/y"})

    (host,) = load_fleet(parse(text.encode(), "fleet.yaml"), "fleet.yaml").hosts

    assert (host.name, [name for name, _ in host.directories]) == ("no", ["1e3", "null", "0x1f", "12"])
