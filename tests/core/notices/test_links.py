"""Pages of a forge, from the address that a repository is fetched from."""

from __future__ import annotations

import pytest

from reconciler.core.notices.links import Forge, forge_of

SHA, OLD = "4f2c1ab", "9e01d77"


@pytest.mark.parametrize(
    ("url", "kind", "commit"),
    [
        ("https://github.com/o/n.git", "", "https://github.com/o/n/commit/4f2c1ab"),
        ("https://user:pass@github.com/o/n", "", "https://github.com/o/n/commit/4f2c1ab"),
        ("git@github.com:o/n.git", "", "https://github.com/o/n/commit/4f2c1ab"),
        ("ssh://git@gitea.example:2222/o/n.git", "", "https://gitea.example/o/n/commit/4f2c1ab"),
        ("https://codeberg.org/o/n", "", "https://codeberg.org/o/n/commit/4f2c1ab"),
        ("http://forgejo.lan:3000/o/n.git", "", "http://forgejo.lan:3000/o/n/commit/4f2c1ab"),
        ("https://gitlab.com/group/sub/n.git", "", "https://gitlab.com/group/sub/n/-/commit/4f2c1ab"),
        ("ssh://git@git.example/o/n.git", "gitea", "https://git.example/o/n/commit/4f2c1ab"),
        ("ssh://git@git.example/o/n.git", "", ""),
        ("https://github.com/o/n.git", "none", ""),
        ("file:///srv/git/fleet.git", "github", ""),
        ("/srv/git/fleet.git", "github", ""),
        ("https://github.com/n", "", ""),
        ("https://github.com/o/n)[x](y", "", ""),
        ("https://[broken", "", ""),
    ],
)
def test_a_commit_has_the_page_that_its_forge_gives_it(url: str, kind: str, commit: str) -> None:
    assert forge_of(url, kind).commit(SHA) == commit


def test_two_revisions_can_be_compared() -> None:
    assert forge_of("https://github.com/o/n").compare(OLD, SHA) == f"https://github.com/o/n/compare/{OLD}...{SHA}"
    assert forge_of("https://gitlab.com/o/n").compare(OLD, SHA) == f"https://gitlab.com/o/n/-/compare/{OLD}...{SHA}"
    assert forge_of("https://github.com/o/n").compare("", SHA) == ""
    assert Forge().compare(OLD, SHA) == ""
