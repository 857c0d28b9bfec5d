"""Where tables come from: paths, globs, folders, objects, standard input, as streams of bytes.

A stream is an iterator of byte blocks; a block is what one read returns, so rows flow while a
pipe is still open. Compression is found by magic bytes, never by name.
"""

from __future__ import annotations

import codecs
import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from gmmcli.errors import InputNotFoundError, InputOutputError, UserError
from gmmcli.tables import objects
from gmmcli.tables.ahead import read_ahead
from gmmcli.tables.blocks import WholeReads, peek, put_back
from gmmcli.tables.compression import decompressed
from gmmcli.tables.folders import Input, data_files, keyed_inputs
from gmmcli.tables.foreign import refuse_url
from gmmcli.tables.format import Format
from gmmcli.tables.kinds import COMPRESSION_MAGIC, KIND_MAGIC, by_magic, told_by
from gmmcli.tables.spill import spooled

BLOCK_SIZE = 1 << 21
STDIN = "-"

_BYTE_ORDER_MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
_LOOKED_AT = 64  # bytes of a text, to tell its encoding


def display_name(path: str) -> str:
    """The name of an input in messages."""
    return "standard input" if path == STDIN else path


def expand_paths(paths: Sequence[str | Input]) -> list[Input]:
    """The inputs that `paths` stand for: globs and folders of Parquet expanded, in sorted order;
    inputs themselves are as they are.

    Raises InputNotFoundError for a glob without a match, a missing file or object, and a store
    that cannot be asked; UserError for a folder without Parquet.
    """
    found: list[Input] = []
    for path in paths:
        if isinstance(path, Input):
            found.append(path)
        elif objects.is_object(path):
            found += objects.expand(path)
        elif path == STDIN or os.path.exists(path):
            found += _members(path)
        elif glob.has_magic(path) and "://" not in path:
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise InputNotFoundError(f"{path}: no file matches", "check the pattern")
            found += [each for match in matches for each in _members(match)]
        else:
            refuse_url(path)
            raise InputNotFoundError(f"{path}: no such file", "check the path")
    if found.count(Input(STDIN)) > 1:
        raise UserError("standard input is given twice", "give - once")
    return found


def _members(path: str) -> list[Input]:
    if path == STDIN or not os.path.isdir(path):
        return [Input(path)]
    below = [p.relative_to(path).as_posix() for p in Path(path).rglob("*") if p.is_file()]
    from gmmcli.tables.delta import current_files

    counted = current_files(path, below, lambda name: Path(path, name).read_bytes())
    names = data_files(below if counted is None else counted)
    if not names:
        raise UserError(
            f"{path}: a folder without Parquet files", "name the files, as in DIR/*.csv"
        )
    return keyed_inputs(path, names)


def is_stored(path: str) -> bool:
    """Whether an input is at hand as a whole: a file or an object, not a pipe."""
    return objects.is_object(path) or (path != STDIN and os.path.isfile(path))


class Source:
    """One input, opened: its kind (csv, tsv, parquet, arrow, npy) and its decompressed bytes."""

    def __init__(self, source: Input, fmt: Format, block_size: int = BLOCK_SIZE) -> None:
        self.path = path = source.path
        self.keys, self.groups, self.span = source.keys, source.groups, source.span
        self.name = display_name(path)
        first, raw = peek(_raw_blocks(source, block_size), tuple(COMPRESSION_MAGIC))
        compression = by_magic(first, COMPRESSION_MAGIC)
        self.is_remote = objects.is_object(path)
        self.is_stored = is_stored(path)
        self.is_compressed = compression is not None
        if compression is not None:
            raw = decompressed(raw, compression, self.name, block_size)
            # Beside the parser; what a pipe has is not fetched before it is asked for.
            raw = read_ahead(raw) if self.is_stored else raw
        self.first, self.blocks = peek(raw, tuple(KIND_MAGIC))
        self.magic = by_magic(self.first, KIND_MAGIC)
        self.kind = fmt.input_format or told_by(path).kind or self.magic or "csv"

    def as_file(self) -> WholeReads:
        """The bytes as a file that is read forward."""
        return WholeReads(self.blocks)

    def as_random_access(self, begun: Iterator[bytes] | None = None) -> Any:
        """The bytes as a file that is read at any place: a copy of them if they are no such file.
        `begun` are the bytes of an input that was read from before.

        Raises InputNotFoundError where an object cannot be opened, OSError where a file cannot,
        InputOutputError where there is no room for the copy.
        """
        if not self.is_stored or self.is_compressed:
            return spooled(self.blocks if begun is None else begun)
        if self.is_remote:
            return objects.open_object(self.path)
        import pyarrow as pa

        # Not mapped: a file that is cut while it is read is then an error, not a bus error.
        return pa.OSFile(self.path)

    def close(self) -> None:
        """Let go of the input."""
        with suppress(ValueError):  # It is being read from on another thread, which will end.
            self.blocks.close()  # type: ignore[attr-defined]


def _raw_blocks(source: Input, block_size: int) -> Iterator[bytes]:
    path, span = source.path, source.span
    if span is not None:
        return put_back(span.head, range_blocks(path, span.start, span.end, block_size))
    if objects.is_object(path):
        return objects.blocks(path, block_size)
    return _file_blocks(path, block_size)


def range_blocks(path: str, start: int, end: int, block_size: int) -> Iterator[bytes]:
    """The bytes of a file or an object from one place to another. Raises InputNotFoundError,
    InputOutputError.
    """
    if objects.is_object(path):
        yield from objects.blocks(path, block_size, start, end)
        return
    left = end - start
    for block in _file_blocks(path, block_size, start):
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return


def size_of(path: str) -> int:
    """The bytes of a file or an object."""
    return objects.size(path) if objects.is_object(path) else os.path.getsize(path)


def _file_blocks(path: str, block_size: int, start: int = 0) -> Iterator[bytes]:
    name = display_name(path)
    try:
        fd = os.dup(0) if path == STDIN else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise InputNotFoundError(
            f"{name}: cannot open: {_reason(error)}", "check the path and its permissions"
        ) from None
    try:
        _widen_pipe(fd)
        if start:
            os.lseek(fd, start, os.SEEK_SET)
        while block := os.read(fd, block_size):
            yield block
    except OSError as error:
        raise InputOutputError(f"{name}: cannot read: {_reason(error)}") from None
    finally:
        os.close(fd)


def _widen_pipe(fd: int) -> None:
    # Linux: a pipe holds 64 KiB unless asked; larger reads cost fewer turns of the parser.
    with suppress(ImportError, AttributeError, OSError):
        import fcntl

        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)  # the most that any user may ask for


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def require_text(first: bytes, source: Source) -> None:
    """Raise UserError for what begins like a binary table, or like text in wider units."""
    if source.magic is not None:
        raise UserError(
            f"{source.name}: this is {source.magic}, not CSV", f"use --input-format {source.magic}"
        )
    for encoding in ("utf-32", "utf-16"):  # The mark of the first begins with one of the second.
        if first.startswith(_BYTE_ORDER_MARKS[encoding]):
            raise UserError(
                f"{source.name}: this looks like {encoding.upper()}", f"use --encoding {encoding}"
            )
    for encoding, here, there in (("utf-16-le", 0, 1), ("utf-16-be", 1, 0)):
        letters, zeros = first[here:_LOOKED_AT:2], first[there:_LOOKED_AT:2]
        if len(zeros) > 1 and not zeros.strip(b"\0") and b"\0" not in letters:
            raise UserError(f"{source.name}: this looks like UTF-16", f"use --encoding {encoding}")


def text_encoding(encoding: str, first: bytes) -> str:
    """The codec of a text: byte order, when `encoding` leaves it open, by the byte order mark.

    The mark itself then decodes to U+FEFF and is written back as it was.
    """
    name = codecs.lookup(encoding).name
    if name in ("utf-16", "utf-32"):
        return name + ("-be" if first.startswith(_BYTE_ORDER_MARKS[name][1]) else "-le")
    return name
