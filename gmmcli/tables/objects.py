"""Objects of an S3 store as inputs: `s3://bucket/key`, found by name, glob or prefix.

Whatever may wait for the network does so on another thread: the main thread must hear signals.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache
from glob import has_magic
from typing import Any

from gmmcli.errors import (
    InputNotFoundError,
    InputOutputError,
    UnavailableError,
    UsageError,
    UserError,
)
from gmmcli.tables.ahead import aside, read_ahead
from gmmcli.tables.folders import Input, data_files, keyed_inputs

_SCHEME = "s3://"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
# A call that a busy store refuses, or the network cuts, is tried anew after longer and longer
# waits; an endpoint that never answers is given up after half a minute or so.
_CONNECT_SECONDS, _REQUEST_SECONDS, _ATTEMPTS = 5, 8, 5
# Enough to tell the kind: of Parquet, which is read from its end, no more is fetched in vain.
_FIRST_BLOCK = 1 << 16
# What Arrow raises of a store, and of a name that can be none.
_FAILURES = (OSError, ValueError)


def is_object(path: str) -> bool:
    """Whether an input is named by its URL in an object store."""
    return path.startswith(_SCHEME)


def expand(url: str) -> list[Input]:
    """The objects that `url` stands for: itself, what a glob matches, in sorted order, or all below
    a folder (a prefix up to a slash) that is a file of Parquet.

    Globs and folders mean what they mean for files. Raises InputNotFoundError where there is
    nothing or the store cannot be asked, UserError for a folder without such objects, UsageError
    for an endpoint that is no URL, UnavailableError where pyarrow was built without S3.
    """
    path = _path(url)
    bucket = path.partition("/")[0]
    if not bucket or has_magic(bucket):
        raise InputNotFoundError(f"{url}: names no bucket", "write s3://BUCKET/KEY")
    try:
        return aside(lambda: _expand(_store(bucket), path))
    except _FAILURES as error:
        raise _cannot_open(url, error) from None


def _expand(store: Any, path: str) -> list[Input]:
    info = store.get_file_info(path)
    if info.type.name != "NotFound":
        return _members(store, info)
    if not has_magic(path):
        raise FileNotFoundError
    matches = sorted(_matches(store, path), key=lambda info: info.path)
    if not matches:
        raise InputNotFoundError(f"{_SCHEME}{path}: no object matches", "check the pattern")
    return [each for info in matches for each in _members(store, info)]


def _members(store: Any, info: Any) -> list[Input]:
    url = _SCHEME + info.path
    if info.is_file:
        return [Input(url)]
    listing = _listing(store, info.path, recursive=True)
    below = [i.path.removeprefix(f"{info.path}/") for i in listing if i.is_file]

    def contents(name: str) -> bytes:
        with store.open_input_file(f"{info.path}/{name}") as file:
            return bytes(file.read())

    from gmmcli.tables.delta import current_files

    counted = current_files(url, below, contents)
    names = data_files(below if counted is None else counted)
    if not names:
        raise UserError(
            f"{url}: a folder without Parquet files", f"name the objects, as in {url}/*.csv"
        )
    return keyed_inputs(url, names)


def _matches(store: Any, pattern: str) -> Iterator[Any]:
    parts = pattern.split("/")
    plain = next(i for i, part in enumerate(parts) if has_magic(part))
    wanted = parts[plain:]
    for info in _listing(store, "/".join(parts[:plain]), recursive=len(wanted) > 1):
        if _match(info.path.split("/")[plain:], wanted):
            yield info


def _match(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    if not pattern:
        return not parts
    head, *rest = pattern
    if head == "**" and _match(parts, rest):
        return True
    # As for files, only a pattern that begins with a dot finds a name that does.
    if not parts or (parts[0].startswith(".") and not head.startswith(".")):
        return False
    return fnmatchcase(parts[0], head) and _match(parts[1:], pattern if head == "**" else rest)


def _listing(store: Any, path: str, *, recursive: bool) -> list[Any]:
    from pyarrow.fs import FileSelector

    found: list[Any] = store.get_file_info(
        FileSelector(path, recursive=recursive, allow_not_found=True)
    )
    return found


def size(url: str) -> int:
    """The bytes of an object."""
    with open_object(url) as file:
        return int(file.size())


def blocks(url: str, block_size: int, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes of an object, or those from one place to another, of which no more than two blocks
    are held.

    Raises InputNotFoundError where it cannot be opened, InputOutputError where a read fails.
    """
    return read_ahead(_blocks(url, block_size, start, end))


def _blocks(url: str, block_size: int, start: int, end: int | None) -> Iterator[bytes]:
    most = min(block_size, _FIRST_BLOCK)
    with open_object(url) as file:
        file.seek(start)
        while block := _read(url, file, most if end is None else min(most, end - start)):
            yield block
            start += len(block)
            most = block_size


def _read(url: str, file: Any, size: int) -> bytes:
    try:
        return bytes(file.read(size))
    except OSError as error:
        raise failed_read(url, error) from None


def open_object(url: str) -> Any:
    """An object as an Arrow file that is read at any place, each read a request of its own.

    Raises InputNotFoundError where it cannot be opened.
    """
    path = _path(url)
    try:
        return _store(path.partition("/")[0]).open_input_file(path)
    except _FAILURES as error:
        raise _cannot_open(url, error) from None


def failed_read(url: str, error: Exception) -> InputOutputError:
    """The error of an object that was lost half-way."""
    return InputOutputError(f"{url}: cannot read: {_reason(error)}", "try again")


def is_of_store(error: Exception) -> bool:
    """Whether Arrow tells of its store here, not of what it read there."""
    return "AWS Error" in str(error)


def _path(url: str) -> str:
    return url.removeprefix(_SCHEME).rstrip("/")


@cache
def _store(bucket: str) -> Any:
    """The file system that has `bucket`. Raises UnavailableError, UsageError and Arrow's own."""
    try:
        from pyarrow import fs

        initialize = fs.initialize_s3
    except ImportError:
        raise UnavailableError(
            f"{_SCHEME}{bucket}: this pyarrow was built without S3", "install pyarrow with pip"
        ) from None
    with suppress(ValueError):  # it was, by somebody else
        initialize(fs.S3LogLevel.Off)
    endpoint = _endpoint()
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not (region and os.environ.get("AWS_ACCESS_KEY_ID")):
        _forgo_absent_metadata()
    if not region:
        # Amazon's buckets are each in a region; other stores have one, mostly of this name.
        region = "us-east-1" if endpoint else fs.resolve_s3_region(bucket)
    scheme, host = endpoint or ("https", None)
    return fs.S3FileSystem(
        endpoint_override=host,
        scheme=scheme,
        region=region,
        connect_timeout=_CONNECT_SECONDS,
        request_timeout=_REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_ATTEMPTS),
    )


def _endpoint() -> tuple[str, str] | None:
    """The scheme and the host of a store that is not Amazon's. Raises UsageError."""
    name = next((name for name in _ENDPOINTS if os.environ.get(name)), None)
    if name is None:
        return None
    scheme, _, host = os.environ[name].rstrip("/").partition("://")
    if scheme not in ("http", "https") or not host:
        raise UsageError(
            f"{name}: {os.environ[name]!r} is not the URL of a store",
            "write it as in http://localhost:9000",
        )
    return scheme, host


def _forgo_absent_metadata() -> None:
    """Keep the SDK from asking where only Amazon's machines answer.

    Where networks swallow what nobody answers it would wait for 14 seconds at first, then two
    more with each request.
    """
    if any(name.startswith("AWS_EC2_METADATA") for name in os.environ):
        return
    import socket

    try:
        socket.create_connection(("169.254.169.254", 80), timeout=1).close()
    except OSError:
        os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def _cannot_open(url: str, error: Exception) -> InputNotFoundError:
    text = str(error)
    if isinstance(error, ValueError):
        return InputNotFoundError(
            f"{url}: cannot be read as the URL of an object", "check it: no //, and in UTF-8"
        )
    if isinstance(error, FileNotFoundError) or re.search("NO_SUCH|NOT_FOUND", text):
        return InputNotFoundError(f"{url}: no such object", "check the bucket and the key")
    if "NETWORK_CONNECTION" in text:
        endpoint = _endpoint()
        where = "Amazon S3" if endpoint is None else "://".join(endpoint)
        return InputNotFoundError(
            f"{url}: cannot reach {where}: {_reason(error)}",
            "check the network and AWS_ENDPOINT_URL",
        )
    if re.search("ACCESS_DENIED|ACCESS_KEY|SIGNATURE|TOKEN|HTTP status 40[13]", text):
        return InputNotFoundError(
            f"{url}: access denied",
            "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        )
    return InputNotFoundError(
        f"{url}: cannot open: {_reason(error)}", "check the URL, AWS_REGION and AWS_ENDPOINT_URL"
    )


def _reason(error: Exception) -> str:
    """What Arrow and curl say, without their own codes."""
    text = " ".join(str(error).split())
    if isinstance(error, FileNotFoundError):
        return "it is no longer there"
    if curl := re.search(r"curlCode: \d+, ([^;]+)", text):
        text = curl[1]
    elif store := re.search(r"AWS Error (.*?)(?: \(Request ID.*)?$", text):
        text = store[1]
    return (text[:1].lower() + text[1:]).rstrip(". ")
