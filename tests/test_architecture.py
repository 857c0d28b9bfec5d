"""The arrows between the rooms, and what a command may load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from importlinter import cli as importlinter

ROOT = Path(__file__).parents[1]
HEAVY = ("pandas", "scipy", "rich", "threadpoolctl", "pydantic")


def loaded_by(code: str, cwd: Path) -> set[str]:
    """The modules that are loaded after some code has run in a new process."""
    tail = "\nimport sys; sys.stderr.write('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def command(*arguments: str) -> str:
    return f"import sys; sys.argv = {['gmmcli', *arguments]!r}; import gmmcli.cli as c; c.main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and its model."""
    folder = tmp_path_factory.mktemp("table")
    rows = [f"{x},{x * x % 7}" for x in range(40)]
    (folder / "t.csv").write_text("\n".join(["a,b", *rows]) + "\n")
    run = [sys.executable, "-m", "gmmcli", "fit", "-q", "t.csv", "-k", "2", "-c", "a,b", "-o"]
    subprocess.run([*run, "m.json"], cwd=folder, check=True)
    subprocess.run([*run, "m.npz"], cwd=folder, check=True)
    return folder


def test_no_room_imports_what_it_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert importlinter.lint_imports(no_cache=True) == importlinter.EXIT_STATUS_SUCCESS


@pytest.mark.parametrize("model", ["m.json", "m.npz"])
@pytest.mark.parametrize("name", ["predict", "score"])
def test_rows_of_csv_pass_without_the_heavy_libraries(name: str, model: str, folder: Path) -> None:
    loaded = loaded_by(command(name, model, "t.csv"), folder)
    assert not loaded.intersection({*HEAVY, "pyarrow.fs"})
    assert {"numpy", "pyarrow"} <= loaded


def test_a_plain_fit_of_csv_loads_no_heavy_library(folder: Path) -> None:
    loaded = loaded_by(command("fit", "t.csv", "-k", "2", "-c", "a,b"), folder)
    assert not loaded.intersection(HEAVY)


def test_help_loads_no_numpy(folder: Path) -> None:
    loaded = loaded_by(command("fit", "--help"), folder)
    assert not loaded.intersection({*HEAVY, "numpy", "pyarrow"})


def test_importing_the_library_costs_nothing(folder: Path) -> None:
    loaded = loaded_by("import gmmcli; assert gmmcli.__version__", folder)
    assert not loaded.intersection({*HEAVY, "numpy", "pyarrow", "typer"})


def test_no_file_holds_two_ideas() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines}"
        for path in sorted((ROOT / "gmmcli").rglob("*.py"))
        if (lines := len(path.read_text().splitlines())) > 400
    ]
    assert not long
