"""HTML5's named character references, as Python's `html` module knows them.

    python tests/golden/entities.py src/text/entities.txt

A line a name, sorted by its bytes: the name, and the code points that it stands for. Names that end
without a semicolon are those that are read without one.
"""

import html.entities
import sys
from pathlib import Path

lines = (
    " ".join([name, *(f"{ord(c):x}" for c in text)])
    for name, text in sorted(html.entities.html5.items(), key=lambda entry: entry[0].encode())
)
Path(sys.argv[1]).write_text("\n".join(lines) + "\n")
