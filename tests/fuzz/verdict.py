"""What a run of a command on a spoiled file may come to, and what it may not."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuzz.cases import Case

MOST_SECONDS = 10
MOST_MEMORY = 300 << 20
"""Bytes that may be resident at once, beyond those of a process that has everything loaded."""
ALLOWED = (0, 65)


@dataclass(frozen=True)
class Ended:
    """How a process ended: as `wait` tells it, after how long, and the most memory it had."""

    status: int
    seconds: float
    memory: int

    @property
    def code(self) -> int | None:
        """The exit code, unless a signal ended it."""
        return os.WEXITSTATUS(self.status) if os.WIFEXITED(self.status) else None

    def __str__(self) -> str:
        how = f"signal {os.WTERMSIG(self.status)}" if self.code is None else f"exit {self.code}"
        return f"{how} after {self.seconds:.2f} s with {self.memory / 2**20:.0f} MB"


def faults(case: Case, ended: Ended, folder: Path, stderr: str) -> list[str]:
    """What is wrong with the end of a case, what it left in its folder and what it said."""
    return [
        *_of_the_end(ended),
        *_of_the_folder(case, ended.code, folder),
        *_of_what_was_said(ended.code, stderr),
    ]


def _of_the_end(ended: Ended) -> Iterator[str]:
    if ended.code is None:
        number = os.WTERMSIG(ended.status)
        slow = number == signal.SIGALRM
        yield f"not done in {MOST_SECONDS} s" if slow else f"died by {signal.Signals(number).name}"
    elif ended.code not in ALLOWED:
        yield f"exit {ended.code}"
    if ended.memory > MOST_MEMORY:
        yield f"{ended.memory / 2**20:.0f} MB, more than {MOST_MEMORY >> 20}"


def _of_the_folder(case: Case, code: int | None, folder: Path) -> Iterator[str]:
    """Inputs are what they were; the output is new where all went well, or else the old one."""
    for name in sorted({path.name for path in folder.iterdir()} - set(case.files)):
        yield f"left {name} behind"
    for name, data in case.files.items():
        path = folder / name
        if not path.exists():
            yield f"{name} is gone"
        elif (path.read_bytes() == data) == (name == case.output and code == 0):
            yield f"{name} was {'not written' if name == case.output and code == 0 else 'changed'}"


def _of_what_was_said(code: int | None, stderr: str) -> Iterator[str]:
    lines = stderr.splitlines()
    if strange := [line for line in lines if not line.startswith("gmmcli: ")]:
        yield f"said {strange[-1][:200]!r}"
    if internal := [line for line in lines if "internal error" in line]:
        yield internal[0][:300]
    if code == 65 and (not lines or lines[-1].startswith("gmmcli: warning: ")):
        yield "did not say why"
