"""Run trials and print their tables: python -m quality [NAME ...] [--output FOLDER]."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

TRIALS = {
    "references": "The best that scikit-learn and mclust found",
    "stretched": "Long, thin, parallel clusters",
    "hostile": "Tables made to break things",
    "invariance": "Other units, other orders of rows and columns",
    "restarts": "More starts",
    "stopping": "Where the default stop is",
    "selection": "The time that a choice of K takes",
    "clusters": "How many clusters",
    "skewed": "Skewed columns, and what auto takes them for",
    "real": "Tables as people have them",
    "collapsing": "Tables on which all starts collapse",
    "reasons": "Why a row is odd",
    "drift": "Is today like yesterday",
    "nightly": "Cluster numbers kept night after night",
    "stability": "The choice of K, tried again on subsamples",
    "updates": "New rows without the old ones",
}
"""Modules of this package, in the order of their chapters."""


def chapter(name: str) -> Iterator[str]:
    """The lines of one trial, each as soon as it is there."""
    trial = import_module(f"quality.{name}")
    began = time.monotonic()
    yield from (f"# {TRIALS[name]}", "", " ".join(trial.__doc__.split()), "")
    yield from trial.lines()
    yield from ("", f"`make quality TRIALS={name}`, {time.monotonic() - began:.0f} seconds", "")


def main() -> None:
    """Parse, run, write."""
    parser = argparse.ArgumentParser(prog="python -m quality")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TRIALS))
    parser.add_argument("--output", type=Path, help="Folder for a Markdown file a trial")
    options = parser.parse_args()
    for name in options.names or TRIALS:
        lines = []
        for line in chapter(name):
            print(line, flush=True)
            lines.append(line)
        if options.output is not None:
            (options.output / f"{name}.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
