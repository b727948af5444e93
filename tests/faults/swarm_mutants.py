"""Breaks of what the queue of the swarm promises, one by one, each with the tests that have to see it."""

from __future__ import annotations

from tests.faults.mutants import Mutant

DRONES = "tests/swarm/test_swarm_drones.py"
REQUESTS = "tests/swarm/test_orchestrator.py"
STORE = "tests/contracts/test_swarm_store.py"
ENGINE = "tests/contracts/test_dispatch_engine.py"
CRASH = "tests/faults/test_swarm_crash.py::test_a_death_at_any_point_changes_nothing_of_the_end"

SWARM_MUTANTS = (
    Mutant(
        "an outcome of an old attempt counts",
        "S1",
        "reconciler/swarm/draft.py",
        "lease is not None and lease.attempt == attempt and lease.ended is None",
        "lease is not None and lease.ended is None",
        (f"{DRONES}::test_what_an_old_attempt_brings_is_stale_on_the_same_drone_too",),
    ),
    Mutant(
        "the acknowledgement comes before the commit",
        "S2",
        "reconciler/swarm/ticking.py",
        """        self._desk.commit(draft, self.fence)
        self._beats.clear()
        self.looked = now
        for delivery in deliveries:
            delivery.ack()
""",
        """        for delivery in deliveries:
            delivery.ack()
        self._desk.commit(draft, self.fence)
        self._beats.clear()
        self.looked = now
""",
        (CRASH,),
    ),
    Mutant(
        "what was never offered is never offered",
        "S2",
        "reconciler/swarm/compare.py",
        "            engine.offer(drone, offer(board, lease, timeout))\n",
        "            continue\n",
        (f"{DRONES}::test_an_offer_that_did_not_get_out_is_made_by_the_next_tick",),
    ),
    Mutant(
        "nobody compares",
        "S2",
        "reconciler/swarm/ticking.py",
        "        for lease in compare(draft.board, self._engine, self._rules.timeout):\n",
        "        for lease in ():\n",
        (
            f"{DRONES}::test_what_the_engine_has_lost_is_given_out_anew",
            f"{DRONES}::test_what_nobody_stands_behind_is_withdrawn",
        ),
    ),
    Mutant(
        "a lost drone keeps what it had",
        "S3",
        "reconciler/swarm/watch.py",
        "        return _lose(draft, name, silent)\n",
        "        return ()\n",
        (f"{DRONES}::test_what_a_lost_drone_had_runs_elsewhere_within_three_heartbeats",),
    ),
    Mutant(
        "a lost drone is a failure",
        "S3",
        "reconciler/swarm/retry.py",
        "        return lifecycle.again(build, now, why)\n",
        "        return lifecycle.again(build, now, why, failed_on=build.drone)\n",
        ("tests/swarm/test_retry.py::test_a_lost_drone_is_no_failure",),
    ),
    Mutant(
        "silence counts while nobody looked",
        "S3",
        "reconciler/swarm/watch.py",
        "    if away and not spoke:\n",
        "    if away and spoke:\n",
        (f"{DRONES}::test_nobody_is_lost_while_the_orchestrator_itself_was_away",),
    ),
    Mutant(
        "a drone that began anew holds what it had",
        "S3",
        "reconciler/swarm/presence.py",
        "    return known.beat is not None and known.beat.boot != beat.boot\n",
        "    return False\n",
        (f"{DRONES}::test_what_a_restarted_drone_had_is_given_out_anew_at_once",),
    ),
    Mutant(
        "what needs a failed package waits for ever",
        "S4",
        "reconciler/swarm/draft.py",
        "        self._hold_dependants()\n        self._end_requests()\n",
        "        self._end_requests()\n",
        (f"{REQUESTS}::test_a_package_that_fails_everywhere_holds_what_needs_it_and_nothing_else",),
    ),
    Mutant(
        "a package is tried for ever",
        "S4",
        "reconciler/swarm/retry.py",
        "    if len(build.failures) < retries:\n",
        "    if len(build.failures) < retries + 100:\n",
        ("tests/swarm/test_retry.py::test_a_package_that_fails_is_tried_twice_more_and_then_given_up",),
    ),
    Mutant(
        "who is late moves a build",
        "S5",
        "reconciler/adapters/swarm/store.py",
        "WHERE id = ? AND attempt = ? AND drone = ? AND state = ?",
        "WHERE id = ? AND attempt + 0 * ? = attempt AND drone = ? AND state = ?",
        (f"{STORE}::test_whoever_does_not_know_a_build_as_it_is_cannot_move_it",),
    ),
    Mutant(
        "a leader that was replaced goes on",
        "S5",
        "reconciler/adapters/swarm/store.py",
        "    if seen > fence:\n",
        "    if seen > fence + (1 << 40):\n",
        (
            f"{STORE}::test_nobody_commits_after_a_later_leader_has",
            f"{DRONES}::test_leadership_moves_when_its_holder_hangs_and_the_late_one_changes_nothing",
        ),
    ),
    Mutant(
        "an upload of a lost lease is taken",
        "S6",
        "reconciler/swarm/orchestrator.py",
        "            and (found.lead, found.attempt, found.drone) == (build, attempt, drone)\n",
        "            and (found.lead, found.drone) == (build, drone)\n",
        (f"{REQUESTS}::test_an_upload_needs_the_live_lease",),
    ),
    Mutant(
        "the same offer again is a second one",
        "S7",
        "reconciler/adapters/swarm/engine_embedded.py",
        "INSERT OR IGNORE INTO offers",
        "INSERT OR REPLACE INTO offers",
        (f"{ENGINE}::test_the_same_offer_again_is_no_second_one",),
    ),
    Mutant(
        "an outcome is told once, whether somebody kept it or not",
        "S7",
        "reconciler/adapters/swarm/engine_embedded.py",
        '        rows = self._database.ask("SELECT seq, body FROM outcomes ORDER BY seq")\n',
        """        rows = self._database.ask("SELECT seq, body FROM outcomes ORDER BY seq")
        self._database.do("DELETE FROM outcomes")
""",
        (f"{ENGINE}::test_an_outcome_stays_until_it_is_acknowledged",),
    ),
    Mutant(
        "a void credential is good",
        "S8",
        "reconciler/adapters/swarm/engine_embedded.py",
        '            database.execute("DELETE FROM drones WHERE name = ?", (drone,))\n',
        "",
        (f"{ENGINE}::test_a_revoked_drone_is_told_so_whatever_it_does",),
    ),
)
