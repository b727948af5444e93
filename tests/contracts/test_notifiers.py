"""Notifiers over servers that keep the documented rules: what is sent, what each answer means, and when it ends."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from reconciler.adapters.notices.discord import DiscordNotifier
from reconciler.adapters.notices.webhook import WebhookNotifier
from reconciler.model.notice import Detail, Link, Notice
from tests.support.discord import TOKEN, Discord, discord

NOTICE = Notice(
    "run-1",
    "run-1",
    "failure",
    "caroline: failed",
    "https://git.example/c",
    "what happened",
    (Detail("Error", "no [way] out"), Detail("Log", "a ``` b", code=True)),
    (Link("commit", "https://git.example/c"),),
    footer="run run-1",
    facts=(("host", "caroline"), ("code", "E-X"), ("seconds", "1.500")),
    at=1_700_000_000.5,
    ping=True,
)


@pytest.fixture
def there() -> Iterator[Discord]:
    with discord() as running:
        yield running


@pytest.fixture
def notifier(there: Discord) -> DiscordNotifier:
    return DiscordNotifier(there.address, "<@&42>")


def test_a_notice_becomes_a_message_and_its_edit_the_same_message(there: Discord, notifier: DiscordNotifier) -> None:
    posted = notifier.post(NOTICE, 5)
    assert (posted.fate, posted.wait) == ("delivered", 0)
    edited = notifier.edit(posted.message, NOTICE, 5)

    assert edited == posted
    assert [asked.method for asked in there.asked] == ["POST", "PATCH"]
    assert all(asked.path.startswith("/api/v10/webhooks/") for asked in there.asked)
    assert there.asked[0].path.endswith("?wait=true")
    message = there.messages[posted.message]["embeds"][0]
    assert message["timestamp"] == "2023-11-14T22:13:20.500000+00:00"
    assert message["fields"][0]["value"] == "no \\[way\\] out"
    assert there.asked[0].body["content"] == "<@&42>"
    assert there.asked[1].body["content"] == ""


@pytest.mark.parametrize(
    ("mode", "fate", "wait"),
    [
        ("429", "later", 0.2),
        ("global", "later", 0.2),
        ("html429", "later", 3600),
        ("500", "later", 0),
        ("closed", "later", 0),
        ("401", "stopped", 0),
        ("404", "stopped", 0),
        ("redirect", "stopped", 0),
        ("204", "delivered", 0),
    ],
)
def test_every_answer_means_something(
    there: Discord, notifier: DiscordNotifier, mode: str, fate: str, wait: float
) -> None:
    there.mode = mode
    told = notifier.post(NOTICE, 5)

    assert (told.fate, told.wait) == (fate, wait)
    assert TOKEN not in told.why
    assert len(there.asked) == 1


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_one_that_never_comes_to_an_end_is_left_behind(there: Discord, notifier: DiscordNotifier, mode: str) -> None:
    there.mode = mode
    told = notifier.post(NOTICE, 0.5)

    assert told.fate == "later"
    assert "no answer within" in told.why
    there.mode = "ok"
    assert notifier.post(NOTICE, 5).fate == "delivered"


def test_nobody_listening_is_later_and_a_name_that_nobody_knows_too() -> None:
    with discord() as gone:
        pass
    assert DiscordNotifier(gone.address).post(NOTICE, 5).fate == "later"
    assert DiscordNotifier("https://nobody.invalid/api/webhooks/1/abc").post(NOTICE, 5).fate == "later"


def test_the_last_of_a_limit_tells_how_long_to_wait(there: Discord, notifier: DiscordNotifier) -> None:
    there.remaining, there.retry_after = "0", 1.5

    assert notifier.post(NOTICE, 5).wait == 1.5


@pytest.mark.parametrize("wait", [float("nan"), float("inf"), -3.0, 1e30])
def test_a_wait_that_makes_no_sense_does_not_stop_notices(
    there: Discord, notifier: DiscordNotifier, wait: float
) -> None:
    there.mode, there.retry_after = "429", wait

    assert 0 <= notifier.post(NOTICE, 5).wait <= 86400


def test_a_message_that_was_deleted_is_not_a_webhook_that_was(there: Discord, notifier: DiscordNotifier) -> None:
    assert notifier.edit("999", NOTICE, 5).fate == "missing"
    there.mode = "404"
    assert notifier.edit("999", NOTICE, 5).fate == "stopped"


def test_an_address_that_is_none_is_said_without_asking_anybody() -> None:
    assert DiscordNotifier("").post(NOTICE, 5).fate == "stopped"
    assert DiscordNotifier("https://discord.com/nothing").post(NOTICE, 5).fate == "stopped"
    assert "not there" in WebhookNotifier("").post(NOTICE, 5).why
    assert "neither http" in WebhookNotifier("ftp://a").post(NOTICE, 5).why


def test_whether_a_webhook_is_there_is_asked_without_a_message(there: Discord, notifier: DiscordNotifier) -> None:
    assert notifier.look(5).fate == "delivered"
    assert not there.messages
    there.mode = "404"
    assert notifier.look(5).fate == "stopped"


def test_a_proxy_of_the_environment_is_asked(
    there: Discord, notifier: DiscordNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    with discord() as proxy:
        proxy.mode = "500"
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert notifier.post(NOTICE, 5).fate == "later"
        assert proxy.asked[0].path.startswith("http://127.0.0.1:")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert notifier.post(NOTICE, 5).fate == "delivered"


class _Hook(BaseHTTPRequestHandler):
    status, headers_sent = 200, {}  # type: tuple[int, dict[str, str]]
    asked: list[tuple[dict[str, str], bytes]]

    def log_message(self, format: str, *args: object) -> None: ...

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.status)
        for name, value in {"Content-Length": "0", **self.headers_sent}.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def hook(status: int = 200, **headers: str) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    asked: list[tuple[dict[str, str], bytes]] = []
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    handler = type("Handler", (_Hook,), {"status": status, "headers_sent": sent, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/notices?key=abc", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_webhook_of_ones_own_gets_json_that_is_signed() -> None:
    with hook() as (url, asked):
        notifier = WebhookNotifier(url, b"It's a Secret to Everybody\n")
        assert notifier.post(NOTICE, 5).fate == "delivered"
        assert notifier.edit("run-1", NOTICE, 5).fate == "delivered"

    headers, body = asked[0]
    told = json.loads(body)
    digest = hmac.new(b"It's a Secret to Everybody", body, hashlib.sha256).hexdigest()
    assert headers["x-reconciler-signature-256"] == f"sha256={digest}"
    assert headers["x-reconciler-kind"] == "failure"
    assert (told["schema"], told["key"], told["update"]) == ("reconciler/notice/v1", "run-1", False)
    assert (told["host"], told["code"], told["seconds"], told["urgent"]) == ("caroline", "E-X", 1.5, True)
    assert told["at"] == "2023-11-14T22:13:20.500000+00:00"
    assert json.loads(asked[1][1])["update"] is True


def test_without_a_key_nothing_is_signed() -> None:
    with hook() as (url, asked):
        WebhookNotifier(url).post(NOTICE, 5)

    assert "x-reconciler-signature-256" not in asked[0][0]


@pytest.mark.parametrize(
    ("status", "headers", "fate", "wait"),
    [
        (204, {}, "delivered", 0),
        (400, {}, "refused", 0),
        (401, {}, "stopped", 0),
        (404, {}, "later", 0),
        (410, {}, "stopped", 0),
        (302, {"Location": "http://127.0.0.1:1/"}, "stopped", 0),
        (429, {"Retry_After": "17"}, "later", 17),
        (503, {"Retry_After": "9" * 5000}, "later", 0),
        (503, {"Retry_After": "Fri, 31 Dec 2099 23:59:59 GMT"}, "later", 0),
    ],
)
def test_the_answers_of_a_webhook_of_ones_own(status: int, headers: dict[str, str], fate: str, wait: float) -> None:
    with hook(status, **headers) as (url, _):
        told = WebhookNotifier(url).post(NOTICE, 5)

    assert (told.fate, told.wait) == (fate, wait)


def test_an_address_tells_only_whether_it_is_the_same() -> None:
    one, other = WebhookNotifier("https://x/a"), WebhookNotifier("https://x/b")

    assert one.address != other.address
    assert "x" not in one.address
    assert one.address == WebhookNotifier("https://x/a\n").address
