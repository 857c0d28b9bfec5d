"""Processes on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def on_a_terminal(args: Sequence[str], folder: Path, env: Mapping[str, str], code: int = 0) -> str:
    """What gmmcli writes where stdout and stderr are one terminal, in a bare environment, where it
    ends with a code.
    """
    main, secondary = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "gmmcli", *args],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.environ["PYTHONPATH"]} | env,
        stdin=subprocess.DEVNULL,
        stdout=secondary,
        stderr=secondary,
    ) as process:
        os.close(secondary)
        written = b""
        try:
            while data := os.read(main, 65536):
                written += data
        except OSError:  # The end of a terminal.
            pass
        os.close(main)
        assert process.wait(timeout=60) == code
    return written.decode()
