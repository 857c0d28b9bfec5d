"""The log of a Delta table: which files of a folder are the table as it is now.

Files that an overwrite or a deletion has replaced stay in the folder for days; the log tells them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from gmmcli.errors import UserError

_COMMIT = re.compile(r"_delta_log/([0-9]{20})\.json")
_EXPORT = """write it as Parquet: duckdb -c "COPY (FROM delta_scan('{}')) TO 'rows.parquet'\""""


def current_files(
    folder: str, names: Iterable[str], read: Callable[[str], bytes]
) -> frozenset[str] | None:
    """The files that the log in `folder` counts, of which `names` are all; None where there is no
    log, or one that counts none. `read` has the bytes of a file.

    Raises UserError where the files alone are not the table.
    """
    commits = sorted(name for name in names if _COMMIT.fullmatch(name))
    if not commits:
        return None
    if [_COMMIT.sub(r"\1", name) for name in commits] != [f"{i:020}" for i in range(len(commits))]:
        raise _refused(folder, "whose log is not whole")
    try:
        files, mode = _replayed(read(name) for name in commits)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise _refused(folder, "whose log is damaged") from None
    if mode != "none":
        raise _refused(folder, "whose columns have other names in its files")
    if any(told.get("deletionVector") for told in files.values()):
        raise _refused(folder, "with rows deleted within its files")
    if absent := files.keys() - set(names):
        raise _refused(folder, f"whose file {min(absent)} is not in it")
    return frozenset(files) or None


def _replayed(commits: Iterable[bytes]) -> tuple[dict[str, dict[str, Any]], str]:
    """The files that count after all commits, and how their columns are named."""
    files: dict[str, dict[str, Any]] = {}
    mode = "none"
    for line in (line for commit in commits for line in commit.splitlines() if line.strip()):
        action = json.loads(line)
        if "add" in action:
            files[unquote(action["add"]["path"])] = dict(action["add"])
        elif "remove" in action:
            files.pop(unquote(action["remove"]["path"]), None)
        elif "metaData" in action:
            configuration = action["metaData"].get("configuration") or {}
            mode = configuration.get("delta.columnMapping.mode", "none")
    return files, mode


def _refused(folder: str, why: str) -> UserError:
    return UserError(f"{folder}: a Delta table {why}", _EXPORT.format(folder))
