"""Outputs that are there whole or not at all.

A file is written beside its target under a hidden name and renamed over it at the end, so a crash,
a full disk or a `kill -9` leaves the old file as it was. Devices, pipes and standard output cannot
be renamed over: they are written straight through.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import select
import stat
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, TextIO

from gmmcli.errors import CannotCreateError, InputOutputError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

BUFFER_SIZE = 1 << 18
_STANDARD_OUTPUT = "standard output"

# Our own descriptors by name: opening them anew would truncate what `>> file` has before.
_DESCRIPTOR = re.compile(
    r"/dev/(?:std(?P<name>out|err)|fd/(?P<dev>\d+))|/proc/self/fd/(?P<proc>\d+)"
)

_unfinished: set[str] = set()


@contextlib.contextmanager
def open_output(path: str) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` when the block ends well.

    After any exception the temporary file is gone and `path` is what it was. A new file has the
    permissions of the umask, a replaced one keeps its own; symbolic links are followed.

    Raises CannotCreateError where no output can be made, InputOutputError where a write fails;
    BrokenPipeError is left alone.
    """
    if _is_written_through(path):
        with _writing(_open_through(path), path) as out:
            yield out
        return
    target = _target(path)
    temporary = _temporary_name(target)
    # Known before it exists: an exception from a signal handler may come at any instruction.
    _unfinished.add(temporary)
    try:
        with _writing(_create(path, target, temporary), path, sync=True) as out:
            yield out
        try:
            os.replace(temporary, target)
        except OSError as error:
            raise _cannot_create(path, error) from None
    finally:
        _remove(temporary)


@contextlib.contextmanager
def open_folder(path: str) -> Iterator[str]:
    """A new folder to write files into, under a hidden name beside `path`, which it gets at the
    end; nothing is left of it after an error. Raises CannotCreateError, also where there is such a
    file or folder.
    """
    target = path.rstrip("/") or path
    if os.path.lexists(target):
        raise CannotCreateError(f"{path}: is there already; name another folder, or remove it")
    temporary = _temporary_name(os.path.abspath(target))
    try:
        os.mkdir(temporary)
    except OSError as error:
        raise _cannot_create(path, error) from None
    _unfinished.add(temporary)
    try:
        yield temporary
        try:
            os.rename(temporary, target)
        except OSError as error:
            raise _cannot_create(path, error) from None
        _unfinished.discard(temporary)
    finally:
        _remove(temporary)


@contextlib.contextmanager
def scratch_folder() -> Iterator[str]:
    """A folder for temporary files, in TMPDIR, which goes with all that is in it. Raises
    CannotCreateError.
    """
    import tempfile

    try:
        folder = tempfile.mkdtemp(prefix="gmmcli-")
    except OSError as error:
        raise _cannot_create(tempfile.gettempdir(), error) from None
    _unfinished.add(folder)
    try:
        yield folder
    finally:
        _remove(folder)


def require_creatable(path: str) -> None:
    """Raise CannotCreateError where `path` could not be written: before hours of work, not after.

    A disk that is full then is found only when it is written to.
    """
    if _is_written_through(path):
        return
    target = _target(path)
    _checked(path, target)
    if not os.access(os.path.dirname(target), os.W_OK | os.X_OK):
        raise CannotCreateError(f"{path}: cannot create: permission denied")


def is_same_file(path: str, other: str) -> bool:
    """Whether two names lead to one file, by links or another spelling, there or not yet."""
    try:
        found = os.stat(path)
        return stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.stat(other))
    except OSError:
        return os.path.realpath(path) == os.path.realpath(other)


@contextlib.contextmanager
def standard_output() -> Iterator[BinaryIO]:
    """Standard output as bytes, flushed at the end; what was written before an error stays.

    Raises InputOutputError where a write fails or standard output is closed; BrokenPipeError is
    left alone.
    """
    if sys.stdout is None:
        raise InputOutputError(f"{_STANDARD_OUTPUT}: cannot write: it is closed")
    sys.stdout.flush()
    with _writing(os.dup(sys.stdout.fileno()), _STANDARD_OUTPUT, keep=True) as out:
        yield out


def standard_text() -> TextIO:
    """Standard output as text, whose failing writes are InputOutputError; what it was is not closed
    with it.
    """
    raw = _File(1, _STANDARD_OUTPUT, closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8",
        errors="surrogateescape",
        newline="\n",
        line_buffering=raw.isatty(),
    )


def remove_unfinished() -> None:
    """Remove the temporary files of all outputs that are under way: for the end of the process."""
    for temporary in list(_unfinished):
        _remove(temporary)


class _File(io.FileIO):
    """A raw file whose failing writes are errors that a user understands."""

    def __init__(self, descriptor: int, label: str, *, closefd: bool = True) -> None:
        super().__init__(descriptor, "wb", closefd=closefd)
        self._label = label

    def write(self, data: ReadableBuffer, /) -> int:
        try:
            # None: the descriptor was left non-blocking by whoever shares it, and is full.
            while (written := super().write(data)) is None:
                select.select([], [self], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _cannot_write(self._label, error) from None
        return written


@contextlib.contextmanager
def _writing(
    descriptor: int, label: str, *, sync: bool = False, keep: bool = False
) -> Iterator[BinaryIO]:
    """Buffered writing to a descriptor: flushed (and synced) on success, then closed.

    With `keep`, what was written before an error is flushed too.
    """
    raw = _File(descriptor, label)
    try:
        out = io.BufferedWriter(raw, BUFFER_SIZE)
        try:
            yield out
        except (BrokenPipeError, InputOutputError):
            raise
        except Exception:
            if keep:
                with contextlib.suppress(OSError, InputOutputError):
                    out.flush()
            raise
        out.flush()
        if sync:
            try:
                os.fsync(descriptor)
            except OSError as error:
                raise _cannot_write(label, error) from None
    finally:
        # The raw file first: closing the buffer would write what is left once more.
        raw.close()


def _is_written_through(path: str) -> bool:
    if _DESCRIPTOR.fullmatch(path):
        return True
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _open_through(path: str) -> int:
    match = _DESCRIPTOR.fullmatch(path)
    try:
        if match is None:
            return os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        named = {"out": 1, "err": 2}.get(match["name"] or "")
        return os.dup(named if named is not None else int(match["dev"] or match["proc"]))
    except (OSError, OverflowError) as error:
        raise _cannot_create(path, error) from None


def _create(path: str, target: str, temporary: str) -> int:
    """Create the temporary file with the permissions that the target has or would get."""
    old = _checked(path, target)
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _cannot_create(path, error) from None
    if old is not None:
        with contextlib.suppress(OSError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode))
    return descriptor


def _target(path: str) -> str:
    """The file that a path leads to, links followed."""
    try:
        return os.path.realpath(path)
    except OSError as error:  # The working directory is gone.
        raise _cannot_create(path, error) from None


def _checked(path: str, target: str) -> os.stat_result | None:
    """What is at the target now; raises CannotCreateError where a file cannot take its place."""
    try:
        old = os.stat(target)
    except OSError:
        old = None
    if not path:
        raise CannotCreateError("'': cannot create: the name is empty")
    if (old is not None and stat.S_ISDIR(old.st_mode)) or path.endswith("/"):
        raise CannotCreateError(f"{path}: cannot create: is a folder", "name a file")
    if os.path.islink(target):
        raise CannotCreateError(f"{path}: cannot create: a loop of symbolic links")
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise CannotCreateError(f"{path}: cannot create: no folder {folder}", "make it first")
    if old is not None and not os.access(target, os.W_OK):
        raise CannotCreateError(f"{path}: cannot create: the file there is write-protected")
    if old is not None and not _may_replace(old, os.stat(folder)):
        raise CannotCreateError(
            f"{path}: cannot create: another user's file, which a sticky folder protects",
            "name another file",
        )
    return old


def _may_replace(old: os.stat_result, folder: os.stat_result) -> bool:
    """Whether a file may be renamed over, as far as the sticky bit of its folder has a say."""
    is_sticky = folder.st_mode & stat.S_ISVTX
    return not is_sticky or os.geteuid() in (0, old.st_uid, folder.st_uid)


def _temporary_name(target: str) -> str:
    folder, name = os.path.split(target)
    # 255 bytes is the longest name of most file systems.
    stem = os.fsdecode(os.fsencode(name)[:200])
    return os.path.join(folder, f".{stem}.{os.urandom(6).hex()}.tmp")


def _remove(temporary: str) -> None:
    if os.path.isdir(temporary):
        import shutil

        shutil.rmtree(temporary, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.unlink(temporary)
    _unfinished.discard(temporary)


def _cannot_create(path: str, error: Exception) -> CannotCreateError:
    return CannotCreateError(f"{path}: cannot create: {_reason(error)}")


def _cannot_write(label: str, error: OSError) -> InputOutputError:
    return InputOutputError(f"{label}: cannot write: {_reason(error)}")


def _reason(error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    return reason[:1].lower() + reason[1:]
