"""The harness that spoils files: that good files pass it, that it finds what it looks for, and a
few cases of each kind.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fuzz.cases import KINDS, OLD, Case, case, good
from fuzz.verdict import MOST_MEMORY
from fuzz.warm import Outcome, Work, load_everything, run

CASE = Case("a case", ("fit",), {"table.csv": b"a,b\n1,2\n", "out.json": OLD}, "", "out.json")


@pytest.fixture(scope="module")
def loaded() -> None:
    """Real commands run in children, which would have to import all themselves."""
    load_everything()


def outcomes(work: Work, count: int = 1, jobs: int = 1) -> list[Outcome]:
    """What is found of cases on which this is done instead of a command."""
    return list(run(range(count), lambda _: CASE, work, jobs))


def faults(work: Work) -> str:
    (found,) = outcomes(work)
    return "; ".join(found.faults)


def refused(_: Case) -> int:
    sys.stderr.write("gmmcli: table.csv: empty\n")
    return 65


def wrote(_: Case) -> int:
    Path("out.json").write_text("{}")
    return 0


def killed(number: int) -> Work:
    def work(_: Case) -> int:
        os.kill(0, number)  # with its whole group
        return 0

    return work


def large(given: Case) -> int:
    assert len(b"x" * (MOST_MEMORY + (1 << 24)))
    return wrote(given)


def told(line: str, code: int = 65) -> Work:
    def work(_: Case) -> int:
        sys.stderr.write(line)
        return code

    return work


def left(name: str, code: int = 65) -> Work:
    def work(given: Case) -> int:
        Path(name).write_text("half")
        return refused(given) if code else wrote(given)

    return work


@pytest.mark.parametrize("work", [refused, wrote])
def test_a_good_end_has_no_faults(work: Work) -> None:
    assert not faults(work)


@pytest.mark.parametrize(
    ("work", "fault"),
    [
        (lambda _: 0, "out.json was not written"),
        (told("gmmcli: internal error: KeyError\n", 70), "exit 70; .*internal error"),
        (told("Traceback (most recent call last):\n"), "said 'Traceback"),
        (told(""), "did not say why"),
        (told("gmmcli: warning: odd\n"), "did not say why"),
        (left(".out.json.0123.tmp"), r"left \.out\.json\.0123\.tmp behind"),
        (left(".out.json.0123.tmp", 0), r"left \.out\.json\.0123\.tmp behind"),
        (left("out.json"), "out.json was changed"),
        (left("table.csv"), "table.csv was changed"),
        (killed(signal.SIGSEGV), "died by SIGSEGV"),
        (killed(signal.SIGKILL), "died by SIGKILL"),
        (killed(signal.SIGTERM), "died by SIGTERM"),
        (killed(signal.SIGHUP), "died by SIGHUP"),
        (large, "MB, more than 300"),
    ],
)
def test_a_bad_end_is_found(work: Work, fault: str) -> None:
    assert re.search(fault, faults(work))


def test_a_case_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuzz.warm.MOST_SECONDS", 0.2)
    assert "not done in" in faults(lambda _: time.sleep(60) or 0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT])
def test_no_signal_ends_the_warm_process(number: int) -> None:
    def work(given: Case) -> int:
        os.kill(os.getppid(), number)
        return refused(given)

    assert [found.faults for found in outcomes(work, 3)] == [()] * 3


def test_cases_go_on_after_the_warm_process_was_killed() -> None:
    def work(given: Case) -> int:
        if not os.path.exists("../../killed"):
            Path("../../killed").touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return refused(given)

    first, second, third = outcomes(work, 3)
    assert first.faults == ("the warm process ended: signal 9 after 0.00 s with 0 MB",)
    assert second.faults == third.faults == ()


def test_several_jobs_do_the_same_cases() -> None:
    assert sorted(found.number for found in outcomes(refused, 5, jobs=2)) == list(range(5))


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_is_the_same_each_time(kind: str) -> None:
    assert [case(kind, 7, i) for i in range(30)] == [case(kind, 7, i) for i in range(30)]
    assert len({str(case(kind, 7, i).files) for i in range(30)}) == 30


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_spoiled_was_good(kind: str, loaded: None) -> None:
    def whole(number: int) -> Case:
        seed = good(kind)[number]
        if kind in ("json", "npz"):
            line = "inspect -q good"
        else:
            line = "fit -q -k 1 -c a --restarts 1 --missing drop good"
        argv = [*(line + seed.suffix).split(), *seed.options]
        return Case("", tuple(argv), {f"good{seed.suffix}": seed.data})

    for found in run(range(len(good(kind))), whole):
        assert (found.ended.code, found.faults) == (0, ()), found


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    run = [sys.executable, "-m", "fuzz", *arguments]
    return subprocess.run(run, cwd=Path(__file__).parents[1], capture_output=True, text=True)


@pytest.mark.contract("must-10-quick", "must-10-memory")
def test_a_few_files_of_each_kind_are_spoiled_without_harm() -> None:
    done = fuzz("--count", "25", "--seed", "2")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.count(": 25 cases: ") == len(KINDS)


def test_one_case_is_run_again(tmp_path: Path) -> None:
    done = fuzz("json", "--only", "3", "--keep", str(tmp_path))
    assert done.stdout.startswith("json --only 3: gmmcli ")
    kept = tmp_path / "json-3-of-seed-0"
    assert (kept / "spoiled.json").read_bytes() == case("json", 0, 3).files["spoiled.json"]
