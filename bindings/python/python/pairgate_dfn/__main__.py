"""`python -m pairgate_dfn`: the program."""

import sys

from pairgate_dfn._cli import main

sys.exit(main())
