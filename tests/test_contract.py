"""The list of what is promised and the tests that hold it: complete, and without strangers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import contract

ROOT = Path(__file__).parents[1]


def test_every_statement_has_a_test_or_is_pending() -> None:
    done = subprocess.run(
        [sys.executable, "tests/contract.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 without a test" in done.stdout
    assert "input-blank: otherwise a blank line is passed through and no row\n    tests/" in (
        done.stdout
    )


def test_a_statement_without_a_test_is_told() -> None:
    everything = {statement.id: ["a test"] for statement in contract.statements()}
    assert contract.report(everything)[1]
    del everything["exit-2"], everything["input-bom"]
    text, complete = contract.report(everything)
    assert not complete
    assert text.endswith(" 2 without a test\n    input-bom\n    exit-2")


def test_ids_are_there_once_and_pending_ones_say_why() -> None:
    ids = [statement.id for statement in contract.statements()]
    assert len(ids) == len(set(ids))
    assert all(statement.pending != "" for statement in contract.statements())


def test_an_unknown_id_ends_the_collection(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "pytest.ini").write_text(
        f"[pytest]\npythonpath = '{ROOT / 'tests'}'\nmarkers = contract\n"
    )
    for id_, code in (("input-bom", 0), ("input-bomb", 4)):
        test = f"import pytest\n@pytest.mark.contract('exit-0', '{id_}')\ndef test_x(): pass\n"
        (tmp_path / "test_x.py").write_text(test)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == code
        assert ("no statement 'input-bomb' in contract.toml" in done.stderr) == (code == 4)
