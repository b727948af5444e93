"""What manifests may see of the host: paths as they are written, and as they really are."""

from __future__ import annotations

from posixpath import normpath

import pytest

from tests.support.guard import refusal, service


def code(text: str, **host: object) -> str:
    found = refusal(text, **host)  # type: ignore[arg-type]  # the keywords of refusal
    return found.code if found else ""


@pytest.mark.parametrize("checkout", ["/opt/fleet", "/srv", "/srv/a/b", "/srv/../opt/x"])
def test_a_checkout_at_or_below_an_allowed_folder_is_fine(checkout: str) -> None:
    assert code(service("read_only: true"), checkout=checkout) == ""


@pytest.mark.parametrize(
    "checkout", ["/home/fleet", "/opt/../home/fleet", "/optional", "//home", "/opt/fleet/../../home"]
)
def test_a_checkout_elsewhere_is_refused_with_the_line_to_write(checkout: str) -> None:
    text = service("read_only: true")
    found = refusal(text, checkout=checkout)

    assert found is not None
    assert found.code == "E-GUARD-CHECKOUT"
    folder = normpath("/" + checkout.lstrip("/"))
    assert f'allow_host_mounts = ["/opt", "/srv", "{folder}"]' in found.next
    assert code(text, checkout=checkout, allow_host_mounts=(folder,)) == ""


@pytest.mark.parametrize(
    "checkout",
    ["/", "/..", "/var/lib", "/var/lib/reconciler", "/var/lib/reconciler/x", "/etc/reconciler", "/etc", "/opt"],
)
def test_no_setting_gives_away_the_root_folder_or_what_is_reconcilers_own(checkout: str) -> None:
    text = service("read_only: true")

    assert code(text, checkout=checkout, allow_host_mounts=("/",), allow_privileged=("app",)) == "E-GUARD-CHECKOUT"


def test_a_checkout_that_is_a_link_counts_where_it_leads() -> None:
    text = service("read_only: true")

    assert code(text, links={"/opt/fleet": "/etc"}) == "E-GUARD-CHECKOUT"
    assert code(text, links={"/opt/fleet": "/var/lib/reconciler"}) == "E-GUARD-CHECKOUT"
    assert code(text, links={"/opt/fleet": "/srv/fleet"}) == ""


def test_an_allowed_folder_may_be_a_link_itself() -> None:
    links = {"/opt": "/mnt/big/opt"}

    assert code(service("volumes: ['./data:/a', '/opt/media:/b', '/mnt/big/opt/media:/c']"), links=links) == ""
    assert code(service("volumes: ['/mnt/big/other:/a']"), links=links) == "E-GUARD-MOUNT"


@pytest.mark.parametrize(
    "text",
    [
        service("volumes: ['./data/link:/a']"),
        service("volumes: ['/opt/fleet/stacks/app/data/link:/a:ro']"),
        service("configs: [c]", "configs: {c: {file: ./data/link}}"),
        service("secrets: [c]", "secrets: {c: {file: ./data/link}}"),
        service("volumes: ['v:/a']", "volumes: {v: {driver_opts: {o: bind, device: /opt/fleet/stacks/app/data/link}}}"),
    ],
)
def test_a_link_on_the_host_counts_where_it_leads(text: str) -> None:
    link = "/opt/fleet/stacks/app/data/link"
    found = refusal(text, links={link: "/root"})

    assert found is not None
    assert (found.code, "leads to /root" in found.what) == ("E-GUARD-MOUNT", True)
    assert '"/root' in found.next
    assert code(text, links={link: "/srv/data"}) == ""
    assert code(text, links={link: "/run"}) == "E-GUARD-PRIVILEGED"
    assert code(text, links={link: "/run/docker.sock"}) == "E-GUARD-PRIVILEGED"
    assert code(text, links={link: "/var/lib/reconciler"}) == "E-GUARD-PRIVILEGED"
    assert code(text, links={link: "/root"}, allow_privileged=("app",)) == ""


@pytest.mark.parametrize(
    "text",
    [
        service("secrets: [s]", "secrets: {s: {file: /var/run/docker.sock}}"),
        service("configs: [s]", "configs: {s: {file: /run/docker.sock}}"),
        service("volumes: ['/opt/proxy/docker.sock:/s']"),
        service("volumes: ['/srv/run/containerd.sock:/s:ro']"),
        service("volumes: ['./podman.sock:/s']"),
        service("volumes: ['v:/s']", "volumes: {v: {driver_opts: {o: bind, device: /run/containerd}}}"),
        service("volumes: ['/srv/engine:/s']"),
        service("volumes: ['/:/s']"),
    ],
)
def test_every_way_to_the_socket_of_an_engine_is_a_privilege(text: str) -> None:
    found = refusal(text, engine="/srv/engine/api")

    assert found is not None
    assert (found.code, "socket" in found.what) == ("E-GUARD-PRIVILEGED", True)
    assert code(text, engine="/srv/engine/api", allow_privileged=("app",)) == ""


@pytest.mark.parametrize("source", ["/opt/reconciler/bin", "/opt", "/var/lib/reconciler/rendered", "/etc/reconciler"])
def test_what_is_reconcilers_own_is_mounted_only_by_the_trusted(source: str) -> None:
    text = service(f"volumes: ['{source}:/a']")

    assert code(text) == "E-GUARD-PRIVILEGED"
    assert code(text, allow_privileged=("app",)) == ""


def test_the_time_of_the_host_is_harmless_only_when_read() -> None:
    links = {"/etc/localtime": "/usr/share/zoneinfo/UTC"}

    assert code(service("volumes: ['/etc/localtime:/etc/localtime:ro']"), links=links) == ""
    assert code(service("volumes: ['/etc/localtime:/etc/localtime']"), links=links) == "E-GUARD-MOUNT"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("{type: none, o: bind, device: /home}", "E-GUARD-MOUNT"),
        ("{type: none, o: bind, device: home}", "E-GUARD-MOUNT"),  # the engine works in /
        ("{type: none, o: bind, device: //home}", "E-GUARD-MOUNT"),
        ("{type: tmpfs, o: 'size=1m,bind', device: /home}", "E-GUARD-MOUNT"),
        ("{type: nfs, o: rbind, device: /home}", "E-GUARD-MOUNT"),
        ("{type: none, o: bind, device: /opt/../home}", "E-GUARD-MOUNT"),
        ("{type: overlay, o: 'lowerdir=/,upperdir=/etc,workdir=/opt/w', device: overlay}", "E-GUARD-PRIVILEGED"),
        ("{type: proc, device: proc}", "E-GUARD-PRIVILEGED"),
        ("{type: ext4, device: /dev/sda1}", "E-GUARD-PRIVILEGED"),
        ("{type: none, o: bind, device: /srv/data}", ""),
        ("{type: tmpfs, o: size=1m, device: tmpfs}", ""),
        ("{type: nfs, o: addr=10.0.0.1, device: ':/export'}", ""),
        ("{type: cifs, o: addr=10.0.0.1, device: //nas/share}", ""),
    ],
)
def test_what_a_volume_mounts_is_looked_at_too(options: str, expected: str) -> None:
    text = service("volumes: ['v:/a']", f"volumes: {{v: {{driver_opts: {options}}}}}")

    assert code(text) == expected
    assert code(text, allow_privileged=("app",)) == ""
