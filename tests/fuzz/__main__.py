"""Spoil files at random and run commands on them: python -m fuzz [KIND ...] [--count N] [--seed S].
One case again: python -m fuzz arrow --only 1234 --keep FOLDER.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fuzz.warm import Outcome


def figures(kind: str, outcomes: list[Outcome], seconds: float) -> str:
    """What the cases of a kind came to, in one line."""
    ends = Counter("a signal" if o.ended.code is None else f"exit {o.ended.code}" for o in outcomes)
    slowest = max(outcomes, key=lambda outcome: outcome.ended.seconds)
    largest = max(outcomes, key=lambda outcome: outcome.ended.memory)
    return (
        f"{kind}: {len(outcomes)} cases: "
        + ", ".join(f"{count} × {end}" for end, count in sorted(ends.items()))
        + f"; slowest {slowest.ended.seconds:.2f} s ({slowest.number})"
        + f"; most memory {largest.ended.memory / 2**20:.0f} MB ({largest.number})"
        + f"; {sum(bool(outcome.faults) for outcome in outcomes)} with faults; {seconds:.0f} s"
    )


def tell(kind: str, outcome: Outcome) -> None:
    """One case in full."""
    print(f"{kind} --only {outcome.number}: {outcome.command}: {outcome.ended}")
    for fault in outcome.faults:
        print(f"    {fault}")


def main() -> int:
    """Parse, run, tell."""
    # As the program sets them, before NumPy and PyArrow load.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    from fuzz.cases import KINDS, case, good
    from fuzz.verdict import MOST_MEMORY, MOST_SECONDS
    from fuzz.warm import load_everything, run

    parser = argparse.ArgumentParser(
        prog="python -m fuzz",
        description=f"Each case ends with exit 0 or 65, within {MOST_SECONDS} s and "
        f"{MOST_MEMORY >> 20} MB more than a process that has everything loaded, with no "
        "other word than gmmcli's, and leaves nothing but its output, and that only with 0.",
    )
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--count", type=int, default=5000, help="cases of each kind (5000)")
    parser.add_argument("--seed", type=int, default=0, help="other cases (0)")
    parser.add_argument("--first", type=int, default=0, help="number of the first case (0)")
    parser.add_argument("--only", type=int, help="the case of this number alone, told in full")
    parser.add_argument("--keep", type=Path, help="folder for the files of cases with faults")
    parser.add_argument("--jobs", type=int, default=1, help="how many at once (1)")
    options = parser.parse_args()
    if unknown := {*options.kinds} - {*KINDS}:
        parser.error(f"no such kind: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    load_everything()
    numbers = range(options.first, options.first + options.count)
    if options.only is not None:
        numbers = range(options.only, options.only + 1)
    failed = False
    for kind in options.kinds or KINDS:
        good(kind)
        began, outcomes = time.monotonic(), []
        make = partial(case, kind, options.seed)
        for outcome in run(numbers, make, jobs=options.jobs, keep=options.keep):
            outcomes.append(outcome)
            if outcome.faults or options.only is not None:
                tell(kind, outcome)
                print("".join(f"    | {line}\n" for line in outcome.stderr.splitlines()), end="")
                sys.stdout.flush()
        failed = failed or any(outcome.faults for outcome in outcomes)
        if outcomes:
            print(figures(kind, outcomes, time.monotonic() - began), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
