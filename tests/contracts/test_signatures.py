"""Who signed a commit: real keys, real git, and every way in which a signature can be no good."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.convergence.trust import SignedCommits
from reconciler.errors import BadConfiguration
from reconciler.git.signatures import GitSignatures, Keys
from reconciler.model.gate import SignatureAnswer
from tests.support.gitremote import Remote
from tests.support.signing import Keyring, Signer, keyring, signed, ssh_signer

PAST, THEN, LATER = "20200101", "1700000000 +0000", "20300101"


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    """main: c1 - *c2, unsigned."""
    made = Remote(tmp_path)
    made.commit({"a": "1"})
    made.commit({"a": "2"})
    return made


@pytest.fixture
def alice(tmp_path: Path) -> Signer:
    return ssh_signer(tmp_path, "alice")


@pytest.fixture(scope="module")
def ring() -> Iterator[Keyring]:
    with keyring() as made:
        yield made


def file(folder: Path, name: str, *lines: str) -> str:
    (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return str(folder / name)


def asked(remote: Remote, keys: Keys, sha: str = "") -> SignatureAnswer:
    return GitSignatures(remote.path, "head", keys, 20).answer(sha or remote.head)


def test_a_commit_of_somebody_who_may_sign_is_good_and_says_who(remote: Remote, alice: Signer, tmp_path: Path) -> None:
    sha = signed(remote, alice)

    answer = asked(remote, Keys(file(tmp_path, "allowed", alice.allowed('namespaces="git"'))))

    assert answer == SignatureAnswer(sha, "alice@example.org") and answer.good


def test_a_commit_that_nobody_signed_is_not_good(remote: Remote, alice: Signer, tmp_path: Path) -> None:
    assert asked(remote, Keys(file(tmp_path, "allowed", alice.allowed()))).trouble == "it is not signed"


@pytest.mark.parametrize(
    ("limits", "says"),
    [(f'valid-before="{PAST}"', "expired"), (f'valid-after="{LATER}"', "does not know"), ('namespaces="file"', "")],
)
def test_a_key_counts_only_for_commits_and_in_its_time(
    remote: Remote, alice: Signer, tmp_path: Path, limits: str, says: str
) -> None:
    signed(remote, alice)

    answer = asked(remote, Keys(file(tmp_path, "allowed", alice.allowed(limits))))

    assert not answer.good and says in answer.trouble


def test_what_was_signed_while_the_key_was_valid_stays_good(remote: Remote, alice: Signer, tmp_path: Path) -> None:
    signed(remote, alice, date=THEN)

    assert asked(remote, Keys(file(tmp_path, "allowed", alice.allowed('valid-before="20240101"')))).good


def test_an_unknown_key_is_not_good(remote: Remote, alice: Signer, tmp_path: Path) -> None:
    signed(remote, ssh_signer(tmp_path, "mallory"))

    answer = asked(remote, Keys(file(tmp_path, "allowed", alice.allowed())))

    assert answer.trouble == "it is signed with a key that this host does not know"


def test_a_revoked_key_is_not_good_whenever_it_signed(remote: Remote, alice: Signer, tmp_path: Path) -> None:
    signed(remote, alice)
    keys = Keys(file(tmp_path, "allowed", alice.allowed()), file(tmp_path, "revoked", alice.public))

    assert "its key was revoked" in asked(remote, keys).trouble


def test_a_commit_that_was_changed_after_it_was_signed_is_not_good(
    remote: Remote, alice: Signer, tmp_path: Path
) -> None:
    raw = remote.git("cat-file", "commit", signed(remote, alice))
    tampered = remote.git(
        "hash-object", "-t", "commit", "-w", "--stdin", input=raw.replace(b"\n\nsigned", b"\n\nsinged")
    )

    answer = asked(remote, Keys(file(tmp_path, "allowed", alice.allowed())), tampered.decode().strip())

    assert answer.trouble == "the signature does not fit the commit"


def test_the_configuration_of_the_clone_changes_nothing(remote: Remote, alice: Signer, tmp_path: Path) -> None:
    mallory = ssh_signer(tmp_path, "mallory")
    signed(remote, mallory)
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 0\n")
    evil.chmod(0o755)
    for name in ("gpg.ssh.program", "gpg.program", "gpg.openpgp.program", "gpg.x509.program"):
        remote.git("config", name, str(evil))
    remote.git("config", "gpg.ssh.allowedSignersFile", file(tmp_path, "theirs", mallory.allowed()))

    assert not asked(remote, Keys(file(tmp_path, "allowed", alice.allowed()))).good
    assert not (tmp_path / "ran").exists()


def test_a_replaced_object_lends_its_signature_to_nobody(remote: Remote, alice: Signer, tmp_path: Path) -> None:
    unsigned = remote.head
    good = signed(remote, alice)
    remote.git("replace", unsigned, good)

    assert not asked(remote, Keys(file(tmp_path, "allowed", alice.allowed())), unsigned).good


@pytest.mark.parametrize("armor", ["SIGNED MESSAGE", "PGP SIGNATURE", "PGP MESSAGE"])
def test_other_kinds_of_signature_count_for_nothing(remote: Remote, alice: Signer, tmp_path: Path, armor: str) -> None:
    raw = remote.git("cat-file", "commit", remote.head).replace(
        b"\n\n", f"\ngpgsig -----BEGIN {armor}-----\n \n AAAA\n -----END {armor}-----\n\n".encode(), 1
    )
    sha = remote.git("hash-object", "-t", "commit", "-w", "--stdin", input=raw).decode().strip()

    assert not asked(remote, Keys(file(tmp_path, "allowed", alice.allowed())), sha).good


def test_gpg_counts_when_the_host_has_a_keyring_for_it(
    remote: Remote, ring: Keyring, alice: Signer, tmp_path: Path
) -> None:
    signed(remote, ring.signer("bob"))

    assert asked(remote, Keys(gpg_home=str(ring.home))).signer == "bob <bob@example.org>"
    assert not asked(remote, Keys(file(tmp_path, "allowed", alice.allowed()))).good
    with keyring() as other:
        other.signer("eve")
        assert "does not know" in asked(remote, Keys(gpg_home=str(other.home))).trouble


def test_a_revoked_gpg_key_is_not_good(remote: Remote) -> None:
    with keyring() as ring:
        signer = ring.signer("bob")
        signed(remote, signer)
        ring.revoke(signer)

        assert asked(remote, Keys(gpg_home=str(ring.home))).trouble == "its key was revoked"


def test_an_expired_gpg_key_is_not_good(remote: Remote) -> None:
    with keyring() as ring:
        signed(remote, ring.signer("bob", "seconds=2"))
        deadline = time.monotonic() + 20
        while (answer := asked(remote, Keys(gpg_home=str(ring.home)))).good:
            assert time.monotonic() < deadline

    assert "expired" in answer.trouble


def test_which_commits_have_to_be_signed(remote: Remote) -> None:
    # main: base - m1 - *merge
    #            \ s1 /
    base = remote.head
    side = remote.commit({"b": "1"}, branch="side", parent=base)
    first = remote.commit({"a": "3"})
    merge = remote.commit({"a": "4"}, parents=(side,))
    head = GitSignatures(remote.path, "head", Keys(), 20)
    every = GitSignatures(remote.path, "all", Keys(), 20)

    assert head.required(merge, base) == (merge,)
    assert every.required(merge, base)[0] == merge
    assert set(every.required(merge, base)) == {merge, first, side}
    assert every.required(merge, "") == (merge,) == every.required(merge, merge)


def test_one_commit_that_is_not_signed_stands_in_the_way_of_all_that_follow(
    remote: Remote, alice: Signer, tmp_path: Path
) -> None:
    # main: base - good - unsigned - *signed
    base = remote.head
    remote.commit({"a": "3"})
    good = signed(remote, alice)
    unsigned = remote.commit({"a": "4"})
    remote.commit({"a": "5"})
    head = signed(remote, alice)
    keys = Keys(file(tmp_path, "allowed", alice.allowed()))
    every = SignedCommits(GitSignatures(remote.path, "all", keys, 20))

    assert every.obstacle(good, base) == ""
    assert every.obstacle(unsigned, base) == f"{unsigned[:7]} is not trusted: it is not signed"
    assert f"{unsigned[:7]}, which it brings: it is not signed" in every.obstacle(head, base)
    assert SignedCommits(GitSignatures(remote.path, "head", keys, 20)).obstacle(head, base) == ""


@pytest.mark.parametrize("spoilt", ["missing", "writable", "foreign"])
def test_keys_that_others_could_have_written_are_relied_on_by_nobody(
    remote: Remote, alice: Signer, tmp_path: Path, spoilt: str
) -> None:
    import os

    signed(remote, alice)
    path = file(tmp_path, "allowed", alice.allowed())
    if spoilt == "missing":
        os.unlink(path)
    elif spoilt == "writable":
        os.chmod(path, 0o666)
    else:
        os.chown(path, 12345, 0)

    with pytest.raises(BadConfiguration) as caught:
        asked(remote, Keys(path))
    assert caught.value.code == "E-TRUST-KEYS"
