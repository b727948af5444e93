"""`reconciler` and `python -m reconciler`: a quick look where that is enough, and else the whole program."""

import sys

from reconciler.quick.command import answer


def main() -> None:
    """Always ends by SystemExit with one of the exit codes of docs/cli.md."""
    code = answer(sys.argv[1:])
    if code is None:
        from reconciler.cli import main as whole

        whole()
    sys.exit(code)


if __name__ == "__main__":
    main()
