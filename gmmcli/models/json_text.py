"""Model documents as JSON: text that reads well, floats that round-trip, no trust in what comes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from gmmcli.core.covariances import Array
from gmmcli.models.document import ARRAYS, Document, MalformedError

MAX_BYTES = 256 << 20
MAX_BRACKETS = 2_000_000  # a list costs memory of thirty times its text


def encode(document: Document) -> bytes:
    """The JSON text of a document, arrays included: a key or a row of numbers on a line."""
    lines = (f"  {_text(key)}: {_layout(value, '  ')}" for key, value in document.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def decode(data: bytes) -> Document:
    """The document of a JSON text, its three arrays as arrays. Raises MalformedError."""
    document = parse(data)
    return document | {key: _array(document[key], key) for key in ARRAYS if key in document}


def parse(data: bytes) -> Document:
    """A JSON object, read strictly: no duplicate keys, no NaN, no abyss. Raises MalformedError."""
    if data.count(b"[") + data.count(b"{") > MAX_BRACKETS:
        raise MalformedError("too many lists for a model", "save large models as .npz")
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
