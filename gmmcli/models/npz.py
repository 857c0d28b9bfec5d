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

import numpy as np
from numpy.typing import NDArray

from gmmcli.core.covariances import Array
from gmmcli.models import json_text
from gmmcli.models.document import ARRAYS, Document, MalformedError

MAGIC = b"PK\x03\x04"
MAX_BYTES = 1 << 30
MAX_MEMBERS = 64
_CENTRAL_ENTRY = b"PK\x01\x02"
_REST = "document"


def encode(document: Document) -> bytes:
    """The NPZ bytes of a document with arrays: the same for the same document."""
    rest = {key: value for key, value in document.items() if key not in ARRAYS}
    text = json.dumps(rest, ensure_ascii=False, allow_nan=False)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        _write(archive, _REST, np.array(text, dtype=f"<U{len(text)}"))
        for key in ARRAYS:
            _write(archive, key, np.ascontiguousarray(document[key], dtype="<f8"))
    return out.getvalue()


def decode(data: bytes) -> Document:
    """The document of NPZ bytes, its three arrays as arrays. Raises MalformedError."""
    try:
        members = _members(data)
        text = _array(members.pop(_REST, b""), _REST)
        if text.ndim or text.dtype.kind != "U":
            raise MalformedError(f"'{_REST}' is not a text")
        document = json_text.parse(str(text.item()).encode())
        if mixed := document.keys() & set(ARRAYS):
            raise MalformedError(f"{', '.join(sorted(mixed))} inside '{_REST}'")
        return document | {key: _numbers(part, key) for key, part in members.items()}
    except MalformedError:
        raise
    # A broken archive or header can raise nearly anything in zipfile and in NumPy's parser.
    except Exception:
        raise MalformedError("a damaged NPZ file", "it may be cut off: copy it again") from None


def _members(data: bytes) -> dict[str, bytes]:
    # Before the directory is read: a million entries would take a minute.
    if data.count(_CENTRAL_ENTRY) > MAX_MEMBERS:
        raise MalformedError("too many members for a model")
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = archive.infolist()
        names = [info.filename.removesuffix(".npy") for info in infos]
        if set(names) - {_REST, *ARRAYS} or len(set(names)) < len(names) or _REST not in names:
            raise MalformedError("not a gmmcli model", "give a file that gmmcli fit -o wrote")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise MalformedError("a compressed NPZ", "write it with numpy.savez")
        if sum(info.file_size for info in infos) > len(data):
            raise MalformedError("a damaged NPZ file: members overlap")
        return {name: archive.read(info) for name, info in zip(names, infos, strict=True)}


def _array(member: bytes, key: str) -> NDArray[np.generic]:
    """The array of an .npy member whose header tells the truth about its size."""
    file = io.BytesIO(member)
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, fortran_order, dtype = np.lib.format.read_array_header_2_0(file)
    if dtype.hasobject:
        raise MalformedError(f"'{key}' holds pickled objects, which are never read")
    content = memoryview(member)[file.tell() :]
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content):
        raise MalformedError(f"'{key}' has not the size that it announces")
    if not content:
        raise MalformedError(f"'{key}' is empty")
    array = np.frombuffer(content, dtype)
    return array.reshape(shape, order="F" if fortran_order else "C")


def _numbers(member: bytes, key: str) -> Array:
    array = _array(member, key)
    if array.dtype.kind not in "fiu":
        raise MalformedError(f"'{key}' holds no numbers")
    return np.array(array, dtype=np.float64, order="C")


def _write(archive: zipfile.ZipFile, key: str, array: NDArray[np.generic]) -> None:
    content = io.BytesIO()
    np.lib.format.write_array(content, array, allow_pickle=False)
    info = zipfile.ZipInfo(f"{key}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3  # as on Unix, everywhere
    info.external_attr = 0o644 << 16
    archive.writestr(info, content.getbuffer())
