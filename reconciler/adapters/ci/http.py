"""Questions over HTTP to a server that may be slow, down, wrong or not the one that was meant.

A token is sent to the origin of the configured address and nowhere else; a question has a deadline as a whole, and an
answer a size. https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import email.utils
import json
import queue
import re
import threading
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.core.redact import redactor
from reconciler.model.gate import CiPage, CiRun
from reconciler.ports import Clock, Unanswered

if TYPE_CHECKING:
    import requests

DEADLINE = 30.0
"""Seconds for one question, its redirects and its whole answer."""

LARGEST = 8 << 20
"""Bytes of an answer: a hundred runs of GitHub are about two million."""

MOST_PAGES = 10
_MOST_REDIRECTS = 3
_LONGEST = 3600.0
"""Seconds that a server may ask us to stay away: the window of GitHub's own limits."""

_LIMITED, _TROUBLE = 60.0, 15.0
_SHA = re.compile(r"[0-9a-f]{40}")

Read = Callable[[Any], tuple[CiRun, ...]]
"""The runs in a page's JSON; KeyError, TypeError, ValueError when it is not what was asked for."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class CiHttp:
    """`name`: who is asked, for people. `headers`: all that are sent, with the token; `token`: its secret's name."""

    def __init__(
        self, name: str, headers: Mapping[str, str], clock: Clock, token: str = "", deadline: float = DEADLINE
    ) -> None:
        self._name, self._headers, self._clock = name, dict(headers), clock
        self._token, self._deadline = token, deadline
        self._redactor = redactor([headers.get("Authorization", "").rpartition(" ")[2]])

    def pages(self, address: str, sha: str, known: Mapping[str, CiPage], read: Read) -> dict[str, CiPage]:
        """The page at `address` and those that follow it (RFC 8288), by their address. Unanswered."""
        if not _SHA.fullmatch(sha):
            raise ValueError(f"not the full name of a commit: {sha!r}")  # a server would answer about every commit
        found: dict[str, CiPage] = {}
        while address:
            if len(found) == MOST_PAGES:
                raise self._strange(f"there are more than {MOST_PAGES} pages of runs for one commit")
            found[address] = self._page(address, known.get(address), read)
            address = found[address].next
        return found

    def _page(self, address: str, before: CiPage | None, read: Read) -> CiPage:
        answer = self._ask(address, before.etag if before else "")
        if answer.status == 304 and before:
            return before
        if answer.status != 200:
            raise self._refusal(answer)
        try:
            runs = read(json.loads(answer.body))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise self._strange(f"{type(error).__name__}: {error}"[:200]) from None
        return CiPage(answer.headers.get("etag", ""), _next(address, answer.headers.get("link", "")), runs)

    # ---- one question

    def _ask(self, address: str, etag: str) -> _Answer:
        """In a thread that is left behind when the time is over: a name server or a slow drip knows no time-out."""
        done: queue.SimpleQueue[_Answer | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                done.put(self._followed(address, etag))
            except Exception as error:  # noqa: BLE001  it is raised again where somebody waits for it
                done.put(error)

        threading.Thread(target=work, daemon=True).start()
        try:
            came = done.get(timeout=self._deadline)
        except queue.Empty:
            raise self._silent(f"no whole answer within {self._deadline:g} s") from None
        if isinstance(came, _Answer):
            return came
        if isinstance(came, Unanswered):
            raise came
        if isinstance(came, (OSError, ValueError)):  # every RequestException is an OSError
            raise self._silent(_words(came)) from None
        raise came

    def _followed(self, address: str, etag: str) -> _Answer:
        import requests

        headers = self._headers | {"Accept-Encoding": "identity", "User-Agent": "reconciler"}
        headers |= {"If-None-Match": etag} if etag else {}
        with requests.Session() as session:
            for _ in range(_MOST_REDIRECTS + 1):
                with session.get(
                    address, headers=headers, auth=_as_they_are, allow_redirects=False, stream=True,
                    timeout=self._deadline,
                ) as response:  # fmt: skip
                    if not response.is_redirect:
                        return _Answer(response.status_code, response.headers, self._body(response))
                    target = urllib.parse.urljoin(address, response.headers["location"])
                if _origin(target) != _origin(address):
                    raise self._elsewhere(target)
                address = target
        raise self._strange(f"more than {_MOST_REDIRECTS} redirects")

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.iter_content(1 << 16):
            body += chunk
            if len(body) > LARGEST:
                raise self._strange(f"the answer is larger than {LARGEST >> 20} MiB")
        return bytes(body)

    # ---- what went wrong

    def _refusal(self, answer: _Answer) -> Unanswered:
        status, headers = answer.status, answer.headers
        if status == 429 or (status == 403 and _is_limit(answer)):
            wait, told = self._wait(headers)
            return Unanswered(
                "E-CI-LIMIT",
                f"{self._name} asks for fewer questions ({status})",
                why=f"it may be asked again in {wait:.0f} s",
                next="nothing; a token raises the limit" if not self._token else "nothing: it is asked again then",
                wait=wait,
                told=told,
                status=status,
            )
        if status in (401, 403):
            mend = f"renew the secret {self._token!r}" if self._token else "give ci.token a secret with a token"
            return Unanswered(
                "E-CI-AUTH",
                f"{self._name} refuses our token ({status})"
                if self._token
                else f"{self._name} wants a token ({status})",
                why=self._redactor.clean(_message(answer.body)) or "it says no more",
                next=f"{mend} that may read the repository's actions and statuses; reconciler doctor tells more",
                wait=_TROUBLE,
                told=True,
                status=status,
            )
        if status in (404, 410):
            return Unanswered(
                "E-CI-ABSENT",
                f"{self._name} knows no such repository ({status})",
                why="the address is wrong, or it is private and our token may not see it",
                next="mend ci.repository and ci.url in fleet.yaml, or the token",
                wait=_TROUBLE,
                told=True,
                status=status,
            )
        if status >= 500:
            told_wait, told = self._wait(headers) if "retry-after" in headers else (_TROUBLE, False)
            return self._trouble("E-CI-DOWN", f"{self._name} is in trouble ({status})", "", told_wait, told, status)
        return self._strange(f"HTTP status {status} {_message(answer.body)}".strip(), status)

    def _silent(self, why: str) -> Unanswered:
        return self._trouble("E-CI-DOWN", f"{self._name} does not answer", why)

    def _trouble(
        self, code: str, what: str, why: str, wait: float = _TROUBLE, told: bool = False, status: int = 0
    ) -> Unanswered:
        return Unanswered(
            code,
            what,
            why=why or "that passes by itself, as a rule",
            next="nothing: it is asked again; if it stays so, look at the address and the network (reconciler doctor)",
            wait=wait,
            told=told,
            status=status,
        )

    def _strange(self, why: str, status: int = 0) -> Unanswered:
        return Unanswered(
            "E-CI-ANSWER",
            f"{self._name} gives an answer that cannot be believed",
            why=self._redactor.clean(why),
            next="check ci.provider, ci.url and ci.repository in fleet.yaml, and what stands between: a proxy?",
            wait=_TROUBLE,
            status=status,
        )

    def _elsewhere(self, target: str) -> Unanswered:
        parts = urllib.parse.urlsplit(target)
        return Unanswered(
            "E-CI-REDIRECT",
            f"{self._name} sends us to another server",
            why=f"to {parts.scheme}://{parts.hostname}; a token is shown to the configured server only",
            next="write the address that it has now into ci.url or ci.repository",
            wait=_TROUBLE,
            told=True,
        )

    def _wait(self, headers: Mapping[str, str]) -> tuple[float, bool]:
        """Seconds to stay away, and whether the server named them."""
        now = self._clock.now()
        seconds = _retry_after(headers.get("retry-after", ""), now)
        if seconds is None and headers.get("x-ratelimit-remaining") == "0":
            reset = headers.get("x-ratelimit-reset", "")
            seconds = float(reset) - (_date(headers.get("date", "")) or now) if reset.isdecimal() else None
        return (_LIMITED, False) if seconds is None else (min(max(seconds, 1.0), _LONGEST), True)


def link(value: object) -> str:
    """An address to show to people; "" for anything else."""
    return value if isinstance(value, str) and re.fullmatch(r"https?://[^\s\"'<>\x00-\x1f]{1,500}", value) else ""


def text(value: object, most: int = 200) -> str:
    """One line of what a server says; TypeError when it is no text."""
    if not isinstance(value, str):
        raise TypeError(f"text was expected, not {type(value).__name__}")
    return " ".join(value.split())[:most]


def number(value: object) -> int:
    """TypeError when it is none."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"a number was expected, not {type(value).__name__}")
    return value


def _as_they_are(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """The headers stay ours: without an `auth` the user's ~/.netrc would replace the token."""
    return request


def _next(address: str, header: str) -> str:
    """The next page: what follows the `?` at most, since a server behind a proxy names itself differently."""
    for part in header.split(","):
        found = re.match(r'\s*<([^>]*)>\s*;.*\brel="?next"?', part)
        if found and (query := urllib.parse.urlsplit(found[1]).query):
            return urllib.parse.urlunsplit(urllib.parse.urlsplit(address)._replace(query=query))
    return ""


def _origin(address: str) -> tuple[str, str, int | None]:
    parts = urllib.parse.urlsplit(address)
    return parts.scheme, (parts.hostname or ""), parts.port or {"https": 443, "http": 80}.get(parts.scheme)


def _is_limit(answer: _Answer) -> bool:
    """GitHub answers 403 for its limits too; of the secondary ones only the link to their page may tell."""
    if "retry-after" in answer.headers or answer.headers.get("x-ratelimit-remaining") == "0":
        return True
    try:
        return "rate-limit" in str(json.loads(answer.body)["documentation_url"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _message(body: bytes) -> str:
    try:
        return text(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def _retry_after(value: str, now: float) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3)."""
    if value.strip().isdecimal():
        return float(value)
    date = _date(value)
    return None if date is None else date - now


def _date(value: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _words(error: Exception) -> str:
    """What happened, without the address: a template may hold more than people should see."""
    kind = type(error).__name__
    if isinstance(error, ValueError):  # a header that cannot be sent is quoted in it
        return kind
    cause = error.args[0] if error.args else ""
    reason = getattr(cause, "reason", cause)
    return f"{kind}: {str(reason).rpartition(': ')[2]}"[:200]
