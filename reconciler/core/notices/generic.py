"""A notice as JSON for a webhook of one's own; docs/notices.md has its shape."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime

from reconciler.model.notice import Notice

SCHEMA = "reconciler/notice/v1"
_LONGEST = 16_000


def body_of(notice: Notice, *, again: bool = False) -> bytes:
    """`key` is the message: a later one under the same key (`update`) takes its place."""
    at = datetime.fromtimestamp(notice.at, UTC).isoformat() if 0 <= notice.at < 32503680000 else ""
    told = {
        "schema": SCHEMA,
        "key": notice.key,
        "run": notice.run,
        "kind": notice.kind,
        "update": again,
        "at": at,
        "title": notice.title,
        "url": notice.url,
        "text": notice.text[:_LONGEST],
        "details": [{"name": d.name, "value": d.value[:_LONGEST]} for d in notice.details],
        "links": [{"label": link.label, "url": link.url} for link in notice.links],
        "urgent": notice.ping,
        **{name: value for name, value in notice.facts if name != "seconds"},
        "seconds": float(dict(notice.facts).get("seconds", 0)),
    }
    return json.dumps(told, separators=(",", ":")).encode()


def signature(body: bytes, secret: bytes) -> str:
    """`sha256=<hex>`: HMAC-SHA256 over exactly the bytes of the body, as GitHub signs its webhooks."""
    return f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}"
