"""What the command line promises (contract.toml), and which tests hold it to that.

Run as a program, this file prints each statement with the tests that are marked with its id, and
ends with 1 when a statement that is not pending has none.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@dataclass(frozen=True)
class Statement:
    """One promise: its section, its id, its words, and why there may be no test yet."""

    section: str
    id: str
    text: str
    pending: str | None


def statements() -> list[Statement]:
    """All of them, in the order of the contract."""
    sections = tomllib.loads((TESTS / "contract.toml").read_text(encoding="utf-8"))
    found = []
    for section, lines in sections.items():
        for id_, line in lines.items():
            said = {"text": line} if isinstance(line, str) else line
            found.append(Statement(section, id_, said["text"], said.get("pending")))
    return found


def ids_of(item: pytest.Item) -> Iterator[str]:
    """The statements that a test says it covers."""
    for mark in item.iter_markers("contract"):
        yield from mark.args


def unknown_ids(items: Iterable[pytest.Item]) -> list[str]:
    """Where a test names a statement that there is not."""
    known = {statement.id for statement in statements()}
    return sorted(
        {
            f"{item.nodeid.partition('[')[0]}: no statement {id_!r} in contract.toml"
            for item in items
            for id_ in ids_of(item)
            if id_ not in known
        }
    )


class Coverage:
    """A pytest plugin that keeps which tests name which statement."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        for item in session.items:
            name = item.nodeid.partition("[")[0]
            if item.get_closest_marker("xfail"):
                name += " (expected to fail)"
            elif item.get_closest_marker("slow"):
                name += " (slow)"
            for id_ in ids_of(item):
                tests = self.tests.setdefault(id_, [])
                if name not in tests:
                    tests.append(name)


def coverage() -> dict[str, list[str]]:
    """The tests of each statement that has any. Ends the program where they cannot be collected."""
    plugin = Coverage()
    with contextlib.redirect_stdout(io.StringIO()) as said:
        args = [f"--rootdir={TESTS.parent}", "--collect-only", "-qq", str(TESTS)]
        status = pytest.main(args, plugins=[plugin])
    if status != pytest.ExitCode.OK:
        raise SystemExit(said.getvalue())
    return plugin.tests


def report(tests: dict[str, list[str]]) -> tuple[str, bool]:
    """The list of statements with their tests, and whether all that is not pending has one."""
    lines, without, pending = [], [], []
    section = None
    for statement in statements():
        if statement.section != section:
            section = statement.section
            lines += ["", f"{section}", "=" * len(section), ""]
        lines.append(f"{statement.id}: {statement.text}")
        lines += [f"    {test}" for test in tests.get(statement.id, [])]
        if statement.id not in tests:
            reason = "no test" if statement.pending is None else f"pending: {statement.pending}"
            lines.append(f"    {reason}")
            (without if statement.pending is None else pending).append(statement.id)
    covered = len(statements()) - len(without) - len(pending)
    lines += ["", f"{len(statements())} statements: {covered} with tests, {len(pending)} pending, "]
    lines[-1] += f"{len(without)} without a test"
    lines += [f"    {id_}" for id_ in without]
    return "\n".join(lines[1:]), not without


if __name__ == "__main__":
    text, complete = report(coverage())
    print(text)
    sys.exit(not complete)
