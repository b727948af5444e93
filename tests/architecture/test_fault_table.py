"""Every fault that a deploy has to survive, and the tests that inject it; a row whose test is gone fails here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent

FAULTS: Mapping[str, tuple[str, ...]] = {
    "kill -9 at any point": (
        "faults/test_crash_memory.py::test_a_pass_that_dies_anywhere_is_finished_by_the_next_two",
        "faults/test_crash_pairs.py::test_a_recovery_that_dies_as_well_is_recovered",
        "faults/test_crash_real.py::test_killed_anywhere_in_a_replacement",
    ),
    "reboot between any two effects of a replacement": (
        "faults/test_crash_pairs.py::test_a_reboot_in_the_middle_starts_nothing_twice",
        "faults/test_crash_real.py::test_killed_and_rebooted_in_a_replacement",
    ),
    "dockerd gone mid-apply": (
        "e2e/test_deploy_faults.py::test_an_engine_killed_mid_deploy_blocks_nothing_and_the_next_ticks_converge",
    ),
    "disk full": (
        "faults/test_ledger_faults.py::test_a_full_disk_is_transient_and_loses_nothing",
        "faults/test_git_faults.py::test_a_full_disk_is_no_fault_of_the_remote",
        "faults/test_notice_faults.py::test_on_a_full_disk_what_is_urgent_is_told_and_what_was_kept_is_whole",
    ),
    "ledger truncated, zero bytes, deleted, wrong schema": (
        "faults/test_ledger_faults.py::test_a_damaged_ledger_is_set_aside_and_begun_anew",
        "faults/test_crash_memory.py::test_a_dead_pass_whose_ledger_is_lost_is_finished_all_the_same",
        "e2e/test_deploy.py::test_a_lost_ledger_begins_again_with_what_is_verified_and_forgets_no_block",
    ),
    "sentinel empty, truncated, directory, symlink, wrong owner": (
        "faults/test_sentinel_faults.py::test_an_odd_block_blocks",
        "faults/test_sentinel_faults.py::test_a_pause_cut_at_any_byte_still_pauses",
    ),
    "clock +-10 years": (
        "contracts/test_sentinels.py::",
        "faults/test_ci_faults.py::test_a_clock_that_was_set_back_shuts_no_gate_for_years",
    ),
    "CI 401/403/404/429/5xx/timeout/empty/other SHA/re-run/cancelled": (
        "faults/test_ci_faults.py::test_what_is_no_answer_keeps_the_gate_shut",
        "faults/test_ci_faults.py::test_a_server_that_hangs_or_drips_is_given_up",
        "faults/test_ci_faults.py::test_an_empty_answer_is_no_pass",
        "faults/test_ci_faults.py::test_a_run_of_another_commit_is_no_pass",
        "faults/test_ci_faults.py::test_what_failed_passes_when_it_is_run_again",
        "faults/test_ci_faults.py::test_a_cancelled_run_holds",
    ),
    "Discord 4xx/429/5xx/hang/outage for a day": (
        "faults/test_notice_faults.py::test_trouble_of_any_kind_is_over_in_a_short_time_and_loses_nothing",
        "faults/test_notice_faults.py::test_an_outage_of_a_day_ends_in_few_messages_and_none_is_refused",
        "e2e/test_notices.py::test_no_trouble_with_notices_alters_an_outcome",
    ),
    "force push, history rewritten": (
        "faults/test_git_faults.py::test_a_force_push_is_seen_as_no_descendant",
        "e2e/test_deploy.py::test_a_rewritten_branch_is_followed_once_a_person_accepts_it",
    ),
    "blocked SHA amended": (
        "e2e/test_deploy.py::test_what_failed_stays_blocked_under_another_name",
        "faults/test_never_deployed.py::test_what_is_blocked_is_deployed_by_no_door",
    ),
    "migration half-fails": (
        "e2e/test_deploy.py::test_a_migration_runs_before_the_new_code_and_a_failing_one_leaves_the_old_code_serving",
    ),
    "migration hangs": ("e2e/test_deploy.py::test_a_migration_that_hangs_is_ended_at_its_timeout",),
    "migration succeeds but the app fails": (
        "e2e/test_deploy.py::test_code_that_fails_after_its_migration_is_put_back_and_told_that_the_schema_is_ahead",
    ),
    "container flaps": ("e2e/test_verify.py::test_a_probe_that_flaps_never_holds",),
    "healthy then sick": (
        "e2e/test_deploy_faults.py::test_a_container_that_is_healthy_and_then_sick_is_caught_by_the_window",
    ),
    "never healthy": (
        "e2e/test_failures.py::test_health_that_never_comes_puts_the_old_containers_back_and_blocks_the_revision",
    ),
    "a service exits 0": ("e2e/test_deploy_faults.py::test_a_service_that_ends_well_is_no_success",),
    "sick later": ("e2e/test_verify.py::test_a_sick_verified_revision_is_told_blocks_nothing_and_recovers",),
    "a bad image behind a moved tag": (
        "e2e/test_image_drift.py::test_a_bad_image_behind_a_moved_tag_is_put_back_and_not_tried_again",
    ),
    "rollback target broken": (
        "e2e/test_deploy_faults.py::test_a_rollback_whose_target_is_broken_halts_once_and_keeps_what_there_is",
        "e2e/test_deploy.py::test_what_was_gone_back_to_is_looked_at_and_told_when_it_is_not_well_either",
    ),
    "two timers, watch, timer and CLI at once": (
        "e2e/test_deploy_faults.py::test_timers_and_deploys_at_once_are_one_pass_at_a_time_and_end_at_the_head",
        "faults/test_pass_lock.py::test_twenty_pushes_at_once_are_all_answered_by_passes_one_at_a_time",
    ),
    "push storm": ("e2e/test_storm.py::",),
    "untracked data in the way": ("contracts/test_checkout.py::",),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_the_table_has_a_test_that_injects_it(fault: str) -> None:
    for place in FAULTS[fault]:
        file, _, name = place.partition("::")
        text = (TESTS / file).read_text()
        assert re.search(rf"^def {name or 'test_'}", text, re.MULTILINE), place
