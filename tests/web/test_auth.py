"""Which addresses are this machine's alone."""

from __future__ import annotations

import pytest

from reconciler.web.auth import open_to_others


@pytest.mark.parametrize(
    ("listen", "open_"),
    [
        ("127.0.0.1:8080", False),
        ("127.8.8.8:1", False),
        ("[::1]:8080", False),
        ("localhost:8080", False),
        ("0.0.0.0:8080", True),
        ("[::]:8080", True),
        ("10.0.0.1:80", True),
        ("localhost.example:80", True),
        ("127.0.0.1.example:80", True),
        ("[::ffff:10.0.0.1]:80", True),
    ],
)
def test_loopback_is_this_machine_alone(listen: str, open_: bool) -> None:
    assert open_to_others(listen) is open_
