"""What a build says of itself, in the words of real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.swarm.drone.build_log import Phases, reason_of

SAMPLES = Path(__file__).parent / "samples"


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        ("83-fail-compile", "app-misc/broken-1 failed in its compile phase: compile failed"),
        ("29-err-pretend-dies", "app-misc/pretenddie-1 failed in its pretend phase: this machine is too small"),
        ("81-fetch-restricted-run", "a file of app-misc/restricted-1 has to be fetched by hand"),
        ("87-fail-collision", "app-misc/collider-1 would overwrite files of another package on the drone"),
        ("20-err-circular", "Error: circular dependencies: (dev-cycle/cyc-b-1:0/0::gentoo"),
        ("10-err-masked", "app-misc/masked-1 is masked on the drone (package.mask)"),
        ("13-err-license", "app-misc/licensed-1 is masked on the drone (Test-EULA license"),
        ("14-err-missing-dep", 'emerge: there are no ebuilds to satisfy "app-misc/does-not-exist".'),
        ("19-err-required-use", 'The ebuild selected to satisfy "app-misc/requse" has unmet requirements.'),
        ("90-fail-tmpdir-unwritable-traceback", "FileNotFoundError: [Errno 2] No such file or directory"),
        ("a2-fail-package-phase-no-gtar", "dev-libs/liba-1.0 failed in its package phase: failed to pack binary"),
        ("d2-fail-truncated", "Digest verification failed:"),
        ("h1-err-slot-conflict", "Multiple package instances within a single package slot have been pulled"),
    ],
)
def test_a_failure_is_told_in_one_line(sample: str, reason: str) -> None:
    told = reason_of((SAMPLES / f"{sample}.txt").read_text().rpartition("# exit status")[0], 1)

    assert reason in told
    assert "\n" not in told


def test_the_end_of_an_emerge_that_said_nothing_is_told_by_its_code() -> None:
    assert reason_of("", 1) == "emerge ended with 1"
    assert reason_of("sleeping 1\nsleeping 2\n\n", -9) == "a signal ended emerge (9): sleeping 2"


def test_phases_are_followed_through_the_output_of_a_build() -> None:
    phases = Phases()
    data = (SAMPLES / "a1-buildpkg-gpkg.txt").read_bytes()
    pieces = (data[start : start + 37] for start in range(0, len(data), 37))

    seen = [(phases.package, phases.phase) for piece in pieces if phases.take(piece)]

    of_liba = [phase for package, phase in seen if package == "dev-libs/liba-1.1"]
    assert of_liba == ["setup", "fetch", "unpack", "prepare", "configure", "compile", "install", "package", "merge"]
    assert seen[0] == ("", "dependencies")
    assert ("app-misc/foo-1.1", "compile") in seen


def test_packages_that_are_fetched_are_followed_too() -> None:
    phases = Phases()
    phases.take((SAMPLES / "b6-getbinpkgonly-run.txt").read_bytes().partition(b">>> Extracting")[0])

    assert (phases.package, phases.phase) == ("dev-libs/liba-1.1", "fetch")


def test_output_without_lines_is_not_kept() -> None:
    phases = Phases()
    for _ in range(100):
        phases.take(b"x" * 10_000)

    assert len(phases._rest) <= 65536
