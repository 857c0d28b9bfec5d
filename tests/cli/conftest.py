"""The real process, and a model for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import gmmcli.models
from commands import COMMAND, PATHS, Run
from handwritten import document, two_clusters


@pytest.fixture(autouse=True)
def _from_any_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes find this gmmcli wherever they run, installed or not."""
    monkeypatch.setenv("PYTHONPATH", PATHS)


@pytest.fixture
def run_cli(tmp_path: Path) -> Run:
    """Run gmmcli in the test's folder: `run_cli(args, stdin=text or bytes, env={more})`."""

    def run(
        args: Sequence[str | Path],
        stdin: str | bytes | None = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*COMMAND, *map(str, args)],
            input=stdin.encode() if isinstance(stdin, str) else stdin or b"",
            env=os.environ | (env or {}),
            cwd=tmp_path,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
        )

    return run


@pytest.fixture
def run_shell(tmp_path: Path) -> Run:
    """Run a line of bash in the test's folder, where `gmmcli` is the program under test."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        program = " ".join(f"'{part}'" for part in COMMAND)
        return subprocess.run(
            ["bash", "-c", f'gmmcli() {{ {program} "$@"; }}; {line}'],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def run_python(tmp_path: Path) -> Run:
    """Run a program in Python in the test's folder: `run_python(text, *arguments)`."""

    def run(program: str, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *args],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """240 rows in three clusters of unlike size and shape, columns of unlike units, and a text."""
    rng = np.random.default_rng(8)
    rows = [(0, 0, 1.0)] * 120 + [(5, 4, 0.6)] * 70 + [(-4, 6, 1.5)] * 50
    lines = [
        f"c{i},{100 + 10 * (x + s * rng.normal()):.3f},{(y + s * rng.normal()) / 1000:.7f}\n"
        for i, (x, y, s) in enumerate(rows)
    ]
    path = tmp_path_factory.mktemp("customers") / "customers.csv"
    path.write_text("name,spend,share\n" + "".join(lines))
    return path


@pytest.fixture(scope="session")
def fitted(customers: Path) -> dict[str, Path]:
    """A model of three components of the customers for each covariance; beside each MODEL.json
    is the same as MODEL.npz, and what the fit said to --json as MODEL.said.
    """
    models = {}
    for covariance in ("full", "tied", "diag", "spherical"):
        path = models[covariance] = customers.with_name(f"{covariance}.json")
        args = ["fit", customers, "-k", "3", "--covariance", covariance, "-o", path, "--json"]
        done = subprocess.run(
            [*COMMAND, *args],
            env=os.environ | {"PYTHONPATH": PATHS},
            capture_output=True,
            check=True,
            timeout=120,
        )
        path.with_suffix(".said").write_bytes(done.stdout)
        gmmcli.models.save(gmmcli.models.load(str(path)), str(path.with_suffix(".npz")))
    return models


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model file written by hand, with a summary."""
    path = tmp_path / "model.json"
    summary = {
        "n_samples": 150,
        "bic": -1.5,
        "icl": None,
        "converged": True,
        "starts": {"tried": 10, "agreeing": 9},
        "options": {"tol": 1e-6, "init": "auto"},
    }
    path.write_text(json.dumps(two_clusters(("a", "b,c")) | summary))
    return path


@pytest.fixture
def ab(tmp_path: Path) -> Path:
    """A model of columns a and b: component 0 around 0, component 1 around 100."""
    path = tmp_path / "ab.json"
    model = document("spherical", [0.5, 0.5], [[0, 0], [100, 100]], [[1, 1], [1, 1]])
    path.write_text(json.dumps(model))
    return path
