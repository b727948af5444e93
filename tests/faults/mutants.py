"""Breaks of the invariants, one by one, each with the tests that have to see it (`make mutants`)."""

from __future__ import annotations

from dataclasses import dataclass

PROMISES = "tests/faults/test_promises.py"
DOORS = "tests/faults/test_never_deployed.py"
DEATHS = "tests/faults/test_three_deaths.py"
CRASH = "tests/faults/test_crash_memory.py::test_a_pass_that_dies_anywhere_is_finished_by_the_next_two"
AFTERWARDS = (
    "tests/faults/test_crash_afterwards.py::"
    "test_a_pause_of_a_person_holds_after_a_death_and_afterwards_all_ends_as_it_would_have"
)
CONVERGE = "reconciler/convergence/converge.py"


@dataclass(frozen=True)
class Mutant:
    """In `file`, `old` becomes `new`; `tests` (node ids) must fail then. `invariant`: I1 to I20, S1 to S8, D1 to D5."""

    name: str
    invariant: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.invariant} {self.name}"


MUTANTS = (
    Mutant(
        "two passes at once",
        "I1",
        "reconciler/adapters/lock.py",
        "fcntl.LOCK_EX | fcntl.LOCK_NB",
        "fcntl.LOCK_SH | fcntl.LOCK_NB",
        ("tests/faults/test_pass_lock.py",),
    ),
    Mutant(
        "who is turned away leaves no word",
        "I2",
        "reconciler/adapters/lock.py",
        "            self.leave_again(trigger)\n            self.acquire(holder())",
        "            self.acquire(holder())",
        ("tests/faults/test_pass_lock.py",),
    ),
    Mutant(
        "a block forgets the files",
        "I3",
        "reconciler/core/target.py",
        "if block.holds_for(revision) or (block.tree and block.tree == tree):",
        "if block.holds_for(revision):",
        (f"{DOORS}::test_what_is_blocked_is_deployed_by_no_door[by_its_files-nothing]",),
    ),
    Mutant(
        "a block forgets what was wanted",
        "I3",
        "reconciler/core/target.py",
        "if wanted and block.desired == wanted",
        "if wanted and block.name == wanted",
        (f"{DOORS}::test_what_is_blocked_is_deployed_by_no_door[by_what_it_wants-nothing]",),
    ),
    Mutant(
        "a blocked image is followed",
        "I3",
        "reconciler/core/drift.py",
        'if moved and f"image-{moved}" not in blocked:',
        "if moved:",
        ("tests/core/test_blocked_images.py::test_what_runs_stays_as_it_is_while_its_tag_names_a_blocked_image",),
    ),
    Mutant(
        "a rollback asks no block",
        "I3",
        "reconciler/convergence/aim.py",
        "        if found := self._blocked(asked, blocks):\n            raise _may_not(found)\n",
        "",
        (f"{DOORS}::test_what_is_blocked_is_deployed_by_no_door[by_its_name-nothing]",),
    ),
    Mutant(
        "the undo comes before the block",
        "I3",
        "reconciler/convergence/undo.py",
        """        unblocked = self._blocked(picture, owner, aim, failures)
        trouble = self._files_back(picture) or unblocked
        discard_made(world.engine, picture.plan, picture.observed, self._observe(owner), (), created=True)
""",
        """        discard_made(world.engine, picture.plan, picture.observed, self._observe(owner), (), created=True)
        unblocked = self._blocked(picture, owner, aim, failures)
        trouble = self._files_back(picture) or unblocked
""",
        (f"{PROMISES}::test_the_block_is_written_before_the_way_back_begins",),
    ),
    Mutant(
        "a container is made from a blocked image",
        "I3",
        "reconciler/core/planner.py",
        "    if not moved and (block := block_of(image, seen.blocked)):\n",
        "    if False:\n",
        ("tests/core/test_blocked_images.py::test_a_missing_container_comes_from_the_image_before_the_blocked_one",),
    ),
    Mutant(
        "what a dead pass left is left",
        "I4",
        "reconciler/convergence/recover.py",
        "    if backward:\n",
        "    if False:\n",
        (f"{AFTERWARDS}[one image]",),
    ),
    Mutant(
        "a dead rollback is forgotten",
        "I4",
        "reconciler/convergence/taken_up.py",
        'if run.command == "rollback" and run.died:',
        'if run.command == "rollback" and run.outcome == "interrupted now":',
        (f"{CRASH}[rolled back]",),
    ),
    Mutant(
        "a dead deploy keeps its pause",
        "I4",
        "reconciler/convergence/own_pause.py",
        'return None if self._request.command != "converge" or self._died(pause.run) else pause',
        'return None if self._request.command != "converge" else pause',
        (f"{CRASH}[deployed]",),
    ),
    Mutant(
        "a promise is not written down",
        "I4",
        "reconciler/convergence/exchange.py",
        "        self._ledger.intend(Intent(self._run, promised, old.id, old.name, policy(old), self._clock.now()))\n",
        "",
        (f"{PROMISES}::test_the_very_containers_of_before_serve_again_after_a_failure",),
    ),
    Mutant(
        "a rewritten branch is followed",
        "I5",
        "reconciler/core/target.py",
        "    if not descends:\n",
        "    if False:\n",
        ("tests/core/test_target.py::test_a_rewritten_branch_is_never_followed",),
    ),
    Mutant(
        "the base is known to the stamp alone",
        "I6",
        CONVERGE,
        'account.base = world.signals.stamp() or world.ledger.verified() or ""',
        "account.base = world.signals.stamp()",
        (f"{PROMISES}::test_the_way_back_is_known_though_the_ledger_or_the_stamp_is_lost",),
    ),
    Mutant(
        "files are changed before the images are there",
        "I7",
        CONVERGE,
        "        prepare_images(world.engine, ",
        """        world.repository.checkout(target.revision, picture.desired.checkout, self._request.run)
        prepare_images(world.engine, """,
        (f"{PROMISES}::test_an_image_that_cannot_be_pulled_ends_a_pass_before_anything_is_touched",),
    ),
    Mutant(
        "a redefined volume is not refused",
        "I8",
        "reconciler/core/guard.py",
        "        *_changed_volumes(desired, observed),\n",
        "",
        ("tests/core/test_guard.py::test_a_volume_is_never_redefined_under_its_data",),
    ),
    Mutant(
        "what is not from git is no obstacle",
        "I8",
        "reconciler/git/worktree/plan.py",
        """            self._plan.writes.append(Write(path, kind, id, found))
        else:
            self._plan.obstacles.add(path)
""",
        """            self._plan.writes.append(Write(path, kind, id, found))
        else:
            self._plan.writes.append(Write(path, kind, id, found))
""",
        ("tests/contracts/test_checkout.py",),
    ),
    Mutant(
        "a rollback is rolled back",
        "I9",
        "reconciler/convergence/failed.py",
        'if self._account.request.command == "rollback":',
        'if self._account.request.command == "never":',
        (f"{PROMISES}::test_a_rollback_that_fails_halts_and_is_not_rolled_back",),
    ),
    Mutant(
        "verified before it was looked at",
        "I10",
        CONVERGE,
        "        if failures := self._apply(",
        "        world.signals.write_stamp(target.revision)\n        if failures := self._apply(",
        (f"{PROMISES}::test_the_stamp_is_written_when_all_is_up_and_never_for_what_failed",),
    ),
    Mutant(
        "a failure ends with 0",
        "I10",
        "reconciler/convergence/failed.py",
        'return account.result("rolled-back", 4, _reason(failures), error, phase=self._phase)',
        'return account.result("rolled-back", 0, _reason(failures), error, phase=self._phase)',
        (f"{PROMISES}::test_the_stamp_is_written_when_all_is_up_and_never_for_what_failed",),
    ),
    Mutant(
        "verified without its migration",
        "I10",
        CONVERGE,
        "        return due(self._world, picture,",
        "        return None and due(self._world, picture,",
        (f"{PROMISES}::test_a_migration_runs_once_before_its_revision_is_verified_and_never_with_a_tick",),
    ),
    Mutant(
        "a success ends a person's pause",
        "I11",
        "reconciler/convergence/own_pause.py",
        "        if pause is None or not pause.run:\n            return\n",
        "        if pause is None:\n            return\n",
        (f"{PROMISES}::test_a_pause_that_a_person_raises_while_a_pass_works_is_there_when_it_has_ended",),
    ),
    Mutant(
        "a person's pause holds the timer only",
        "I11",
        "reconciler/convergence/own_pause.py",
        "        if pause is None or not pause.run:\n            return pause\n",
        "        if pause is None:\n            return pause\n",
        (f"{PROMISES}::test_a_pause_of_a_person_holds_every_door_shut",),
    ),
    Mutant(
        "a cut sentinel is none",
        "I11",
        "sentinels/folder.py",
        "return ttl - self._seen_for(scope, found, now)",
        "return 0.0",
        ("tests/faults/test_sentinel_faults.py::test_a_pause_cut_at_any_byte_still_pauses",),
    ),
    Mutant(
        "a deploy steps aside half-way",
        "I12",
        CONVERGE,
        "        if failures := self._apply(",
        """        if self._newer_waits(target.revision):
            return account.result("superseded", 0, "a newer one waits")
        if failures := self._apply(""",
        (f"{PROMISES}::test_a_deploy_that_has_begun_to_touch_things_does_not_step_aside",),
    ),
    Mutant(
        "an older deploy goes over a newer one",
        "I12",
        "reconciler/convergence/aim.py",
        "if asked and asked != self.base and self._deployed_already(asked):",
        "if asked and asked == self.base and self._deployed_already(asked):",
        (f"{PROMISES}::test_what_a_superseded_deploy_would_have_changed_goes_with_the_newer_one",),
    ),
    Mutant(
        "what is as it should be is replaced",
        "I13",
        "reconciler/core/planner.py",
        "    elif current.id in seen.renewals or _fits(want, current):\n",
        "    elif current.id in seen.renewals:\n",
        (f"{PROMISES}::test_a_pass_with_nothing_to_do_asks_the_engine_for_nothing",),
    ),
    Mutant(
        "no answer is a yes",
        "I14",
        "reconciler/model/gate.py",
        'self.state in ("passed", "not triggered")',
        'self.state in ("passed", "not triggered", "unreachable")',
        (f"{PROMISES}::test_only_a_gate_that_is_open_lets_a_commit_through",),
    ),
    Mutant(
        "attempts are not counted",
        "I16",
        CONVERGE,
        "account.attempt = world.ledger.note_attempt(target.revision, world.clock.boot())",
        "account.attempt = 1",
        (f"{DEATHS}::test_three_deaths_at_one_revision_block_it_and_the_verified_one_is_healed",),
    ),
    Mutant(
        "attempts are counted afterwards",
        "I16",
        CONVERGE,
        "        if target.revision != account.base:\n            account.attempt",
        """        world.repository.checkout(target.revision, picture.desired.checkout, self._request.run)
        if target.revision != account.base:
            account.attempt""",
        (f"{DEATHS}::test_an_attempt_is_counted_before_anything_is_touched[one image]",),
    ),
    Mutant(
        "a refused deploy forgets what died",
        "I16",
        CONVERGE,
        """        try:
            target = aim.target()
        finally:
            for block in aim.deadly:
                self._world.signals.block(block)
                self._world.ledger.forget_attempts(block.name)  # whoever clears the block wants it tried again
""",
        "        target = aim.target()\n",
        (f"{DEATHS}::test_a_deploy_is_refused_what_deploys_died_at_and_blocks_it_for_good",),
    ),
    Mutant(
        "what an earlier push changed is left out",
        "I17",
        "reconciler/core/planner.py",
        "    if reasons := tuple(_replacement(want, current, seen, remade, explain)):\n",
        """    reasons = tuple(_replacement(want, current, seen, remade, explain))
    if reasons and want.slot.service != "web":
""",
        (f"{PROMISES}::test_after_a_death_between_two_pushes_the_difference_to_the_verified_revision_is_restarted",),
    ),
    Mutant(
        "one stack that fails stops the others",
        "I19",
        CONVERGE,
        "isolate = picture.plan, not self._account.base or self._account.base == picture.desired.revision",
        "isolate = picture.plan, False",
        (f"{PROMISES}::test_a_stack_that_fails_on_a_first_deploy_does_not_stop_the_others",),
    ),
    Mutant(
        "secrets in another form are told",
        "I20",
        "reconciler/core/redact.py",
        '    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):\n',
        "    for quoted in ():\n",
        ("tests/core/notices/test_words.py::test_no_form_of_a_secret_is_in_any_body",),
    ),
    Mutant(
        "volumes go with their container",
        "I8",
        "reconciler/adapters/docker/engine.py",
        'query={"force": 1}',
        'query={"force": 1, "v": 1}',
        ("tests/e2e/test_traps.py::test_an_anonymous_volume_stays_when_its_service_goes",),
    ),
    Mutant(
        "a notice that cannot be kept ends a pass",
        "I15",
        "reconciler/convergence/tell.py",
        "        except ReconcilerError as error:\n",
        "        except ZeroDivisionError as error:\n",
        ("tests/faults/test_notice_faults.py::test_on_a_full_disk_what_is_urgent_is_told_and_what_was_kept_is_whole",),
    ),
    Mutant(
        "a stack need not be trusted",
        "I18",
        "reconciler/core/guard.py",
        "        if stack.name not in policy.allow_privileged:\n",
        "        if not stack.name:\n",
        ("tests/core/test_guard_powers.py::test_each_power_is_named_and_needs_the_hosts_trust",),
    ),
)
