"""A channel that shows what Discord would: a small server that takes a webhook's calls and prints their embeds."""

from __future__ import annotations

import http.server
import json
import re
import textwrap
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

from demo_stage import styled


class Channel:
    """`url`: the webhook's address, on this machine. `embeds`: all that came, the newest last."""

    def __init__(self) -> None:
        self.embeds: list[dict[str, Any]] = []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Calls", (_Calls,), {"channel": self}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/api/webhooks/1/demo"

    def take(self, embed: dict[str, Any]) -> None:
        self.embeds.append(embed)
        _show(embed)


class _Calls(http.server.BaseHTTPRequestHandler):
    channel: ClassVar[Channel]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for embed in body["embeds"]:
            self.channel.take(embed)
        answer = json.dumps({"id": str(len(self.channel.embeds))}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_PATCH = do_POST  # an edit shows the message as it is then

    def log_message(self, format: str, *args: object) -> None:
        """The demo has words of its own."""


def _show(embed: dict[str, Any]) -> None:
    colour = "31" if embed.get("color", 0) >> 16 > 150 else "32"
    bar = f"      {styled('┃', colour)} "
    print(f"{bar}{styled(embed.get('title', ''), '1')}")
    for line in _read(embed.get("description", "")):
        print(f"{bar}{line}")
    for field in embed.get("fields", ()):
        name, lines = field["name"], list(_read(field["value"]))
        for line in [f"{name}: {lines[0]}"] if len(lines) == 1 else [f"{name}:", *(f"  {line}" for line in lines)]:
            for part in textwrap.wrap(line, 100, subsequent_indent="    ", break_on_hyphens=False):
                print(f"{bar}{part}")
    print(f"{bar}{embed.get('footer', {}).get('text', '')}", flush=True)


def _read(markdown: str) -> Iterator[str]:
    """The lines that a person would see. Escapes and fences are for Discord; in a block of code nothing is escaped."""
    for number, part in enumerate(markdown.split("```")):
        plain = part if number % 2 else re.sub(r"\\([\\*_~`|\[\]<>#@])", r"\1", part)
        yield from (line for line in plain.splitlines() if line.strip())
