"""The console script `pairgate`."""

import signal
import sys

from pairgate_dfn._native import run_cli


def main() -> int:
    """Runs the program on the process's arguments; returns its exit code."""
    # Python's own handler would wait for Python code to run: the program takes its signals itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return run_cli(["pairgate", *sys.argv[1:]])
