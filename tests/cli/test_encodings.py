"""Tables in other encodings: every byte is kept, or the line is told where one is not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

# Two codes for one character: of the second the codec makes the first.
TWICE = [("cp932", b"\x87\x90", 0), ("mac-arabic", b" ", 1), ("cp950", b"\xa2\xcc", 5000)]


@pytest.mark.contract("predict-bytes", "predict-encoding", "exit-65-data")
@pytest.mark.parametrize(("encoding", "code", "row"), TWICE)
def test_bytes_that_would_not_be_kept_are_65_with_their_line(
    run_cli: Run, ab: Path, tmp_path: Path, encoding: str, code: bytes, row: int
) -> None:
    lines = [b"a,b,t\n", *[b"1,2,x\n"] * 10_000]
    lines[row] = lines[row].replace(b"\n", code + b"\n")
    (tmp_path / "t.csv").write_bytes(b"".join(lines))
    args = ["predict", ab, "t.csv", "--encoding", encoding, "-q"]
    done = run_cli([*args, "-o", "out.csv"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith(f"gmmcli: t.csv:{row + 1}: {encoding} would not write this as")
    assert not (tmp_path / "out.csv").exists()
    assert len(run_cli([*args, "--only"]).stdout.splitlines()) == 10_001
    fit = ["fit", "t.csv", "--encoding", encoding, "-q", "-k", "1", "-c", "a,b"]
    assert run_cli(fit).returncode == 0


@pytest.mark.contract("predict-bytes", "predict-encoding")
@pytest.mark.parametrize("encoding", ["cp932", "iso2022_jp", "gb18030", "utf-16", "cp1252"])
def test_text_of_many_blocks_is_kept(run_cli: Run, ab: Path, tmp_path: Path, encoding: str) -> None:
    word = "é" if encoding == "cp1252" else "日本"
    text = f"a,b,{word}\n" + "".join(f"1,2,{word}{i}\n" for i in range(300_000))
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    args = ["predict", ab, "t.csv", "--encoding", encoding, "-q", "-o", "out.csv"]
    done = run_cli(args)
    assert (done.returncode, done.stderr) == (0, "")
    written = (tmp_path / "out.csv").read_bytes().decode(encoding).splitlines()
    assert [line.rsplit(",", 2)[0] for line in written] == text.splitlines()
