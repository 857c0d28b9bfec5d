"""Memory for rows: as much as there may be, and beyond that a temporary file.

The file has no name (`O_TMPFILE`, or unlinked at once), so that nothing is left of it however the
process ends. Its pages are mapped: rows are used as if they were in memory. Of the arrays in it
those used last stay mapped, as many as a window holds; the kernel keeps the pages of the others as
long as nobody else needs the room.
"""

from __future__ import annotations

import math
import mmap
import os
import re
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, SupportsIndex, cast

import numpy as np

from gmmcli.errors import InputOutputError, UsageError
from gmmcli.tables.cells import Numbers

SEGMENT_BYTES = 1 << 26
"""What is taken of the file at once: systems allow some ten thousand mappings."""
SPOOL_BYTES = 1 << 26
"""Up to so many bytes a stream that must be read back and forth is kept in memory."""
WINDOW_SHARE, SMALLEST_WINDOW, LARGEST_WINDOW = 1 / 16, 1 << 24, 1 << 28
"""The share of the memory that pages of the file may have, and its bounds in bytes."""
ROWS_SHARE, MOST_SPARED = 1 / 2, 1 << 30
"""The share of the memory for rows; what is spared, at most so many bytes, is for all else: rows as
they are read, subsamples, statistics, what each thread works on.
"""
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
MOST_BYTES = 1 << 50


@dataclass(frozen=True, eq=False)
class _Place:
    """Where in the file an array is, and which array was made after it."""

    segment: weakref.ref[mmap.mmap]
    start: int
    n_bytes: int
    number: int

    def advise(self, advice: str) -> None:
        """Tell the kernel what will come of the pages, where it can be told."""
        segment = self.segment()
        if segment is not None and hasattr(mmap, advice):
            segment.madvise(getattr(mmap, advice), self.start, self.n_bytes)


class Store:
    """Arrays in memory up to a number of bytes, in a temporary file beyond it; of that, those used
    last are mapped, `window` bytes of them.

    May be used by several threads.
    """

    def __init__(self, n_bytes: int, window: int = SMALLEST_WINDOW) -> None:
        self._left, self._window, self._mapped_bytes = n_bytes, window, 0
        self._segment: mmap.mmap | None = None
        self._used = 0
        self._lock = threading.RLock()
        self._places: dict[int, _Place] = {}
        self._by_number: dict[int, _Place] = {}
        self._recent: OrderedDict[int, _Place] = OrderedDict()

    @classmethod
    def within(cls, n_bytes: int) -> Store:
        """The store of a process that may use so much memory in all."""
        rows = max(int(n_bytes * ROWS_SHARE), n_bytes - MOST_SPARED)
        window = min(max(int(n_bytes * WINDOW_SHARE), SMALLEST_WINDOW), LARGEST_WINDOW)
        return cls(rows, window)

    def empty(self, shape: tuple[int, ...]) -> Numbers:
        """An array of this shape, not filled. Raises InputOutputError without room on disk."""
        n_bytes = 8 * math.prod(shape)
        with self._lock:
            if n_bytes <= self._left:
                self._left -= n_bytes
                array = np.empty(shape)
                weakref.finalize(array, self._give_back, n_bytes).atexit = False
                return array
            if self._segment is None or self._used + n_bytes > len(self._segment):
                self._segment, self._used = _mapped(max(n_bytes, SEGMENT_BYTES)), 0
            start = self._used
            self._used += -(-n_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
            array = np.frombuffer(self._segment, np.float64, n_bytes // 8, start).reshape(shape)
            if n_bytes:
                number = len(self._by_number)
                place = _Place(weakref.ref(self._segment), start, n_bytes, number)
                self._places[_address(array)] = self._by_number[number] = place
                self._use(place)
            return array

    def copy(self, values: Numbers) -> Numbers:
        """The same values in an array of this store, C order."""
        kept = self.empty(values.shape)
        kept[...] = values
        return kept

    def used(self, array: Numbers) -> Numbers:
        """The array, made by this store or not, which is used now: others may have to go."""
        place = self._places.get(_address(array)) if self._places else None
        if place is not None:
            with self._lock:
                self._use(place)
        return array

    def __reduce__(self) -> tuple[type[Store], tuple[int, int]]:
        """What another process gets is empty."""
        return Store, (0, self._window)

    def _give_back(self, n_bytes: int) -> None:
        with self._lock:
            self._left += n_bytes

    def _use(self, place: _Place) -> None:
        if place.number in self._recent:
            self._recent.move_to_end(place.number)
            return
        self._recent[place.number] = place
        self._mapped_bytes += place.n_bytes
        while self._mapped_bytes > self._window and len(self._recent) > 1:
            _, oldest = self._recent.popitem(last=False)
            self._mapped_bytes -= oldest.n_bytes
            oldest.advise("MADV_DONTNEED")
        if following := self._by_number.get(place.number + 1):
            following.advise("MADV_WILLNEED")


class Arrays(list[Numbers]):
    """Arrays of a store, each told to be used when it is taken."""

    def __init__(self, store: Store, arrays: Iterable[Numbers] = ()) -> None:
        super().__init__(arrays)
        self.store = store

    def __iter__(self) -> Iterator[Numbers]:
        return map(self.store.used, super().__iter__())

    def pop(self, index: SupportsIndex = -1) -> Numbers:
        """Take an array off the list."""
        return self.store.used(super().pop(index))


def _address(array: Numbers) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


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
