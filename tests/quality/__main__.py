"""Run a trial and print its tables: python -m quality NAME [--output FILE]."""

from __future__ import annotations

import argparse
import os
import time
from importlib import import_module
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

TRIALS = {
    "stretched": "long, thin, parallel clusters",
    "hostile": "tables made to break things",
    "invariance": "other units, other orders of rows and columns",
}


def main() -> None:
    """Parse, run, write."""
    trials = "; ".join(f"{name}: {words}" for name, words in TRIALS.items())
    parser = argparse.ArgumentParser(prog="python -m quality", epilog=trials)
    parser.add_argument("name", choices=TRIALS)
    parser.add_argument("--output", type=Path, help="Markdown file to write, besides printing")
    options = parser.parse_args()
    trial = import_module(f"quality.{options.name}")
    began = time.monotonic()
    lines = [f"# {options.name}: {TRIALS[options.name]}", "", " ".join(trial.__doc__.split()), ""]
    print("\n".join(lines), flush=True)
    for line in trial.lines():
        lines.append(line)
        print(line, flush=True)
    print(f"\n{time.monotonic() - began:.0f} seconds", flush=True)
    if options.output is not None:
        options.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
