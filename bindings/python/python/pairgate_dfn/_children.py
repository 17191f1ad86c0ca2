"""Child processes that run the program, and how all of them are stopped."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Where this package lies is told to a child: an engine may have put it on `sys.path` by itself. Behind everything
# else, so that nothing beside the package takes a name of the standard library.
_PACKAGE = str(Path(__file__).resolve().parent.parent)
_START = "import sys; sys.path.append(sys.argv.pop(1)); "
PROGRAM = _START + "from pairgate_dfn._child import main; sys.exit(main())"
CHECK = _START + "from pairgate_dfn._child import check; sys.exit(check())"
# What of standard error is kept, in bytes.
_TAIL = 8000


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code (negative: the signal), and the end of its standard error."""

    code: int
    told: str

    @property
    def reason(self) -> str:
        """What it said, or what ended it, as one text."""
        lines = self.told.strip().splitlines()
        faults = [line for line in lines if line.startswith("error")]
        told = lines[lines.index(faults[0]) :] if faults else lines[-5:]
        said = "\n".join(told).removeprefix("error: ")
        if self.code < 0:
            return f"ended by {signal.Signals(-self.code).name}" + (f": {said}" if said else "")
        return said or f"ended with exit code {self.code}"


class Children:
    """Children that are running, so that all of them can be stopped. May be used by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self.stopping = False

    def run(
        self, code: str, arguments: Sequence[str], tell: Callable[[str], None] = lambda line: None
    ) -> Ended:
        """Runs Python `code` in a child; `tell` gets each line of its standard output as it comes."""
        command = [sys.executable, "-P", "-c", code, _PACKAGE, *arguments]
        with tempfile.TemporaryFile() as errors, self._started(command, errors) as child:
            assert child.stdout is not None
            for line in child.stdout:
                tell(line)
            ended = child.wait()
            errors.seek(max(0, os.fstat(errors.fileno()).st_size - _TAIL))
            return Ended(ended, errors.read().decode(errors="replace"))

    @contextmanager
    def _started(self, command: list[str], errors) -> Iterator[subprocess.Popen[str]]:
        with self._lock:
            if self.stopping:
                raise InterruptedError("stopped")
            # In a group of its own: Ctrl-C at a terminal reaches it once, through `stop`.
            child = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                process_group=0,
            )
            self._running.add(child)
        try:
            yield child
        finally:
            # Its standard input is closed with it, which ends a child that is still at work.
            with self._lock:
                self._running.discard(child)
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()
            child.wait()

    def stop(self, grace: float = 30.0) -> None:
        """Starts no more, and asks all that run to stop; kills those that have not after `grace` seconds."""
        with self._lock:
            self.stopping = True
            running = list(self._running)
        for child in running:
            child.terminate()
        deadline = time.monotonic() + grace
        for child in running:
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
