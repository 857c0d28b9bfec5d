"""The comparison of models before and after a change: one that differs in a byte is told."""

from __future__ import annotations

from pathlib import Path

import pytest

import same_models


def test_two_runs_give_the_same_models_and_a_changed_byte_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(same_models.SAMPLE_DATA.parent))
    few = [run for run in same_models.runs(("wine",)) if "full" in run[0] or "kmeans" in run[0]]
    monkeypatch.setattr(same_models, "runs", lambda _: few)
    before, after = tmp_path / "before", tmp_path / "after"
    same_models.store(before)
    same_models.store(after)
    assert same_models.different(before, after) == []
    model = after / "wine.full.json"
    model.write_bytes(model.read_bytes().replace(b"0", b"1", 1))
    (before / "wine.kmeans.npz").unlink()
    assert same_models.different(before, after) == ["wine.full.json", "wine.kmeans.npz"]
