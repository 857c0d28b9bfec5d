"""Without what only Linux has (`make test-portable` runs all tests so): commands do as with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gmmcli

ROOT = Path(gmmcli.__file__).parents[1]
HIDING = Path(__file__).with_name("portable")


def python(folder: Path, *args: str, hiding: bool) -> bytes:
    paths = [*([str(HIDING)] if hiding else []), str(ROOT)]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, *args], cwd=folder, env=env, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_what_only_linux_has_is_hidden(tmp_path: Path) -> None:
    script = """
import ctypes, os, sys
names = [hasattr(os, "sched_getaffinity"), hasattr(os, "memfd_create"), os.path.exists("/proc")]
print(sys.platform, *names, hasattr(ctypes.CDLL(None), "prctl"))
"""
    assert python(tmp_path, "-c", script, hiding=True) == b"freebsd14 False False False False\n"


@pytest.mark.parametrize(
    "command",
    [
        "fit t.csv -k 2 -o - -q --memory 0 --threads 2",
        "select-k t.csv -k 1:2 --restarts 5 -o - -q",
        "predict m.json t.csv",
        "score m.json t.csv",
        "sample m.json -n 5",
    ],
)
def test_commands_do_the_same_without(tmp_path: Path, command: str) -> None:
    X = np.random.default_rng(3).normal(size=(300, 2)) + np.repeat([[0], [9]], 150, axis=0)
    np.savetxt(tmp_path / "t.csv", X, "%.4f", delimiter=",", header="a,b", comments="")
    gmmcli.fit(X, 2, columns=["a", "b"], restarts=2).save(str(tmp_path / "m.json"))
    with_it, without = (
        python(tmp_path, "-m", "gmmcli", *command.split(), hiding=hiding)
        for hiding in (False, True)
    )
    assert without == with_it
