"""Models in files: JSON or NPZ, told apart by their content."""

from __future__ import annotations

import io
import os
import stat
from typing import BinaryIO

from gmmcli.errors import CannotCreateError, InputNotFoundError, InputOutputError, UserError
from gmmcli.models import json_text, npz
from gmmcli.models.document import MalformedError, from_document, to_document
from gmmcli.models.model import Model
from gmmcli.output import open_output

_HEAD = 4096


def dumps(model: Model, *, as_npz: bool, name: str = "the model") -> bytes:
    """The bytes of a model file that messages call `name`: the same model gives the same bytes.

    They have been read back: what could not be read is never written. Raises CannotCreateError for
    it, such as a model with NaN, or one too large for JSON.
    """
    encode = npz.encode if as_npz else json_text.encode
    try:
        document = to_document(model)
        from_document(document)
        data = encode(document)
        _decoded(io.BytesIO(data), len(data))
    except MalformedError as error:
        raise CannotCreateError(f"{name}: cannot create: {error.message}", error.mend) from None
    return data


def loads(data: bytes, name: str) -> Model:
    """The model of the bytes of a file that messages call `name`. Raises UserError."""
    return read(io.BytesIO(data), name)


def save(model: Model, path: str) -> None:
    """Save a model, as NPZ where the name ends in .npz and as JSON elsewhere; whole or not at all.

    Raises CannotCreateError, InputOutputError.
    """
    data = dumps(model, as_npz=path.lower().endswith(".npz"), name=path)
    with open_output(path) as out:
        out.write(data)


def load(path: str) -> Model:
    """The model of a file.

    Raises InputNotFoundError where there is none, UserError where it is not a sound model.
    """
    try:
        with open(path, "rb") as file:
            return read(file, path)
    except FileNotFoundError:
        raise InputNotFoundError(f"{path}: no such file", "check the name of the model") from None
    except IsADirectoryError:
        raise InputNotFoundError(f"{path}: is a folder", "name a model file") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputNotFoundError(f"{path}: cannot open: {reason}") from None


def read(file: BinaryIO, name: str) -> Model:
    """The model of an open file or pipe that messages call `name`. Raises UserError where it is not
    a sound model, InputOutputError where it cannot be read.
    """
    try:
        if isinstance(file, io.BytesIO):
            return _decoded(file, len(file.getbuffer()))
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode) and file.seekable():
            return _decoded(file, status.st_size)
        whole = _piped(file)
        return _decoded(whole, whole.tell())
    except MalformedError as error:
        raise UserError(f"{name}: {error.message}", error.mend) from None
    except OSError as error:
        raise InputOutputError(f"{name}: cannot read: {(error.strerror or '').lower()}") from None


def _piped(pipe: BinaryIO) -> io.BytesIO:
    """All of a pipe, or as much as shows that it is no model."""
    whole = io.BytesIO()
    whole.write(pipe.read(_HEAD))
    limit = _limit(whole.getvalue())
    while chunk := pipe.read(1 << 20):
        whole.write(chunk)
        if whole.tell() > limit:
            raise _too_large(limit)
    return whole


def _decoded(file: BinaryIO, size: int) -> Model:
    """The model of a file of so many bytes."""
    file.seek(0)
    head = file.read(_HEAD)
    if size > (limit := _limit(head)):
        raise _too_large(limit)
    if head.startswith(npz.MAGIC):
        return from_document(npz.decode(file, size))
    file.seek(0)
    return from_document(json_text.decode(file.read()))


def _limit(head: bytes) -> int:
    """The most bytes that a file may have which begins so."""
    if head.startswith(npz.MAGIC):
        return npz.MAX_BYTES
    if head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(b"{"):
        return json_text.MAX_BYTES
    what = "an empty file" if not head else "not a gmmcli model"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        what = "UTF-16 text, where a model is UTF-8"
    raise MalformedError(what, "give a file that gmmcli fit -o wrote")


def _too_large(limit: int) -> MalformedError:
    return MalformedError(f"larger than {limit >> 20} MiB, the most that such a model may have")
