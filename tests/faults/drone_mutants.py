"""Breaks of what drones and the binhost promise, one by one, each with the tests that have to see it.

D1 clients see whole packages, and all of them. D2 nothing of a build is left. D3 nobody else's process is hit. D4 what
was made is brought once, and by whom the lease has. D5 a build is what the offer says.
"""

from __future__ import annotations

from tests.faults.mutants import Mutant

FOLDER = "tests/contracts/test_binhost_folder.py"
GROUP = "tests/faults/test_process_group.py"
LOOP = "tests/swarm/test_drone_loop.py"

DRONE_MUTANTS = (
    Mutant(
        "what came damaged is kept",
        "D1",
        "reconciler/adapters/binhost/staging.py",
        "if found[0] != self._sha256:",
        "if not found[0]:",
        (f"{FOLDER}::test_an_upload_that_is_longer_or_other_than_told_is_refused",),
    ),
    Mutant(
        "a newer index is within the clients' tolerance",
        "D1",
        "reconciler/adapters/binhost/index.py",
        "_STEP = 6",
        "_STEP = 1",
        (f"{FOLDER}::test_the_time_of_the_index_grows_with_every_writing_whatever_the_clock_says",),
    ),
    Mutant(
        "two packages under one name",
        "D1",
        "reconciler/swarm/binhost/admission.py",
        "number = own if last < own <= last + _FARTHEST else last + 1",
        "number = own or last + 1",
        (f"{FOLDER}::test_two_builds_of_one_version_get_two_build_ids",),
    ),
    Mutant(
        "the index comes before the package",
        "D1",
        "reconciler/adapters/binhost/folder.py",
        "there = {each.path: each.entry for each in pending.placed if _fits(folder, each.entry)}",
        "there = {each.path: each.entry for each in pending.placed}",
        ("tests/faults/test_binhost_faults.py::test_a_package_that_is_gone_amid_its_publishing_is_in_no_index",),
    ),
    Mutant(
        "what left the session goes on",
        "D2",
        "reconciler/process_group.py",
        "        _kill_marked(self._mark)\n        self._rest(take)",
        "        self._rest(take)",
        (f"{GROUP}::test_nothing_is_left_when_it_was_ended",),
    ),
    Mutant(
        "a number that was given to somebody else is hit",
        "D3",
        "reconciler/process_group.py",
        "if _started(pid) == started and _carries(pid, mark):",
        "if _started(pid):",
        (f"{GROUP}::test_a_number_that_belongs_to_somebody_else_now_is_never_killed",),
    ),
    Mutant(
        "a drone that died says that it holds nothing",
        "D4",
        "reconciler/swarm/drone/loop.py",
        "self._pulse.boot = taken.boot",
        "assert taken.boot",
        (f"{LOOP}::test_what_was_done_when_it_died_is_brought_under_the_boot_that_made_it",),
    ),
    Mutant(
        "what was begun is not written down",
        "D4",
        "reconciler/swarm/drone/loop.py",
        "        self._world.memory.keep(Taken(offer, self._pulse.boot))\n",
        "",
        ("tests/faults/test_drone.py::test_a_killed_drone_is_cleaned_up_after_and_what_it_built_is_built_again",),
    ),
    Mutant(
        "a line of the offer becomes two",
        "D5",
        "reconciler/core/packages/flags.py",
        "return _FLAG.fullmatch(text) is not None",
        "return _FLAG.match(text) is not None",
        ("tests/contracts/test_portage_config.py::test_what_would_be_another_line_changes_nothing",),
    ),
)
