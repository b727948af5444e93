"""What a machine with systemd converges: one stack, from a bare repository of the same machine with our hook."""

from __future__ import annotations

from tests.support.engine import ROOT
from tests.support.machine import SOCKET, Machine

CONFIG = "/etc/reconciler/reconciler.toml"
TRIGGER = "/run/reconciler/inbox/trigger"
SETTINGS = f"""
host = "box"
[repository]
url = "file:///srv/git/fleet.git"
[docker]
host = "unix://{SOCKET}"
[verify]
window = "200ms"
"""
FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nhosts: {box: {connect: local, checkout: /opt/fleet}}\n"
HELD = "    healthcheck: {test: [CMD, test, -e, /ok], interval: 200ms, timeout: 9s, retries: 900}\n"


def stack(number: int, more: str = "") -> str:
    """A service that can be told from others by its label."""
    return (
        "services:\n  web:\n    image: test/box:1\n    command: [sleep, '600']\n    stop_grace_period: 0s\n"
        f"    pull_policy: never\n    labels: {{number: '{number}'}}\n{more}"
    )


class Fleet:
    """The user `pusher` is in the group of the inbox and not root; the user `stranger` is neither."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        machine.reset()
        machine.write(CONFIG, SETTINGS)
        machine.sh(f"""
            git init -q --bare --initial-branch=main /srv/git/fleet.git
            chown -R pusher /srv/git/fleet.git
            REPO=/srv/git/fleet.git {ROOT}/scripts/hook.sh
        """)
        self._as_pusher(f"""
            git config --global user.name pusher; git config --global user.email pusher@example.org
            git clone -q /srv/git/fleet.git work 2>/dev/null; cd work; git checkout -q -b main
            mkdir -p manifests/stacks/app; cat >manifests/fleet.yaml <<'--END--'\n{FLEET}\n--END--
        """)
        machine.sh("systemctl start reconciler.path")

    def _as_pusher(self, script: str) -> str:
        return self.machine.sh(f"export HOME=/home/pusher; cd\n{script}", user="pusher").text

    def commit(self, text: str) -> None:
        """The stack's Compose file, committed and not yet pushed."""
        self._as_pusher(f"""
            cd work; cat >manifests/stacks/app/compose.yaml <<'--END--'\n{text}\n--END--
            git add -A; git commit -q -m 'a change'
        """)

    def push(self, number: int = 1, more: str = "") -> str:
        """Commit and push the stack; what git said."""
        self.commit(stack(number, more))
        return self._as_pusher("cd work; git push -q origin main 2>&1")

    def push_unseen(self, number: int = 1, more: str = "") -> None:
        """A push without the hook, as to a repository elsewhere."""
        self.commit(stack(number, more))
        self._as_pusher("cd work; git push -q --receive-pack='git -c core.hooksPath=/ receive-pack' origin main")

    def runs(self, number: int) -> str:
        """The container that runs the stack with that number; "" when none does."""
        return self.machine.engine.cli("ps", "-q", "--filter", f"label=number={number}")

    def settled(self, number: int) -> float:
        """Wait until the number runs and the pass is over, and well; how long that took, in seconds."""
        took = self.machine.eventually(lambda: self.runs(number) and self.machine.idle(), f"number {number} runs")
        assert self.machine.state("reconciler.service", "Result") == "success", self.machine.said()
        return took

    def release(self, number: int) -> None:
        """Let a stack that was pushed with `HELD` be healthy, whichever container it is, until the service rests."""

        def goes_on() -> bool:
            self.machine.engine.cli("exec", self.runs(number), "touch", "/ok", check=False)
            return self.machine.idle()

        self.machine.eventually(goes_on, f"number {number} is healthy")

    def passes(self) -> int:
        """How many passes the history knows."""
        return len(self.machine.sh("reconciler history -o name").text.split())
