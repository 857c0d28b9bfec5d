"""Cases run by children of a process that has everything loaded already: a start costs 10 ms, not
half a second, and a crash ends a child alone.

That process is a leader of its own session and ignores every signal that can be ignored, as are
its children, so what one of them sends to its group reaches nobody else; should it be killed
all the same, that is a fault of the case, and another takes its place.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import pkgutil
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path

import gmmcli
from fuzz.cases import Case
from fuzz.verdict import MOST_SECONDS, Ended, faults

MOST_ADDRESSES = 8 << 30
"""Bytes of address space of a child: the machine is to outlive what it may ask for."""
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024

Work = Callable[[Case], int]
"""What a child does with a case, in whose folder it is: the exit code."""


@dataclass(frozen=True)
class Outcome:
    """What became of a case."""

    number: int
    command: str
    ended: Ended
    faults: tuple[str, ...]
    stderr: str = ""


def gmmcli_command(case: Case) -> int:
    """The command line of a case as the program runs it."""
    from gmmcli.cli import main

    sys.argv = ["gmmcli", *case.argv]
    return main()


def load_everything() -> None:
    """Import what any command may, once for all children."""
    for module in pkgutil.walk_packages(gmmcli.__path__, "gmmcli."):
        if module.name != "gmmcli.__main__":
            importlib.import_module(module.name)
    for name in ("pandas", "pyarrow.compute", "pyarrow.fs", "pyarrow.parquet", "rich.table"):
        importlib.import_module(name)


def run(
    numbers: Sequence[int],
    make: Callable[[int], Case],
    work: Work = gmmcli_command,
    jobs: int = 1,
    keep: Path | None = None,
) -> Iterator[Outcome]:
    """The outcomes of the cases of these numbers, as they come. The files of a case with faults, or
    of one that is alone, are kept in a folder.
    """
    waiting = {job: list(numbers[job::jobs]) for job in range(jobs)}
    running: dict[Connection, tuple[int, int]] = {}
    with tempfile.TemporaryDirectory(prefix="fuzz-") as made:
        try:
            while running or any(waiting.values()):
                for job in waiting.keys() - {job for job, _ in running.values()}:
                    if waiting[job]:
                        worker = _Warm(make, work, Path(made), keep)
                        ours, process = worker.start(tuple(waiting[job]))
                        running[ours] = job, process
                for ready in wait(list(running)):
                    assert isinstance(ready, Connection)
                    job, process = running[ready]
                    try:
                        outcome = ready.recv()
                    except EOFError:
                        del running[ready]
                        ready.close()
                        ended = Ended(os.waitpid(process, 0)[1], 0.0, 0)
                        if not waiting[job]:
                            continue
                        outcome = _lost(waiting[job][0], make, ended)
                    waiting[job].remove(outcome.number)
                    yield outcome
        finally:
            for connection, (_, process) in running.items():
                connection.close()
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)


def _lost(number: int, make: Callable[[int], Case], ended: Ended) -> Outcome:
    """The outcome of a case that has ended the warm process itself."""
    return Outcome(number, _shown(make(number)), ended, (f"the warm process ended: {ended}",))


@dataclass(frozen=True)
class _Warm:
    """What a warm process needs to know."""

    make: Callable[[int], Case]
    work: Work
    folder: Path
    keep: Path | None

    def start(self, numbers: Sequence[int]) -> tuple[Connection, int]:
        """A new process that works on cases, one after the other, and sends their outcomes."""
        ours, theirs = Pipe(duplex=False)
        if process := os.fork():
            theirs.close()
            return ours, process
        code = 1
        try:
            ours.close()
            os.setsid()
            _set_signals(signal.SIG_IGN)
            gc.freeze()
            with contextlib.suppress(BrokenPipeError):
                self._serve(numbers, theirs)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)

    def _serve(self, numbers: Sequence[int], theirs: Connection) -> None:
        resting = _child(lambda: 0, self.folder, "", self.folder).memory
        for number in numbers:
            case = self.make(number)
            with tempfile.TemporaryDirectory(dir=self.folder) as place:
                ended, stderr = _tried(case, self._alone(theirs), Path(place), resting)
                wrong = tuple(faults(case, ended, Path(place, "inside"), stderr))
                if self.keep is not None and (wrong or len(numbers) == 1):
                    _keep(case, Path(place), self.keep)
            theirs.send(Outcome(number, _shown(case), ended, wrong, stderr))

    def _alone(self, theirs: Connection) -> Work:
        """The work, in a child that does not keep open what its parent sends through."""

        def work(case: Case) -> int:
            theirs.close()
            return self.work(case)

        return work


def _tried(case: Case, work: Work, place: Path, resting: int) -> tuple[Ended, str]:
    """How the work on a case ends, in a child and a folder of its own, and what it says. Memory
    counts from that of a child which does nothing.
    """
    inside = place / "inside"
    inside.mkdir()
    for name, data in case.files.items():
        (inside / name).write_bytes(data)
    ended = _child(lambda: work(case), inside, case.stdin, place)
    stderr = (place / "stderr").read_text("utf-8", "backslashreplace")
    return replace(ended, memory=max(0, ended.memory - resting)), stderr


def _keep(case: Case, place: Path, keep: Path) -> None:
    """Copy what a case has left, and its files as they were."""
    kept = keep / case.name.replace(" ", "-")
    shutil.copytree(place, kept, dirs_exist_ok=True)
    for name, data in case.files.items():
        (kept / name).write_bytes(data)


def _shown(case: Case) -> str:
    """The command line as a shell takes it."""
    return shlex.join(["gmmcli", *case.argv]) + (f" < {case.stdin}" if case.stdin else "")


def _child(work: Callable[[], int], folder: Path, stdin: str, beside: Path) -> Ended:
    """How a child ends that does the work in a folder, its streams in files beside that."""
    started = time.monotonic()
    if not (process := os.fork()):
        code = 70
        try:
            os.setsid()
            _set_signals(signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python begins
            _limit()
            os.chdir(folder)
            _redirect(stdin or os.devnull, beside)
            code = work()
            sys.stdout.flush()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    _, status, usage = os.wait4(process, 0)
    seconds = time.monotonic() - started
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)  # what it has started itself
    return Ended(status, seconds, usage.ru_maxrss * _MAXRSS_UNIT)


def _set_signals(handler: signal.Handlers) -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD}:
        with contextlib.suppress(OSError):  # those that the C library keeps for itself
            signal.signal(number, handler)


def _limit() -> None:
    """Bound the time, addresses and remains of this process."""
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))


def _redirect(stdin: str, beside: Path) -> None:
    """Standard input from a file; the other streams into files."""
    sys.stdout.flush()
    written = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, (path, how) in enumerate(
        ((stdin, os.O_RDONLY), (beside / "stdout", written), (beside / "stderr", written))
    ):
        opened = os.open(path, how, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
