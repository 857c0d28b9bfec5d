"""`python -m gmmcli`, and the program `gmmcli`."""

# The part of `signal` that is there at once. Before all other imports: until the real handlers are
# set, Ctrl-C is to end the program, where Python would print a traceback.
import _signal

if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import sys

from gmmcli.cli import main

if __name__ == "__main__":
    sys.exit(main())
