"""Compressed inputs by their specifications: several members, what is to be skipped, padding."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from gmmcli.errors import UserError
from gmmcli.tables import Format, read_features
from gmmcli.tables.compression import decompressed
from gmmcli.tables.kinds import COMPRESSION_MAGIC

CASES = Path(__file__).parent.parent / "cases"
TEXT = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i % 977) for i in range(3000)) + b"\0\0"


def zstd(data: bytes) -> bytes:
    """A frame, which says how much is in it."""
    return pa.Codec("zstd").compress(data, asbytes=True)


def flushed(*pieces: bytes) -> bytes:
    """A frame that does not say so, with a block for each piece."""
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as stream:
        for piece in pieces:
            stream.write(piece)
            stream.flush()
    return out.getvalue().to_pybytes()


def skippable(number: int, size: int) -> bytes:
    """A frame of zstd that is to be skipped."""
    return (0x184D2A50 + number).to_bytes(4, "little") + size.to_bytes(4, "little") + b"\xfd" * size


def gzip_with(flags: int, more: bytes) -> bytes:
    """A member of gzip with optional fields in its header."""
    plain = gzip.compress(TEXT, mtime=0)
    return plain[:3] + bytes([flags]) + plain[4:10] + more + plain[10:]


XZ, BZ2, GZ = lzma.compress(TEXT), bz2.compress(TEXT), gzip.compress(TEXT)
INPUTS = {
    "zstd": (zstd(TEXT), 1),
    "zstd that is flushed": (flushed(TEXT[:10], TEXT[10:]), 1),
    "zstd of several frames": (zstd(TEXT) + flushed(TEXT) + zstd(TEXT), 3),
    "zstd with empty frames": (zstd(b"") + flushed() + zstd(TEXT) + zstd(b""), 1),
    "zstd with frames to skip": (
        skippable(0, 4) + skippable(15, 70_000) + zstd(TEXT) + skippable(7, 0) + zstd(TEXT),
        2,
    ),
    "zstd with an index at its end": (zstd(TEXT) + skippable(14, 17), 1),
    "zstd of frames to skip alone": (skippable(3, 5), 0),
    "gzip of several members": (GZ + GZ, 2),
    "gzip with padding": (GZ + bytes(513), 1),
    "gzip with all fields": (gzip_with(0b11100, b"\4\0WXYZname.csv\0comment\0"), 1),
    "gzip with an empty member": (gzip.compress(b"") + GZ, 1),
    "bzip2 of several streams": (BZ2 + bz2.compress(b"") + BZ2, 2),
    "bzip2 that begins with an empty stream": (bz2.compress(b"", 1) + BZ2, 1),
    "xz of several streams with padding": (XZ + bytes(8) + XZ + bytes(4), 2),
    "lzma": (lzma.compress(TEXT, format=lzma.FORMAT_ALONE), 1),
}


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """The data in blocks."""
    return (data[start : start + size] for start in range(0, len(data), size))


def kind_of(data: bytes) -> str:
    """The compression by the first bytes."""
    return next(kind for magic, kind in COMPRESSION_MAGIC.items() if data.startswith(magic))


@pytest.mark.parametrize("size", [7, 1000, 1 << 20])
@pytest.mark.parametrize("name", INPUTS)
def test_what_the_format_allows_is_read(name: str, size: int) -> None:
    data, times = INPUTS[name]
    assert kind_of(data) == name.split()[0]
    assert b"".join(decompressed(pieces(data, size), kind_of(data), "t", 512)) == TEXT * times


@pytest.mark.parametrize("name", [name for name in INPUTS if not name.endswith("alone")])
def test_an_end_that_is_missing_is_told(name: str) -> None:
    data = INPUTS[name][0]
    if name.endswith(("padding", "end")):  # What is cut off there is not missed.
        data = zstd(TEXT)
    with pytest.raises(UserError, match="data end too early"):
        list(decompressed(pieces(data[:-2], 1000), kind_of(data), "t", 512))


@pytest.mark.parametrize("pack", [zstd, flushed])
def test_what_has_come_is_handed_out_at_once(pack: Callable[[bytes], bytes]) -> None:
    coming = iter([pack(b"first"), pack(b"\0\0\0"), pack(b"last")])
    out = decompressed((block for block in coming), "zstd", "t", 1 << 16)
    assert [next(out) for _ in range(3)] == [b"first", b"\0\0\0", b"last"]
    assert list(out) == []


def test_bytes_that_cannot_be_are_told() -> None:
    data = bytearray(zstd(TEXT))
    data[6:12] = b"\xff" * 6
    with pytest.raises(UserError, match="the zstd data are damaged"):
        list(decompressed(pieces(bytes(data), 1000), "zstd", "t", 512))


def test_a_file_of_pzstd_is_read() -> None:
    features = read_features([str(CASES / "pzstd.csv.zst")], Format())
    np.testing.assert_array_equal(features.chunks[0][0], [11.288, 0.066, 8.908])


@pytest.mark.parametrize("header", ["BZh", "BZh9", "PAR1", "ARROW1"])
def test_a_text_may_begin_like_a_format(tmp_path: Path, header: str) -> None:
    (tmp_path / "t").write_text(f"{header},b\n1,2\n3,1\n")
    assert read_features([str(tmp_path / "t")], Format()).columns == (header, "b")
