"""What a notice says in each state, and that no form of it ever exceeds a limit or shows a secret."""

from __future__ import annotations

import base64
import html
import json
import shlex
from dataclasses import replace
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.core.notices import discord, generic
from reconciler.core.notices.decide import decide
from reconciler.core.notices.links import forge_of
from reconciler.core.notices.words import deploying, notices_of, trial
from reconciler.core.redact import MASK, Redactor, redactor
from reconciler.errors import Terminal
from reconciler.model.gate import Evidence, GateAnswer
from reconciler.model.mail import Memory
from reconciler.model.notice import Detail, Link, Notice
from reconciler.model.plan import Action, ImageNeed
from reconciler.model.report import Outcome
from reconciler.model.result import Migrated, Result, WayBack
from tests.support.discord import problems
from tests.support.notices import NEW, OLD, commits, failure, nothing, plan, success

NOW = 1_700_000_900.0
NOBODY_KNOWS, NO_SECRETS = Memory(), Redactor()
FORGE = forge_of("https://github.com/o/n")
CI = GateAnswer(NEW, "passed", "", (Evidence("lint.yml", "success", "7", 1, "https://github.com/o/n/actions/runs/7"),))


def said(result: Result, memory: Memory = NOBODY_KNOWS, redact: Redactor = NO_SECRETS) -> tuple[Notice, ...]:
    return notices_of(result, decide(result, memory, NOW)[0], FORGE, NOW, redact)


def details(notice: Notice) -> dict[str, str]:
    return {detail.name: detail.value for detail in notice.details}


def test_what_a_person_did_past_the_rules_is_told_with_every_news() -> None:
    overridden = GateAnswer(NEW, "failed", "overridden by ana: hotfix (CI failed: lint)", overridden=True)
    by_hand = ("blocked/abc was cleared by hand",)

    for result in (success(), success(plan(Action.CREATE)), failure()):
        (notice,) = said(replace(result, gate=overridden, by_hand=by_hand))
        told = details(notice)
        assert told["CI"] == overridden.reason
        assert told["By hand"] == by_hand[0]
    (notice,) = said(replace(success(), gate=CI))
    assert details(notice) == {}


def test_a_failure_has_what_a_person_needs_who_is_called_at_night() -> None:
    (notice,) = said(replace(failure(), gate=CI))
    told = details(notice)

    assert notice.title == "caroline · core: failed, and rolled back"
    assert notice.ping
    assert notice.kind == "failure"
    assert told["Failed step"] == "verify [E-VERIFY-UNHEALTHY]"
    assert told["Error"] == "502 from the health check"
    assert told["Log"].splitlines() == [f"line {number}" for number in range(25, 40)]
    assert told["What runs now"] == "everything runs as of 9e01d77 again"
    assert told["Rollback"] == "9e01d77 serves again after 1.5 s"
    assert told["Next"] == "fix it and push"
    assert told["Attempt"] == "2"
    assert told["Schema"].startswith("ahead of the code: schema")
    assert told["Revision"] == "9e01d77 → 4f2c1ab"
    assert told["Took"] == "12 s"
    assert told["By"] == "timer"
    assert [link.label for link in notice.links] == ["commit 4f2c1ab", "compare", "CI: lint.yml"]
    assert notice.url == f"https://github.com/o/n/compare/{OLD}...{NEW}"
    assert notice.footer == "run run-3 · caroline"


def healing(*actions: Action) -> Result:
    return replace(success(plan(*actions)), base=NEW)


def test_what_was_verified_before_is_healed_and_not_deployed() -> None:
    (notice,) = said(healing(Action.START, Action.START))

    assert notice.title == "caroline · core: healed at 4f2c1ab"
    assert details(notice)["Drift"] == "core/api: because"
    assert "deploy" not in f"{notice.title} {notice.text}"
    assert said(replace(healing(Action.START), command="deploy"))[0].title == "caroline · core: deployed 4f2c1ab"


def test_several_healings_are_no_deploys() -> None:
    telling, memory = decide(healing(Action.START), NOBODY_KNOWS, NOW)
    for run in ("b", "c"):
        telling, memory = decide(replace(healing(Action.START), run=run), memory, NOW)
    (notice,) = notices_of(healing(Action.START), telling, FORGE, NOW, NO_SECRETS)

    assert notice.title == "caroline · core: healed 3 times, now at 4f2c1ab"


def test_a_tag_that_moved_is_nothing_that_was_healed() -> None:
    moved = ImageNeed("app:1", "it moved in its registry", ("core/api",), moved=True)
    pulled = replace(moved, moved=False)

    for image, title in ((moved, "images renewed at 4f2c1ab"), (pulled, "healed at 4f2c1ab")):
        (notice,) = said(replace(healing(), plan=replace(plan(Action.REPLACE), images=(image,))))
        assert notice.title == f"caroline · core: {title}"


@pytest.mark.parametrize(
    ("outcome", "actions", "title"),
    [
        ("failed", [Action.START], "caroline · core: healing failed"),
        ("rolled-back", [Action.START], "caroline · core: healing failed, and put back"),
        ("halted", [Action.START], "caroline · core: healing halted, and NOT put back"),
        ("failed", [], "caroline: sick at 4f2c1ab"),
    ],
)
def test_a_healing_that_fails_is_no_failed_deploy(outcome: Outcome, actions: list[Action], title: str) -> None:
    (notice,) = said(replace(failure(), outcome=outcome, base=NEW, plan=plan(*actions)))

    assert notice.title == title
    assert notice.kind == "failure" and notice.ping


def test_a_recovery_by_healing_says_so() -> None:
    _, memory = decide(failure(), NOBODY_KNOWS, NOW)
    (notice,) = said(healing(Action.START), memory)

    assert notice.title.startswith("caroline · core: healed at 4f2c1ab, well again after 1 failure")
    assert details(notice)["Drift"] == "core/api: because"


def test_a_halt_says_that_nothing_was_put_back() -> None:
    (notice,) = said(replace(failure(), outcome="halted", back=WayBack(OLD, trouble="the image is gone")))

    assert "NOT rolled back" in notice.title
    assert details(notice)["Rollback"] == "not whole: the image is gone"


def test_a_full_notice_says_all_that_moved() -> None:
    result = replace(
        success(plan(Action.REPLACE, Action.CREATE, new_image="app:2")),
        migrated=(Migrated("core", "schema", 2.5, "ok"),),
        changes=commits(7),
        cleared=("abcdef0123",),
    )
    (notice,) = said(result)
    told = details(notice)

    assert notice.title == "caroline · core: deployed 4f2c1ab"
    assert told["Migrations"] == "core/schema: ok, 2.5 s"
    assert told["Images"] == "app:1 → app:2"
    assert told["Added"] == "core/api"
    assert told["Recreated"] == "core/api"
    assert told["Changes"] == "7 files, +14 -7"
    assert told["Commits"].splitlines()[0].endswith("change *0* by @everyone")
    assert told["Commits"].splitlines()[-1] == "+2"
    assert told["Health"] == "2 containers verified"
    assert told["Unblocked"] == "abcdef0"


def test_recovery_says_after_how_many_failures_and_how_long() -> None:
    memory = Memory()
    for run in ("a", "b", "c"):
        _, memory = decide(replace(failure(), run=run, seconds=0.0), memory, NOW - 840)
    (notice,) = said(replace(nothing(), run="d", started=NOW, seconds=0), memory)

    assert notice.title == "caroline: well at 4f2c1ab, well again after 3 failures, 14 min"


def test_a_condensed_one_is_a_line_and_a_link() -> None:
    (notice,) = said(success())

    assert notice.title == "caroline · core: deployed 4f2c1ab"
    assert notice.text == "9e01d77 → 4f2c1ab: 1 recreate, 0 unchanged, 3.2 s, by ana"
    assert notice.details == ()
    assert [link.label for link in notice.links] == ["commit 4f2c1ab", "compare"]


def test_a_failure_counts_its_repeats_in_the_title() -> None:
    _, memory = decide(replace(failure(), run="a"), Memory(), NOW)
    _, memory = decide(replace(failure(), run="b"), memory, NOW)

    assert said(replace(failure(), run="c"), memory)[0].title.endswith("×3")


def test_the_message_of_a_long_pass_that_failed_is_edited_and_another_one_calls() -> None:
    edited, called = said(failure(), Memory(deploying="run-3"))

    assert (edited.key, edited.ping) == ("run-3", False)
    assert (called.key, called.ping) == ("run-3/failed", True)


def test_nobody_is_called_but_who_was_named() -> None:
    (notice,) = said(failure())

    assert discord.body_of(notice, "<@&123>")["allowed_mentions"] == {"parse": [], "roles": ["123"]}
    assert discord.body_of(notice, "<@!77>")["allowed_mentions"] == {"parse": [], "users": ["77"]}
    assert discord.body_of(notice, "<@&123>")["content"] == "<@&123>"
    assert discord.body_of(notice, "<@&123>", edit=True)["content"] == ""
    assert discord.body_of(notice, "<@&123>", edit=True)["allowed_mentions"] == {"parse": []}
    assert discord.body_of(said(success())[0], "<@&123>")["allowed_mentions"] == {"parse": []}


def test_markup_in_a_commit_is_text() -> None:
    (notice,) = said(replace(success(), changes=commits(1)))
    told = json.dumps(discord.body_of(notice))

    assert "change \\\\*0\\\\* by \\\\@everyone" in told


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://discord.com/api/webhooks/12/a-B_c", "https://discord.com/api/v10/webhooks/12/a-B_c"),
        ("https://discordapp.com/api/v8/webhooks/12/abc/\n", "https://discordapp.com/api/v10/webhooks/12/abc"),
        ("http://127.0.0.1:81/api/webhooks/12/abc", "http://127.0.0.1:81/api/v10/webhooks/12/abc"),
        ("http://discord.com/api/webhooks/12/abc", None),
        ("https://discord.com/channels/12", None),
        ("https://me@discord.com/api/webhooks/12/abc", None),
        ("ftp://discord.com/api/webhooks/12/abc", None),
        ("", None),
        ("https://[", None),
    ],
)
def test_only_the_address_of_a_webhook_is_one(url: str, address: str | None) -> None:
    assert discord.api_address(url) == address


TEXTS = st.text(max_size=3000) | st.sampled_from(
    ["", " ", "\n", "`" * 2000, "[" * 5000, "\\" * 5000, "𝔘" * 7000, "\x00"]
)
DETAILS = st.lists(st.builds(Detail, TEXTS, TEXTS, st.booleans()), max_size=40).map(tuple)
LINKS = st.lists(st.builds(Link, TEXTS, st.text(max_size=900).map("https://x/".__add__)), max_size=30).map(tuple)
NOTICES = st.builds(
    Notice,
    st.text(max_size=9),
    st.text(max_size=9),
    st.sampled_from(["failure", "full", "condensed", "deploying", "digest", "test"]),
    TEXTS,
    url=st.sampled_from(["", "https://x/y", "https://x/" + "y" * 3000]),
    text=TEXTS,
    details=DETAILS,
    links=LINKS,
    footer=TEXTS,
    at=st.floats(),
    ping=st.booleans(),
    silent=st.booleans(),
)


@given(NOTICES, st.sampled_from(["", "<@&1>", "@here"]), st.booleans())
def test_any_notice_is_within_the_limits_of_discord(notice: Notice, mention: str, edit: bool) -> None:
    body = json.loads(json.dumps(discord.body_of(notice, mention, edit=edit)).encode())

    assert problems(body) == {}


@given(
    st.sampled_from(["succeeded", "failed", "rolled-back", "halted", "paused", "unchanged", "held"]),
    TEXTS,
    TEXTS,
    st.lists(TEXTS, max_size=50),
    st.integers(0, 80),
    st.floats(0, 1e9),
)
def test_any_result_gives_messages_within_the_limits(
    outcome: str, reason: str, why: str, log: list[str], count: int, seconds: float
) -> None:
    error = Terminal("E-X", reason, why=why, next=why) if outcome in ("failed", "rolled-back", "halted") else None
    steps = plan(*([Action.CREATE] * count), new_image="app:2")
    result = replace(
        success(steps),
        outcome=outcome,  # type: ignore[arg-type]
        reason=reason,
        error=error,
        log=tuple(log),
        changes=commits(count),
        seconds=seconds,
        host=reason,
        actor=why,
    )
    for notice in said(result):
        assert problems(discord.body_of(notice, "<@&1>")) == {}
        json.loads(generic.body_of(notice))


def forms(secret: str) -> list[str]:
    told = secret.encode()
    basic = [
        base64.b64encode(before + told + after).decode() for before in (b"", b"u:", b"me:") for after in (b"", b"\n")
    ]
    return [
        secret,
        json.dumps(secret),
        json.dumps({"a": secret}, ensure_ascii=False),
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        shlex.quote(secret),
        html.escape(secret),
        html.escape(secret, quote=False),
        repr(secret),
        *basic,
        base64.urlsafe_b64encode(told).decode(),
    ]


SECRETS = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=12, max_size=60)


@given(SECRETS)
def test_no_form_of_a_secret_is_in_any_body(secret: str) -> None:
    redact = redactor([secret])
    (harmless,) = said(failure())
    assume(not any(form in generic.body_of(harmless).decode() for form in forms(secret)))  # `reconciler/n`
    for form in forms(secret):
        told = replace(
            failure(),
            reason=f"x {form} y",
            actor=form,
            log=("before", form, "after"),
            error=Terminal("E-X", form, why=form),
        )
        for notice in said(told, redact=redact):
            for body in (json.dumps(discord.body_of(notice), ensure_ascii=False), generic.body_of(notice).decode()):
                assert secret not in body
                assert not [each for each in forms(secret) if each in body and len(each) > 8]


def test_a_key_of_several_lines_is_not_shown_line_by_line() -> None:
    key = "-----BEGIN KEY-----\n" + "\n".join(f"line{n}{'x' * 50}" for n in range(30)) + "\n-----END KEY-----"
    (notice,) = said(
        replace(failure(), log=tuple(f"tool: {line}" for line in key.splitlines())), redact=redactor([key])
    )

    assert "xxxx" not in json.dumps(discord.body_of(notice))


def test_a_part_of_a_webhooks_address_is_secret_too() -> None:
    clean = redactor(["https://discord.com/api/webhooks/123/abcdefghijklmnop"]).clean

    assert clean("POST /api/webhooks/123/abcdefghijklmnop failed") == f"POST /{MASK} failed"
    assert clean("token abcdefghijklmnop") == f"token {MASK}"


def test_what_is_short_is_left_alone() -> None:
    assert redactor(["1000", "true"]).clean("1000 is true") == "1000 is true"


def test_the_other_notices_fit_as_well() -> None:
    for notice in (deploying("r", "h", "apply", NOW, Redactor()), trial("r", "h", NOW, failure=True)):
        assert problems(discord.body_of(notice, "<@&1>")) == {}
    assert discord.body_of(deploying("r", "h", "apply", NOW, Redactor()))["flags"] == 4096
