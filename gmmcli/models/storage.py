"""Documents of models in files: JSON or NPZ, told apart by their content."""

from __future__ import annotations

import io
import os
import stat
from typing import BinaryIO

from gmmcli.errors import CannotCreateError, InputNotFoundError, InputOutputError, UserError
from gmmcli.models import json_text, npz
from gmmcli.models.document import Document, MalformedError, Parts, parts_of

_HEAD = 4096


def encode(document: Document, *, as_npz: bool, name: str) -> bytes:
    """The bytes of a file that messages call `name`: the same document gives the same bytes.

    They have been read back: what could not be read is never written. Raises CannotCreateError for
    it, such as a model with NaN, or one too large for JSON.
    """
    try:
        parts_of(document)
        data = npz.to_npz(document) if as_npz else json_text.to_json(document)
        _decoded(io.BytesIO(data), len(data))
    except MalformedError as error:
        raise CannotCreateError(f"{name}: cannot create: {error.message}", error.mend) from None
    return data


def decode_file(path: str) -> Parts:
    """The parts of the model in a file.

    Raises InputNotFoundError where there is none, UserError where it is not a sound model.
    """
    try:
        with open(path, "rb") as file:
            return decode(file, path)
    except FileNotFoundError:
        raise InputNotFoundError(f"{path}: no such file", "check the name of the model") from None
    except IsADirectoryError:
        raise InputNotFoundError(f"{path}: is a folder", "name a model file") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputNotFoundError(f"{path}: cannot open: {reason}") from None


def decode(file: BinaryIO, name: str) -> Parts:
    """The parts of the model in an open file or pipe that messages call `name`. Raises UserError
    where it is not a sound model, InputOutputError where it cannot be read.
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


def _decoded(file: BinaryIO, size: int) -> Parts:
    """The parts of the model in a file of so many bytes."""
    file.seek(0)
    head = file.read(_HEAD)
    if size > (limit := _limit(head)):
        raise _too_large(limit)
    if head.startswith(npz.MAGIC):
        return parts_of(npz.from_npz(file, size))
    file.seek(0)
    return parts_of(json_text.from_json(file.read()))


def _limit(head: bytes) -> int:
    """The most bytes that a file may have which begins so."""
    if head.startswith(npz.MAGIC):
        return npz.MAX_ARCHIVE
    if head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(b"{"):
        return json_text.MAX_BYTES
    what = "an empty file" if not head else "not a gmmcli model"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        what = "UTF-16 text, where a model is UTF-8"
    raise MalformedError(what, "give a file that gmmcli fit -o wrote")


def _too_large(limit: int) -> MalformedError:
    return MalformedError(f"larger than {limit >> 20} MiB, the most that such a model may have")
