"""The real program, as tests run it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import gmmcli

Run = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = (sys.executable, "-m", "gmmcli")
PATHS = os.pathsep.join(
    filter(None, (os.environ.get("PYTHONPATH"), str(Path(gmmcli.__file__).parents[1])))
)
"""Where processes find this gmmcli wherever they run, installed or not."""


def has_dask() -> bool:
    """Whether Dask can be imported here."""
    if "distributed" in sys.modules:
        return sys.modules["distributed"] is not None
    return find_spec("distributed") is not None


def run_in(
    folder: Path, args: Sequence[str | Path], env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run gmmcli in a folder."""
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        cwd=folder,
        env=os.environ | (env or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
        text=True,
    )
