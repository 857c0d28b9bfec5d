"""Memory for rows: as much as there may be, and beyond that a temporary file.

The file has no name (`O_TMPFILE`, or unlinked at once), so that nothing is left of it however the
process ends. Its pages are mapped: rows are used as if they were in memory, and the kernel keeps
of them what there is room for.
"""

from __future__ import annotations

import math
import mmap
import os
import re
import tempfile
from collections.abc import Iterator
from typing import IO, BinaryIO, cast

import numpy as np

from gmmcli.errors import InputOutputError, UsageError
from gmmcli.tables.cells import Numbers

SEGMENT_BYTES = 1 << 26
"""What is taken of the file at once: systems allow some ten thousand mappings."""
SPOOL_BYTES = 1 << 26
"""Up to so many bytes a stream that must be read back and forth is kept in memory."""
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MOST_BYTES = 1 << 50


class Store:
    """Arrays in memory up to a number of bytes, in a temporary file beyond it."""

    def __init__(self, n_bytes: int) -> None:
        self._left = n_bytes
        self._segment: mmap.mmap | None = None
        self._used = 0

    def empty(self, shape: tuple[int, ...]) -> Numbers:
        """An array of this shape, not filled. Raises InputOutputError without room on disk."""
        n_bytes = 8 * math.prod(shape)
        if n_bytes <= self._left:
            self._left -= n_bytes
            return np.empty(shape)
        if self._segment is None or self._used + n_bytes > len(self._segment):
            self._segment, self._used = _mapped(max(n_bytes, SEGMENT_BYTES)), 0
        at, self._used = self._used, self._used + n_bytes
        return np.frombuffer(self._segment, np.float64, n_bytes // 8, at).reshape(shape)

    def copy(self, values: Numbers) -> Numbers:
        """The same values in an array of this store, C order."""
        kept = self.empty(values.shape)
        kept[...] = values
        return kept


def _mapped(n_bytes: int) -> mmap.mmap:
    try:
        with tempfile.TemporaryFile(dir=_folder()) as file:
            # Mapped pages that the disk has no room for would end the process when touched.
            _take(file, n_bytes)
            return mmap.mmap(file.fileno(), n_bytes)
    except OSError as error:
        raise _no_room(error) from None


def _take(file: IO[bytes], n_bytes: int) -> None:
    """Have the disk keep so much room for a file."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, n_bytes)
        return
    zeros = bytes(1 << 20)
    for left in range(n_bytes, 0, -len(zeros)):
        file.write(zeros[:left])
    file.flush()


def spooled(blocks: Iterator[bytes]) -> BinaryIO:
    """A stream as a file that can be read back and forth. Raises InputOutputError."""
    file = cast(BinaryIO, tempfile.SpooledTemporaryFile(SPOOL_BYTES, dir=_folder()))  # noqa: SIM115
    try:
        for block in blocks:
            file.write(block)
        file.seek(0)
    except OSError as error:
        raise _no_room(error) from None
    return file


def _folder() -> str | None:
    """The folder that was asked for: without its name tempfile would silently take another one."""
    return os.environ.get("TMPDIR") or None


def _no_room(error: OSError) -> InputOutputError:
    reason = (error.strerror or str(error)).lower()
    where = f" (TMPDIR is {_folder()})" if _folder() else ""
    return InputOutputError(
        f"temporary file: cannot write: {reason}{where}",
        "name a folder with room in TMPDIR, or allow more --memory",
    )


def memory_size(text: str) -> int:
    """The bytes of `512M`, `1.5G`, `2GiB` or `1000000`. Raises UsageError."""
    match = re.fullmatch(r"([0-9]+\.?[0-9]*)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise UsageError(f"--memory {text}: not a size", "write it as 512M or 2G")
    size = float(match[1]) * _UNITS[match[2].upper()]
    if size > MOST_BYTES:
        raise UsageError(f"--memory {text}: too large", "write 512M or 2G, up to 1024T")
    return int(size)


def available_memory() -> int:
    """The bytes that this process may still use, as far as the system tells."""
    known = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    meminfo = re.search(r"MemAvailable: +([0-9]+) kB", _contents("/proc/meminfo"))
    if meminfo is not None:
        known.append(int(meminfo[1]) << 10)
    limit, used = (_contents(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit.strip().isdigit():
        known.append(int(limit) - int(used or 0))
    return max(min(known), 0)


def _contents(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
