"""Whether a change leaves every model as it was, to the byte: for changes that only move code.

Before the change `python tests/same_models.py store FOLDER`, after it `... compare FOLDER`, on the
same machine, since bits depend on the processor. Ends with 1 where a model differs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SAMPLE_DATA = Path(__file__).parents[1] / "sample_data"
TABLES = ("wine", "macro_growth", "cdnow_customers", "china_pixels")


def runs(tables: tuple[str, ...] = TABLES) -> Iterator[tuple[str, list[str]]]:
    """The name of each model, and the arguments that make it but for `-o`."""
    for table in tables:
        path = str(SAMPLE_DATA / f"{table}.csv")
        for covariance in ("full", "tied", "diag", "spherical"):
            yield f"{table}.{covariance}.json", ["fit", path, "-k", "3", "--covariance", covariance]
        yield f"{table}.kmeans.npz", ["fit", path, "-k", "3", "--algorithm", "kmeans"]
        yield f"{table}.selected.json", ["select-k", path, "--k", "1:3", "--merge"]


def store(folder: Path, tables: tuple[str, ...] = TABLES) -> None:
    """Fit all models into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, arguments in runs(tables):
        command = [sys.executable, "-m", "gmmcli", "-q", *arguments, "-o", str(folder / name)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def different(one: Path, other: Path) -> list[str]:
    """The names of the files that are not the same in two folders."""
    names = sorted({path.name for folder in (one, other) for path in folder.iterdir()})
    return [name for name in names if not _same(one / name, other / name)]


def _same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.read_bytes() == other.read_bytes()


def main() -> int:
    """Store, or store beside and compare."""
    match sys.argv[1:]:
        case ["store", folder]:
            store(Path(folder))
            return 0
        case ["compare", folder]:
            now = Path(folder).with_name(Path(folder).name + ".now")
            store(now)
            changed = different(Path(folder), now)
            print("\n".join(changed) or "all models are the same")
            return 1 if changed else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
