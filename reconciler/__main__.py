"""`reconciler` and `python -m reconciler`: a quick look where that is enough, and else the whole program."""

import gc
import sys

from reconciler.quick.command import answer


def main() -> None:
    """Always ends by SystemExit with one of the exit codes of docs/cli.md."""
    gc.set_threshold(20_000)  # what libraries make while they load stays; to look for cycles in it took 7% of a pass
    code = answer(sys.argv[1:])
    if code is None:
        from reconciler.cli import main as whole

        whole()
    sys.exit(code)


if __name__ == "__main__":
    main()
