"""`python -m studio` and the command `studio`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    from studio.cli import run_command_line

    raise SystemExit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
