"""The real program, as tests run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import gmmcli

Run = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = (sys.executable, "-m", "gmmcli")
PATHS = os.pathsep.join(
    filter(None, (os.environ.get("PYTHONPATH"), str(Path(gmmcli.__file__).parents[1])))
)
"""Where processes find this gmmcli wherever they run, installed or not."""
