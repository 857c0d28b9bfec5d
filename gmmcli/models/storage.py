"""Models in files: JSON or NPZ, told apart by their content."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from typing import BinaryIO

from gmmcli.errors import CannotCreateError, InputNotFoundError, InputOutputError, UserError
from gmmcli.models import json_text, npz
from gmmcli.models.document import Document, MalformedError, from_document, to_document
from gmmcli.models.model import Model
from gmmcli.output import open_output

_HEAD = 4096


def dumps(model: Model, *, as_npz: bool) -> bytes:
    """The bytes of a model file: the same model gives the same bytes.

    Raises ValueError for a model that could not be read back, such as one with NaN.
    """
    encode = npz.encode if as_npz else json_text.encode
    return encode(to_document(model))


def loads(data: bytes, name: str) -> Model:
    """The model of the bytes of a file that messages call `name`. Raises UserError."""
    try:
        decode, limit = _reader(data[:_HEAD])
        if len(data) > limit:
            raise _too_large(limit)
        return from_document(decode(data))
    except MalformedError as error:
        raise UserError(f"{name}: {error.message}", error.mend) from None


def save(model: Model, path: str) -> None:
    """Save a model, as NPZ where the name ends in .npz and as JSON elsewhere; whole or not at all.

    Raises CannotCreateError, InputOutputError, and ValueError as `dumps` does.
    """
    as_npz = path.lower().endswith(".npz")
    data = dumps(model, as_npz=as_npz)
    limit = npz.MAX_BYTES if as_npz else json_text.MAX_BYTES
    if len(data) > limit:
        raise CannotCreateError(f"{path}: cannot create: {_too_large(limit).message}", "use .npz")
    with open_output(path) as out:
        out.write(data)


def load(path: str) -> Model:
    """The model of a file.

    Raises InputNotFoundError where there is none, UserError where it is not a sound model.
    """
    try:
        with open(path, "rb") as file:
            data = _read(file, path)
    except FileNotFoundError:
        raise InputNotFoundError(f"{path}: no such file", "check the name of the model") from None
    except IsADirectoryError:
        raise InputNotFoundError(f"{path}: is a folder", "name a model file") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputNotFoundError(f"{path}: cannot open: {reason}") from None
    return loads(data, path)


def _read(file: BinaryIO, name: str) -> bytes:
    """All of a file, or as much as shows that it is no model."""
    data = io.BytesIO()
    head = file.read(_HEAD)
    data.write(head)
    try:
        _, limit = _reader(head)
        if os.fstat(file.fileno()).st_size > limit:
            raise _too_large(limit)
        while chunk := file.read(1 << 20):
            data.write(chunk)
            if data.tell() > limit:
                raise _too_large(limit)
    except MalformedError as error:
        raise UserError(f"{name}: {error.message}", error.mend) from None
    except OSError as error:
        raise InputOutputError(f"{name}: cannot read: {(error.strerror or '').lower()}") from None
    return data.getvalue()


def _reader(head: bytes) -> tuple[Callable[[bytes], Document], int]:
    """What reads a file that begins so, and the most bytes that it may have."""
    if head.startswith(npz.MAGIC):
        return npz.decode, npz.MAX_BYTES
    if head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n").startswith(b"{"):
        return json_text.decode, json_text.MAX_BYTES
    what = "an empty file" if not head else "not a gmmcli model"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        what = "UTF-16 text, where a model is UTF-8"
    raise MalformedError(what, "give a file that gmmcli fit -o wrote")


def _too_large(limit: int) -> MalformedError:
    return MalformedError(f"larger than {limit >> 20} MiB, the most that such a model may have")
