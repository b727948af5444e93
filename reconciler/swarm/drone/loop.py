"""The loop of a drone: take an offer, build it, bring what came of it, say how it went; one at a time.

It dies at any point and begins anew: what it took on is written down before it begins, how it ended before anybody is
told, and what it made stays until it was brought. An orchestrator that is away costs waiting, and no build.
"""

from __future__ import annotations

import hashlib
import time
import traceback
from dataclasses import replace
from pathlib import Path

from reconciler.errors import ReconcilerError, Terminal, Transient
from reconciler.model.swarm import Artifact, Offer, Outcome
from reconciler.swarm.drone.at_work import AtWork, DroneRules, Stopping, Surroundings
from reconciler.swarm.drone.builder import Built, Packed
from reconciler.swarm.drone.memory import Taken
from reconciler.swarm.drone.pulse import Pulse
from reconciler.swarm.drone.uplink import LeaseLost, NotTaken

_NEXT = 2.0
"""Seconds that a question for the next offer may take: so long a drone that is idle takes to stop."""

_WAIT = 0.1
"""Seconds between two looks at whether it is to stop."""

_NOBODY = ("E-DRONE-CREDENTIAL", "E-ENGINE-CREDENTIAL")


class Drone:
    """`boot`: unique to this start of the process."""

    def __init__(self, rules: DroneRules, boot: str, world: Surroundings) -> None:
        self._rules, self._world = rules, world
        self._work, self._stopping = AtWork(), Stopping()
        self._pulse = Pulse(rules, boot, world, self._work, self._stopping)
        self._drained: float | None = None
        self._complaint = ""
        self._unwritten: Taken | None = None
        self._looked = 0.0

    @property
    def stopping(self) -> Stopping:
        return self._stopping

    def run(self) -> None:
        """Until it is asked to stop. Terminal when it may not go on, as with a void credential."""
        if not self._recover():
            self._deliver(patient=False)  # before a first beat says that this is another start, which holds nothing
        with self._pulse.beating():
            while self._goes_on():
                self._turn()
            self._deliver(patient=False)
            self._pulse.leaving = self._work.offer is None  # else its lease has to wait for its next start
        if self._pulse.broken is not None:
            raise self._pulse.broken

    def _goes_on(self) -> bool:
        return not self._stopping.asked and self._pulse.broken is None

    # --- one offer

    def _turn(self) -> None:
        try:
            self._deliver()
            if self._pulse.unable and time.monotonic() - self._looked >= self._rules.patience:
                self._is_unable(self._world.builder.unable())
            if self._goes_on() and (offer := self._world.link.next(_NEXT)) is not None:
                self._hand_back(offer) if self._pulse.unable else self._take_on(offer)
        except Transient as error:
            self._complain(f"{_why(error)}; it is tried again")
            self._wait(self._rules.patience)

    def _take_on(self, offer: Offer) -> None:
        """Work on it, and write down how it ended; what was withdrawn is nobody's any more."""
        try:
            self._world.memory.keep(Taken(offer, self._pulse.boot))
        except Transient as error:
            self._is_unable(_why(error))
            self._hand_back(offer)
            return
        self._complaint = ""
        self._work.begin(offer)
        self._pulse.beat()
        begun = time.monotonic()
        self._world.say(f"{offer.lease}: {_words(offer)}")
        built = self._worked(offer)
        if built.result == "returned" and not self._work.ending():
            self._is_unable(self._world.builder.unable())
        if lost := self._work.lost():
            self._world.say(f"{offer.lease}: ended, {lost}")
            self._put_away(offer)
            return
        outcome = Outcome(
            offer.build,
            offer.attempt,
            self._rules.name,
            built.result,
            time.monotonic() - begun,
            built.reason,
            tuple(_artifact(packed) for packed in built.packages),
            built.text,
            built.log,
        )
        self._world.say(
            f"{offer.lease}: {built.result} after {outcome.seconds:.0f} s{', ' * bool(built.reason)}{built.reason}"
        )
        files = {packed.path: str(packed.file) for packed in built.packages}
        self._write_down(Taken(offer, self._pulse.boot, outcome, files))

    def _is_unable(self, why: str) -> None:
        """It builds nothing until it can, and says so first: what it hands back would come again at once."""
        before, self._pulse.unable, self._looked = self._pulse.unable, why, time.monotonic()
        if bool(why) is not bool(before):
            self._world.say(f"{why}; nothing is built until that is over" if why else "it can build again")
            self._pulse.beat()

    def _hand_back(self, offer: Offer) -> None:
        """Another drone may have room: with us it would wait, however many there are."""
        why = self._pulse.unable
        self._world.say(f"{offer.lease}: it is not taken on, and handed back")
        self._world.link.finish(offer, Outcome(offer.build, offer.attempt, self._rules.name, "returned", 0.0, why))

    def _write_down(self, taken: Taken) -> None:
        """Without room for that what was made is brought all the same: it would be built again and again."""
        self._unwritten = None
        try:
            self._world.memory.keep(taken)
        except Transient as error:
            self._complain(
                f"{taken.offer.lease}: {_why(error)}; what came of it is brought as long as this drone lives"
            )
            self._unwritten = taken

    def _worked(self, offer: Offer) -> Built:
        """Whatever happens, it ends in an outcome: an offer that breaks the drone would break every other one, too."""
        if offer.profile not in ("", self._rules.profile):
            return Built("failed", f"it is for the profile {offer.profile}, and this drone has {self._rules.profile}")
        try:
            if offer.kind == "resolve":
                return self._world.builder.resolve(offer, self._work, self._ending)
            binhost = self._binhost()
            if why := self._ending():
                return Built("returned", why)
            return self._world.builder.build(offer, self._work, self._ending, binhost)
        except (Transient, Terminal) as error:
            if self._world.builder.unable():  # it is ours, and says nothing about the package
                return Built("returned", _why(error))
            self._wait(self._rules.patience)  # a sick machine should not go through the whole queue
            return Built("failed", _why(error))
        except Exception as error:  # noqa: BLE001  a mistake of ours is told, and the next offer may be another one
            return Built("failed", f"a mistake in the drone: {error!r}", log=traceback.format_exc())

    def _binhost(self) -> bool:
        """Whether it has packages already. What would be built without it while it is away would take for ever."""
        while True:
            try:
                return self._world.uplink.binhost()
            except Transient as error:
                self._work.phase("", "waiting for the binhost")
                self._complain(f"{_why(error)}; it is waited for")
                self._wait(self._rules.patience)
            if self._ending():
                return False

    def _ending(self) -> str:
        """Why what goes on is to end now: it is not wanted any more, or the drone has to stop."""
        if self._stopping.asked and self._drained is None:
            self._drained = time.monotonic() + self._rules.drain
        if self._stopping.at_once or (self._drained is not None and time.monotonic() >= self._drained):
            self._work.end("the drone was stopped before it was done")
        return self._work.ending()

    # --- what came of it

    def _deliver(self, *, patient: bool = True) -> None:
        """Bring what was made, and tell how it went: until that has worked, or is not wanted any more.

        Who is not patient, and a drone that stops, tries once; it stays written down, and is tried with the next start.
        So it is when nobody knows us: who is enrolled again in time still has the lease.
        """
        since: float | None = None
        while (taken := self._unwritten or self._world.memory.taken()) is not None and taken.outcome is not None:
            if self._pulse.broken is not None:
                return
            try:
                self._bring(taken, taken.outcome)
            except LeaseLost as error:
                self._world.say(f"{taken.offer.lease}: {error.what}")
            except Transient as error:
                since = (since or time.monotonic()) if isinstance(error, NotTaken) else None
                if since is not None and time.monotonic() - since >= self._rules.longest and taken.outcome.artifacts:
                    self._refused(taken, taken.outcome, error)
                    continue
                self._work.phase("", "waiting to bring what it made")
                self._complain(f"{taken.offer.lease}: {_why(error)}; it is kept, and tried again")
                if not patient or self._stopping.asked:
                    return
                self._wait(self._rules.patience)
                continue
            except Terminal as error:
                if error.code in _NOBODY:
                    raise
                self._refused(taken, taken.outcome, error)
                continue
            self._put_away(taken.offer)

    def _bring(self, taken: Taken, outcome: Outcome) -> None:
        for artifact in outcome.artifacts:
            self._insist()
            packed = Packed(Path(taken.files[artifact.path]), artifact.path, artifact.entry, artifact.header)
            self._world.uplink.upload(taken.offer, packed, artifact, self._work.lost)
        self._pulse.ship()
        self._insist()
        self._world.link.finish(taken.offer, outcome)

    def _insist(self) -> None:
        """What is nobody's any more is not brought: where nobody answers, that would be tried without end or pause."""
        if why := self._work.lost():
            raise LeaseLost("E-DRONE-LEASE", f"the lease is gone: {why}")

    def _refused(self, taken: Taken, outcome: Outcome, error: ReconcilerError) -> None:
        """A package that is not taken for what it is makes a failed build. When that is not taken either, we are
        nobody, and may not go on."""
        if not outcome.artifacts:
            self._put_away(taken.offer)
            raise error
        reason = f"what it made was not taken: {error.what}{f' ({error.why})' if error.why else ''}"
        failed = replace(outcome, result="failed", reason=reason, artifacts=())
        self._write_down(replace(taken, outcome=failed))

    def _put_away(self, offer: Offer) -> None:
        self._work.done()
        self._unwritten = None
        self._world.memory.forget()
        self._world.builder.forget(offer.lease)
        self._pulse.beat()

    # --- beginning and end

    def _recover(self) -> bool:
        """Clear away what an earlier start left, and hand back what it was at.

        Whether that has been built already: to bring it may take longer than a silent drone keeps its lease.
        """
        taken = self._world.memory.taken()
        if taken is None:
            self._world.builder.clean()
            return False
        built = taken.outcome is not None
        self._world.builder.clean(keep=taken.offer.lease if taken.outcome else "")
        if taken.outcome is None:
            reason = f"the drone was started anew while it was at {_words(taken.offer)}"
            self._world.say(f"{taken.offer.lease}: {reason}")
            outcome = Outcome(taken.offer.build, taken.offer.attempt, self._rules.name, "returned", 0.0, reason)
            taken = replace(taken, outcome=outcome)
            self._world.memory.keep(taken)
        else:  # it still holds what it held: another boot would say that it does not, and have it built again
            self._pulse.boot = taken.boot
        self._work.begin(taken.offer)  # while it is brought, it may still be withdrawn
        return built

    def _complain(self, text: str) -> None:
        """The same trouble once."""
        if text != self._complaint:
            self._world.say(text)
        self._complaint = text

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stopping.asked and not self._work.ending():
            time.sleep(_WAIT)


def _artifact(packed: Packed) -> Artifact:
    with packed.file.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact(packed.path, packed.file.stat().st_size, sha256, packed.entry, packed.header)


def _why(error: ReconcilerError) -> str:
    return f"{error}{f': {error.why}' if error.why else ''}"


def _words(offer: Offer) -> str:
    what = " ".join(offer.atoms)
    return f"a question about {what}" if offer.kind == "resolve" else f"the build of {what}"
