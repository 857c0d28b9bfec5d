"""`python -m gmmcli`."""

import sys

from gmmcli.cli import main

sys.exit(main())
