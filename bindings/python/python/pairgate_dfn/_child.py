"""The program as a child process that ends with whoever started it.

Who starts it holds the other end of its standard input. When that is closed, by will or because its holder was
killed, the program is told to stop: it leaves the shard that it is at without its marker.
"""

import json
import os
import signal
import sys
import threading

from pairgate_dfn._columns import refuse_moving
from pairgate_dfn._native import Gate, run_cli


def _stop_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Runs the program on the process's arguments; returns its exit code."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    return run_cli(["pairgate", *sys.argv[1:]])


def check() -> int:
    """Whether a gate of these settings (JSON, the first argument) can be had; says why not, as the program does."""
    try:
        gate = Gate(**json.loads(sys.argv[1]))
        refuse_moving(gate, "shards", "each shard is decided by itself")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
