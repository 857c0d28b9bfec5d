"""Model documents as JSON: text that reads well, floats that round-trip, no trust in what comes.

Long lists of numbers are set aside before the text is parsed: their shapes are told by their
brackets and commas alone, and they are read, piece by piece, once these shapes are a model's.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gmmcli.mixture.covariances import Array
from gmmcli.models.document import ARRAYS, Document, MalformedError, Unread

MAX_BYTES = 256 << 20
MAX_NUMBERS = 1 << 25
"""Numbers of an array."""
MAX_TEXT = 16 << 20
"""Bytes beside long lists of numbers,"""
MAX_LISTS, MAX_VALUES = 250_000, 1_000_000
"""and what these may hold: a value costs memory of many times its text."""
LONG = 1 << 16
"""Bytes from which on a list is set aside,"""
PIECE = 1 << 20
"""and about how many of it are read at once."""

_LIST = re.compile(rb"[ \t\r\n]*+:[ \t\r\n]*+\[")
_NUMERIC = b"0123456789+-.eE \t\r\n"
_BLANK = bytes.maketrans(b"[]", b"  ")


def to_json(document: Document) -> bytes:
    """The JSON text of a document, arrays included: a key or a row of numbers on a line."""
    lines = (f"  {_text(key)}: {_layout(value, '  ')}" for key, value in document.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def from_json(data: bytes) -> Document:
    """The document of a JSON text, its three arrays as arrays. Raises MalformedError."""
    _require_few(data, b'"', 2 * MAX_VALUES, "texts")
    aside, text = _set_aside(data)
    document = parse(text)
    found = {key: aside.pop(document[key], None) for key in ARRAYS if _is_text(document, key)}
    if aside:
        raise MalformedError("a long list of numbers where none belongs")
    arrays: dict[str, Unread | Array] = {key: run for key, run in found.items() if run is not None}
    for key in ARRAYS:
        if key in document and key not in arrays:
            arrays[key] = _array(document[key], key)
    return document | arrays


def parse(data: bytes) -> Document:
    """A JSON object, read strictly: no duplicate keys, no NaN, no abyss. Raises MalformedError."""
    for sign, most, what in (
        (b"[", MAX_LISTS, "lists"),
        (b"{", MAX_LISTS, "lists"),
        (b",", MAX_VALUES, "values"),
        (b'"', 2 * MAX_VALUES, "texts"),
    ):
        _require_few(data, sign, most, what)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError(f"not UTF-8 text (byte {error.start})") from None
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})",
            "the file may be cut off",
        ) from None
    except RecursionError:
        raise MalformedError("nested too deeply for a model") from None
    except MalformedError:
        raise
    except ValueError:  # int() of thousands of digits
        raise MalformedError("an integer with too many digits") from None
    if not isinstance(document, dict):
        raise MalformedError("not a gmmcli model", "give a file that gmmcli fit -o wrote")
    return document


def _require_few(data: bytes, sign: bytes, most: int, what: str) -> None:
    if data.count(sign) > most:
        raise MalformedError(f"too many {what} for a model")


def _set_aside(data: bytes) -> tuple[dict[str, Unread], bytes]:
    """The long lists of numbers, by the texts that stand in their places in the rest."""
    aside: dict[str, Unread] = {}
    rest, copied = [], 0
    runs = sorted(_runs(data), key=lambda run: run[1])
    if len(data) - sum(stop - start for _, start, stop in runs) > MAX_TEXT:
        raise MalformedError(f"more than {MAX_TEXT >> 20} MiB beside its numbers")
    for key, start, stop in runs:
        mark = f"\0{len(aside)}"
        aside[mark] = _unread(data, start, stop, key)
        rest += [data[copied:start], json.dumps(mark).encode()]
        copied = stop
    return aside, b"".join([*rest, data[copied:]])


def _runs(data: bytes) -> Iterator[tuple[str, int, int]]:
    """Where long lists of numbers that are called like an array of a model begin and end."""
    for key in ARRAYS:
        name = f'"{key}"'.encode()
        at = data.find(name)
        while at >= 0:
            begin = _LIST.match(data, at + len(name))
            if begin and data[at - 1 : at] != b"\\":
                # No number has a quote or a brace.
                quote = data.find(b'"', begin.end())
                most = len(data) if quote < 0 else quote
                brace = data.find(b"}", begin.end(), most)
                stop = data.rfind(b"]", begin.end(), most if brace < 0 else brace) + 1
                if stop - begin.end() > LONG:
                    yield key, begin.end() - 1, stop
            at = data.find(name, at + len(name))


def _unread(data: bytes, start: int, stop: int, key: str) -> Unread:
    """The numbers of a long list, of the shape that its brackets and commas tell."""
    pieces = range(start, stop, PIECE)
    skeleton = b"".join(data[at : min(at + PIECE, stop)].translate(None, _NUMERIC) for at in pieces)
    if skeleton.translate(None, b"[],"):
        raise MalformedError(f"{key}: not numbers alone")
    shape = _shape_of(skeleton, key)

    def read() -> Array:
        if math.prod(shape) > MAX_NUMBERS:
            raise MalformedError(f"{key}: too many numbers for JSON", "save large models as .npz")
        numbers = np.empty(math.prod(shape))
        filled, at = 0, start
        while at < stop:
            comma = data.find(b",", at + PIECE, stop)
            end = stop if comma < 0 else comma
            values = _flat(data[at:end].translate(_BLANK), key)
            numbers[filled : filled + len(values)] = values
            filled, at = filled + len(values), end + 1
        if filled < len(numbers):
            raise MalformedError(f"{key}: a number is missing")
        return numbers.reshape(shape)

    return Unread(shape, read)


def _shape_of(skeleton: bytes, key: str) -> tuple[int, ...]:
    """The shape of nested lists of which only brackets and commas are left."""
    depth = len(skeleton) - len(skeleton.lstrip(b"["))
    if depth > 3:
        raise MalformedError(f"{key} are nested too deeply")
    shape: list[int] = []
    for level in range(depth):
        end = skeleton.find(b"]" * (level + 1))
        shape.insert(0, skeleton.count(b"]" * level or b",", 0, end) + 1)
    whole = b""
    if math.prod(shape) == skeleton.count(b",") + 1:
        for level, length in enumerate(reversed(shape)):
            whole = (
                b"[" + (b"," * (length - 1) if level == 0 else b",".join([whole] * length)) + b"]"
            )
    if whole != skeleton:
        raise MalformedError(f"{key}: lists of unequal lengths")
    return tuple(shape)


def _flat(text: bytes, key: str) -> Array:
    """Numbers between commas."""
    try:
        values = json.loads(b"[" + text + b"]", parse_constant=_constant)
        return np.array(values, dtype=np.float64)
    except OverflowError:
        raise MalformedError(f"{key}: a number is out of range") from None
    except json.JSONDecodeError:
        raise MalformedError(f"{key}: something that is no number") from None
    except ValueError:  # int() of thousands of digits
        raise MalformedError(f"{key}: an integer with too many digits") from None


def _is_text(document: Mapping[str, Any], key: str) -> bool:
    return isinstance(document.get(key), str)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise MalformedError(f"the key {twice[:60]!r} is there twice")
    return result


def _constant(name: str) -> None:
    raise MalformedError(f"{name} is not a number that a model may have")


def _array(value: object, key: str) -> Array:
    """Nested lists of numbers, all of one length at each depth, as an array."""
    shape: list[int] = []
    level: list[Any] = [value]
    while isinstance(level[0], list):
        if len(shape) == 3:
            raise MalformedError(f"{key} are nested too deeply")
        if not all(isinstance(part, list) for part in level):
            raise MalformedError(f"{key}: numbers and lists are mixed")
        lengths = {len(part) for part in level}
        if len(lengths) > 1:
            raise MalformedError(f"{key}: lists of {min(lengths)} and of {max(lengths)} values")
        shape.append(lengths.pop())
        if shape[-1] == 0:
            raise MalformedError(f"{key}: an empty list")
        level = [item for part in level for item in part]
    if wrong := set(map(type, level)) - {int, float}:
        names = {list: "a list", dict: "an object", str: "text", bool: "true or false"}
        what = names.get(wrong.pop(), "null")
        raise MalformedError(f"{key}: {what} where a number belongs")
    try:
        return np.array(level, dtype=np.float64).reshape(shape)
    except OverflowError:
        raise MalformedError(f"{key}: a number is out of range") from None


def _layout(value: Any, indent: str) -> str:
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not (isinstance(value, list) and value and isinstance(value[0], list | dict)):
        return _text(value)
    inner = indent + "  "
    rows = ",\n".join(inner + _layout(part, inner) for part in value)
    return f"[\n{rows}\n{indent}]"


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
