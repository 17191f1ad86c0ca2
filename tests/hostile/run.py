"""Feeds the hostile files of make.py to pairgate: `python tests/hostile/run.py target/release/pairgate`.

Fails unless every file ends as a counted reason, nothing panics, and peak memory stays under
300 MB. Prints the summary by reason. Needs what make.py needs.
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT_MB = 300


def main(pairgate):
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        hostile = Path(folder) / "hostile"
        subprocess.run([sys.executable, here / "make.py", hostile], check=True)
        tars = sorted(str(path) for path in (hostile / "tars").iterdir())
        command = [pairgate, "filter", str(hostile / "files"), *tars, "-o", f"{folder}/kept"]
        run = subprocess.run(
            [*command, "--threshold", "-1", "--rules", "none", "--json"],
            capture_output=True,
            text=True,
        )
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(run.stdout)
    print(f"exit code {run.returncode}, peak memory of any child {peak_mb:.0f} MB")
    summary = json.loads(run.stdout)
    decided = summary["kept"] + summary["rejected"] + summary["failed"]
    assert run.returncode == 1, run.stderr
    assert summary["in"] == decided and summary["unstored"] == 0
    assert "panicked" not in run.stderr, run.stderr
    assert peak_mb < LIMIT_MB
    print("ok")


if __name__ == "__main__":
    main(sys.argv[1])
