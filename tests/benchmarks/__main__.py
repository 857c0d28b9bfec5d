"""Run the benchmarks and write their tables: see `make bench`, or --help for parts of them."""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("MALLOC_ARENA_MAX", "2")

from benchmarks import choosing, everyday, processes, sections, shapes
from benchmarks.workloads import WORKLOADS

TABLES = (
    *("iterations", "limit", "threads", "scaling"),
    *("acceleration", "solution", "processes", "large", "errors", "memory", "start-up"),
    *("small", "defaults", "wide", "correlated", "columns", "shapes", "choosing"),
)


def main() -> None:
    """Parse, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, required=True, help="folder for the data, kept")
    parser.add_argument("--output", type=Path, help="Markdown file to write, besides printing")
    options = parser.parse_args()
    options.data.mkdir(parents=True, exist_ok=True)
    chosen, data, repeats = options.workloads, options.data, options.repeats
    within = {
        "iterations": lambda: sections.iterations(chosen, data, repeats),
        "threads": lambda: sections.threads(_only(chosen, "W1", "W5"), data, repeats),
        "limit": lambda: sections.limit(_only(chosen, "W1", "W5"), data, repeats),
        "scaling": lambda: sections.scaling(_only(chosen, "W1"), data, repeats),
        "memory": lambda: processes.memory(_only(chosen, "W1"), data, repeats),
        "acceleration": lambda: sections.acceleration(
            _only(chosen, "W1", "W2", "W3", "W6"), data, repeats
        ),
        "solution": lambda: sections.solution(_only(chosen, "W1", "W2", "W3", "W6"), data, repeats),
        "processes": lambda: processes.processes(_only(chosen, "W1", "W7"), data, repeats),
        "large": lambda: processes.large(_only(chosen, "W1"), data, min(repeats, 2)),
        "errors": lambda: processes.errors(_only(chosen, "W1"), data, repeats),
        "start-up": lambda: processes.start_up(data, repeats),
        "small": lambda: everyday.small(data, repeats),
        "defaults": lambda: everyday.defaults(data, repeats),
        "wide": lambda: everyday.wide(data, repeats),
        "correlated": lambda: shapes.correlated(data, repeats),
        "columns": lambda: shapes.columns(data, repeats),
        "shapes": lambda: shapes.shapes(data, min(repeats, 2)),
        "choosing": lambda: choosing.choosing(data, min(repeats, 2)),
    }
    lines = list(_heading())
    print("\n".join(lines), flush=True)
    for name in options.tables:
        wanted = name.replace("-", "_")
        function = next(
            getattr(room, wanted)
            for room in (sections, processes, everyday, shapes, choosing)
            if hasattr(room, wanted)
        )
        for line in (f"\n## {name}\n", function.__doc__.splitlines()[0] + "\n"):
            lines.append(line)
            print(line, flush=True)
        for line in _table(within[name]()):
            lines.append(line)
            print(line, flush=True)
    if options.output is not None:
        options.output.write_text("\n".join(lines) + "\n")


def _only(chosen: list[str], *names: str) -> list[str]:
    return [name for name in chosen if name in names]


def _heading() -> Iterator[str]:
    yield "# Benchmarks\n"
    yield (
        "Written by `make bench`. gmmcli and each peer run in turn in one run; the ratio is the "
        "median of the pairs, with the lowest and the highest. Machines are shared and noisy: only "
        "ratios of one run mean anything.\n"
    )
    packages = ("numpy", "scikit-learn", "scikit-learn-intelex", "pandas", "pyarrow")
    named = ", ".join(f"{package} {version(package)}" for package in packages)
    when = datetime.now(UTC).date().isoformat()
    yield f"{when}, {sections.CORES} cores ({platform.machine()}), Python " + (
        f"{platform.python_version()}, {named}."
    )


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield "| " + " | ".join(row) + " |"
        if number == 0:
            yield "|" + "---|" * len(row)


if __name__ == "__main__":
    main()
