"""Kinds of tables and of compression, told by the name of a file and by its first bytes."""

from __future__ import annotations

import os
from typing import NamedTuple

KINDS = {
    "csv": (".csv",),
    "tsv": (".tsv", ".tab"),
    "parquet": (".parquet", ".pq"),
    "arrow": (".arrow", ".feather", ".ipc"),
    "npy": (".npy",),
}
"""The kinds of tables that are read, each with the suffixes of its files."""
_COMPRESSIONS = {
    "gzip": (".gz",),
    "bzip2": (".bz2",),
    "zstd": (".zst", ".zstd"),
    "xz": (".xz",),
    "lzma": (".lzma",),
}
_KIND_OF = {suffix: kind for kind, suffixes in KINDS.items() for suffix in suffixes}
_COMPRESSION_OF = {suffix: how for how, suffixes in _COMPRESSIONS.items() for suffix in suffixes}

IPC_FILE, NUMPY = b"ARROW1\0\0", b"\x93NUMPY"
# With a byte that no text goes on with: a column may be called PAR1.
KIND_MAGIC = {
    b"PAR1\x15": "parquet",
    IPC_FILE: "arrow",
    b"\xff\xff\xff\xff": "arrow",
    NUMPY: "npy",
}
# A text may begin with BZh: bzip2 goes on with the level, and a block or the end of the stream.
_BZIP2 = (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")
# A zstd file may begin with a frame that is to be skipped.
_SKIPPABLE = [(0x184D2A50 + i).to_bytes(4, "little") for i in range(16)]
COMPRESSION_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"\xfd7zXZ\0": "xz",
    b"\x5d\0\0": "lzma",
    b"\x28\xb5\x2f\xfd": "zstd",
    **dict.fromkeys(_SKIPPABLE, "zstd"),
    **{b"BZh%d" % level + start: "bzip2" for level in range(1, 10) for start in _BZIP2},
}


class Told(NamedTuple):
    """What a name tells: the suffix of the table, in small letters, and what this stands for; how
    the file is compressed. None where it does not tell.
    """

    suffix: str
    kind: str | None
    compression: str | None


def told_by(name: str) -> Told:
    """What the name of a file tells: of `rows.tsv.gz`, (".tsv", "tsv", "gzip")."""
    stem, suffix = os.path.splitext(name.lower())
    compression = _COMPRESSION_OF.get(suffix)
    if compression is not None:
        suffix = os.path.splitext(stem)[1]
    return Told(suffix, _KIND_OF.get(suffix), compression)


def by_magic(first: bytes, magic: dict[bytes, str]) -> str | None:
    """What begins with these bytes, of the beginnings in `magic`."""
    return next((kind for start, kind in magic.items() if first.startswith(start)), None)
