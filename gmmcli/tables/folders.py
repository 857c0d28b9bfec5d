"""Folders of Parquet as other programs leave them: what in them is data, and what their names tell.

The same for folders of a disk and of an object store: names are relative, with slashes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from gmmcli.tables.kinds import KINDS

_NULL_KEY = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True)
class PartitionKey:
    """A column by the names of folders, `year=2024`: its value for all rows of a file, None where
    it is missing. It is a number if it is one (or missing) in all files of the folder.
    """

    name: str
    value: str | int | None
    is_number: bool


@dataclass(frozen=True)
class Span:
    """Some bytes of a CSV file, whole records, and its `head`, which comes before them when they
    are read; so many `lines` more are before them in the file.
    """

    head: bytes
    start: int
    end: int
    lines: int


@dataclass(frozen=True)
class Input:
    """One file, object or standard input, and the keys of the folders that it was found in. Of a
    Parquet file it may be some groups of rows alone, from the first to the one before the second;
    of a CSV file a span.
    """

    path: str
    keys: tuple[PartitionKey, ...] = ()
    groups: tuple[int, int] | None = None
    span: Span | None = None


def data_files(names: Iterable[str]) -> list[str]:
    """The Parquet files among the files below a folder, sorted.

    What begins with `_` or `.` is none: programs keep what is theirs there, such as unfinished
    files; but `_key=value` is a folder of data.
    """
    return sorted(
        name
        for name in names
        if name.lower().endswith(KINDS["parquet"]) and not any(map(_is_hidden, *_split(name)))
    )


def _split(name: str) -> tuple[list[str], list[bool]]:
    parts = name.split("/")
    return parts, [True] * (len(parts) - 1) + [False]


def _is_hidden(part: str, is_folder: bool) -> bool:
    is_key = is_folder and "=" in part
    return part.startswith(".") or (part.startswith("_") and not is_key)


def keyed_inputs(folder: str, names: Sequence[str]) -> list[Input]:
    """The files `names` below a folder, with their keys: every file has those of all."""
    told = [_keys(name) for name in names]
    columns = dict.fromkeys(key for keys in told for key in keys)
    is_number = {
        key: all(v is None or _INTEGER.fullmatch(v) for keys in told for v in [keys.get(key)])
        and any(keys.get(key) is not None for keys in told)
        for key in columns
    }
    return [
        Input(
            f"{folder.rstrip('/')}/{name}",
            tuple(_key(key, keys.get(key), is_number[key]) for key in columns),
        )
        for name, keys in zip(names, told, strict=True)
    ]


def _keys(name: str) -> dict[str, str | None]:
    """The keys in the folders of a name."""
    keys: dict[str, str | None] = {}
    for folder in name.split("/")[:-1]:
        key, equals, value = folder.partition("=")
        if key and equals:
            value = unquote(value)
            keys[unquote(key)] = None if value in (_NULL_KEY, "") else value
    return keys


def _key(name: str, value: str | None, is_number: bool) -> PartitionKey:
    return PartitionKey(name, int(value) if is_number and value is not None else value, is_number)
