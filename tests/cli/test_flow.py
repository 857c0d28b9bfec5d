"""Rows flow through predict as they come, in constant memory."""

from __future__ import annotations

import io
import os
import select
import subprocess
import sys
import zlib
from pathlib import Path

import pyarrow as pa
import pytest


def line_of(process: subprocess.Popen[bytes]) -> bytes:
    """The next line that a process writes, or what there is of it after a while."""
    assert process.stdout is not None
    line = b""
    while not line.endswith(b"\n") and select.select([process.stdout], [], [], 5)[0]:
        byte = os.read(process.stdout.fileno(), 1)
        if not byte:
            break
        line += byte
    return line


# The last block of a frame of zstd, raw and empty.
LAST_BLOCK = b"\1\0\0"


@pytest.mark.contract("must-6-flow", "predict-flow")
@pytest.mark.parametrize(
    "way", ["--only", "-o/dev/stdout", "fifo", "gzip", "zstd", "frames of zstd"]
)
def test_rows_flow_whatever_the_way(ab: Path, way: str) -> None:
    args, before, packer = [way], b"1,2,", zlib.compressobj(wbits=31)
    written = io.BytesIO()
    frame = pa.CompressedOutputStream(pa.PythonFile(written, mode="w"), "zstd")
    if way == "fifo":
        os.mkfifo(ab.parent / "fifo")
    if not way.startswith("-"):
        args = [way] * (way == "fifo")
    if way == "--only":
        before = b""

    def packed(data: bytes) -> bytes:
        if way == "gzip":
            return packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
        if way == "zstd":
            before_it = written.tell()
            frame.write(data)
            frame.flush()
            return written.getvalue()[before_it:]
        if way == "frames of zstd":
            return pa.Codec("zstd").compress(data, asbytes=True)
        return data

    with subprocess.Popen(
        [sys.executable, "-m", "gmmcli", "predict", "ab.json", *args],
        cwd=ab.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        with open(ab.parent / "fifo", "wb") if way == "fifo" else process.stdin as source:
            source.write(packed(b"a,b\n1,2\n"))
            source.flush()
            assert line_of(process).endswith(b"cluster,probability\n")
            assert line_of(process) == before + b"0,1\n"
            source.write(packed(b"1,2\n"))
            source.flush()
            assert line_of(process) == before + b"0,1\n"
            source.write(packer.flush() if way == "gzip" else b"")
            source.write(LAST_BLOCK if way == "zstd" else b"")
        assert process.wait(timeout=30) == 0


MEMORY = """
import os, resource, subprocess, sys
command, n, where = sys.argv[2:], int(sys.argv[1]), open(os.devnull, "wb")
row = b"".join(b"%d.25,%d,text %d\\n" % (i % 97, i * 7 % 89, i) for i in range(4096))
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=where)
child.stdin.write(b"a,b,t\\n")
written = 0
while written < n:
    written += child.stdin.write(row)
child.stdin.close()
_, status, usage = os.wait4(child.pid, 0)
print(status, usage.ru_maxrss)
"""


def resident(ab: Path, n_bytes: int) -> int:
    """The most MB that `predict` has resident while so many bytes come down a pipe."""
    command = [sys.executable, "-m", "gmmcli", "predict", str(ab), "--proba", "--log-density"]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(n_bytes), *command],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    status, kilobytes = map(int, done.stdout.split())
    assert status == 0
    return kilobytes // 1000


@pytest.mark.contract("predict-memory")
def test_predict_runs_in_constant_memory(ab: Path) -> None:
    little, more = resident(ab, 10_000_000), resident(ab, 60_000_000)
    assert more < 300
    assert more < little + 40


@pytest.mark.slow
@pytest.mark.contract("must-6-memory")
def test_a_gigabyte_in_less_than_300_mb(ab: Path, tmp_path: Path) -> None:
    assert resident(ab, 1_000_000_000) < 300
