"""The filter patterns of workflows: the rows of GitHub's own cheat sheet, and what lies between them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.gate.patterns import UnknownPattern, lets_in, matches


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        # branches and tags
        ("feature/*", ["feature/my-branch", "feature/your-branch"], ["feature/beta-a/my-branch", "feature"]),
        ("feature/**", ["feature/beta-a/my-branch", "feature/your-branch", "feature/mona/the/octocat"], ["features"]),
        ("main", ["main"], ["main2", "releases/main", ""]),
        ("releases/mona-the-octocat", ["releases/mona-the-octocat"], []),
        ("*", ["main", "releases"], ["all/the/branches"]),
        ("**", ["all/the/branches", "every/tag", "a"], []),
        ("*feature", ["mona-feature", "feature", "ver-10-feature"], ["feature/a"]),
        ("v2*", ["v2", "v2.0", "v2.9"], ["v1"]),
        ("v[12].[0-9]+.[0-9]+", ["v1.10.1", "v2.0.0"], ["v3.0.0", "v1.", "v1.0.a"]),
        # paths
        ("*", ["README.md", "server.rb"], ["docs/README.md"]),
        ("*.jsx?", ["page.js", "page.jsx"], ["page.jsxx", "a/page.js"]),
        ("**.js", ["index.js", "js/index.js", "src/js/app.js"], ["index.jsx"]),
        ("docs/*", ["docs/README.md", "docs/file.txt"], ["docs/a/b", "docs"]),
        ("docs/**", ["docs/README.md", "docs/mona/octocat.txt"], ["doc/a"]),
        ("docs/**/*.md", ["docs/README.md", "docs/mona/hello-world.md", "docs/a/markdown/file.md"], ["docs/a.txt"]),
        ("**/docs/**", ["docs/hello.md", "dir/docs/my-file.txt", "space/docs/plan/space.doc"], ["mydocs/a"]),
        ("**/README.md", ["README.md", "js/README.md"], ["js/OLDREADME.md"]),
        ("**/*src/**", ["a/src/app.js", "my-src/code/js/app.js"], ["srcs/a"]),
        ("**/*-post.md", ["my-post.md", "path/their-post.md"], ["post.md"]),
        ("**/migrate-*.sql", ["migrate-10909.sql", "db/migrate-v1.0.sql", "db/sept/migrate-v1.sql"], ["migrate.sql"]),
        # the rest of the language
        (r"a\*b", ["a*b"], ["axb"]),
        (r"\!a", ["!a"], ["a"]),
        ("ab+", ["ab", "abbb"], ["a"]),
        ("[CB]at", ["Cat", "Bat"], ["cat"]),
        ("[a-c0_]+", ["a0_c"], ["d", ""]),
        ("a.b", ["a.b"], ["axb"]),
        ("", [""], ["a"]),
    ],
)
def test_a_pattern_fits_what_the_cheat_sheet_says(pattern: str, yes: list[str], no: list[str]) -> None:
    assert [text for text in yes if not matches(pattern, text)] == []
    assert [text for text in no if matches(pattern, text)] == []


@pytest.mark.parametrize("pattern", ["+a", "?", "[", "[]", "[^a]", "[!a]", "a[b", "a\\"])
def test_what_is_not_in_the_language_is_not_guessed(pattern: str) -> None:
    with pytest.raises(UnknownPattern):
        matches(pattern, "a")


@pytest.mark.parametrize(
    ("patterns", "text", "inside"),
    [
        (["*.md", "!README.md"], "hello.md", True),
        (["*.md", "!README.md"], "README.md", False),
        (["*.md", "!README.md", "README*"], "README.md", True),
        (["!README.md", "*.md"], "README.md", True),
        (["sub-project/**", "!sub-project/docs/**"], "sub-project/docs/readme.md", False),
        (["!a"], "b", False),
        ([], "b", False),
    ],
)
def test_the_last_pattern_that_fits_decides(patterns: list[str], text: str, inside: bool) -> None:
    assert lets_in(patterns, text) is inside


WORDS = st.text("ab/.", max_size=12)


@given(st.lists(st.sampled_from(["a", "b", "/", ".", "*", "**"]), max_size=6), WORDS)
def test_stars_fit_what_a_regular_expression_of_them_fits(parts: list[str], text: str) -> None:
    pattern = "".join(parts)
    if "***" in pattern or re.search(r"(^|/)\*\*/", pattern):
        return
    expression = "".join(
        {"**": ".*", "*": "[^/]*"}.get(part, re.escape(part)) for part in re.findall(r"\*\*|\*|.", pattern)
    )

    assert matches(pattern, text) == bool(re.fullmatch(expression, text))


@given(WORDS)
def test_a_text_without_signs_fits_itself_only(text: str) -> None:
    assert matches(text, text)
    assert not matches(text, text + "a")


def test_no_pattern_makes_matching_slow() -> None:
    assert not matches("**a" * 100 + "+b", "a/" * 1000)  # as a regular expression it would never end
