"""Model documents as NPZ: the three arrays as they are, all else as JSON text in a fourth.

`numpy.load` reads such a file; we read it by hand, since a header may promise any size. Members
are stored, not compressed: the bytes do not depend on a version of zlib, and a file cannot be
larger inside than outside.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from gmmcli.mixture.covariances import Array
from gmmcli.models import json_text
from gmmcli.models.document import ARRAYS, Document, MalformedError, Unread

MAGIC = b"PK\x03\x04"
MAX_ARCHIVE = 1 << 30
MAX_DIRECTORY = 4096
_END, _END_BYTES = b"PK\x05\x06", 22
_MOST_HEADER = 1 << 16
_REST = "document"


def to_npz(document: Document) -> bytes:
    """The NPZ bytes of a document with arrays: the same for the same document."""
    rest = {key: value for key, value in document.items() if key not in ARRAYS}
    text = json.dumps(rest, ensure_ascii=False, allow_nan=False)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        _write(archive, _REST, np.array(text, dtype=f"<U{len(text)}"))
        for key in ARRAYS:
            _write(archive, key, np.ascontiguousarray(document[key], dtype="<f8"))
    return out.getvalue()


def from_npz(file: BinaryIO, size: int) -> Document:
    """The document of an NPZ file of so many bytes, its three arrays yet unread: as long as they
    are, the file stays open. Raises MalformedError.
    """
    with _damage_told():
        archive, members = _members(file, size)
        rest = _unread(archive, members.pop(_REST), _REST)
        if rest.shape or rest.dtype.kind != "U":
            raise MalformedError(f"'{_REST}' is not a text")
        if rest.dtype.itemsize > 4 * json_text.MAX_TEXT:
            raise MalformedError(f"'{_REST}' has more than {json_text.MAX_TEXT >> 20} MiB")
        document = json_text.parse(str(rest.read().item()).encode())
        if mixed := document.keys() & set(ARRAYS):
            raise MalformedError(f"{', '.join(sorted(mixed))} inside '{_REST}'")
        arrays = {key: _unread(archive, member, key) for key, member in members.items()}
        for key, array in arrays.items():
            if array.dtype.kind not in "fiu":
                raise MalformedError(f"'{key}' holds no numbers")
        return document | {key: Unread(array.shape, array.floats) for key, array in arrays.items()}


@contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except MalformedError:
        raise
    # A broken archive or header can raise nearly anything in zipfile and in NumPy's parser.
    except Exception:
        raise MalformedError("a damaged NPZ file", "it may be cut off: copy it again") from None


def _members(file: BinaryIO, size: int) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """The archive and its members by name: the directory is read if it is short and at the end."""
    file.seek(max(0, size - _END_BYTES))
    end = file.read()
    if not (end.startswith(_END) and end.endswith(b"\0\0")):
        raise MalformedError("a damaged NPZ file", "it may be cut off: copy it again")
    if int.from_bytes(end[12:16], "little") > MAX_DIRECTORY:
        raise MalformedError("too many members for a model")
    archive = zipfile.ZipFile(file)
    infos = archive.infolist()
    names = [info.filename.removesuffix(".npy") for info in infos]
    if set(names) - {_REST, *ARRAYS} or len(set(names)) < len(names) or _REST not in names:
        raise MalformedError("not a gmmcli model", "give a file that gmmcli fit -o wrote")
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise MalformedError("a compressed NPZ", "write it with numpy.savez")
    if sum(info.file_size for info in infos) > size:
        raise MalformedError("a damaged NPZ file: members overlap")
    return archive, dict(zip(names, infos, strict=True))


@dataclass(frozen=True, eq=False)
class _Member:
    """An array of an archive whose header tells the truth about its size."""

    archive: zipfile.ZipFile
    info: zipfile.ZipInfo
    shape: tuple[int, ...]
    fortran_order: bool
    dtype: np.dtype[Any]
    header_bytes: int

    def read(self) -> NDArray[Any]:
        content = self.archive.read(self.info)
        array: NDArray[Any] = np.frombuffer(content, self.dtype, offset=self.header_bytes)
        return array.reshape(self.shape, order="F" if self.fortran_order else "C")

    def floats(self) -> Array:
        with _damage_told():
            return np.require(self.read(), np.float64, "C")


def _unread(archive: zipfile.ZipFile, info: zipfile.ZipInfo, key: str) -> _Member:
    with archive.open(info) as member:
        head = io.BytesIO(member.read(_MOST_HEADER))
    version = np.lib.format.read_magic(head)
    if version == (1, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(head)
    else:
        shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(head)
    if dtype.hasobject:
        raise MalformedError(f"'{key}' holds pickled objects, which are never read")
    content = info.file_size - head.tell()
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != content:
        raise MalformedError(f"'{key}' has not the size that it announces")
    if not content:
        raise MalformedError(f"'{key}' is empty")
    return _Member(archive, info, shape, fortran_order, dtype, head.tell())


def _write(archive: zipfile.ZipFile, key: str, array: NDArray[np.generic]) -> None:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    info = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3  # as on Unix, everywhere
    info.external_attr = 0o644 << 16
    archive.writestr(info, content.getbuffer())
