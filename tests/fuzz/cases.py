"""Each case: a spoiled file, the files beside it, and a command line. The same everywhere by its
kind, the seed and its number (with the same versions of PyArrow and NumPy, which write the good
files).
"""

from __future__ import annotations

import functools
import gzip
import json
from dataclasses import dataclass
from random import Random

from fuzz import seeds, thrift
from fuzz.documents import json_bytes, npz_bytes
from fuzz.seeds import Seed
from fuzz.spoil import spoil_bytes, spoil_text

KINDS = ("arrow", "parquet", "json", "npz", "csv")
OLD = b"what was here before\n"
"""What stands under the name of each output before the command runs."""

ON_MODELS = (
    "predict MODEL table.csv",
    "predict MODEL table.csv --proba --log-density -o out.csv",
    "predict MODEL table.csv --outliers 0.01 --impute -o out.csv",
    "score MODEL table.csv",
    "score MODEL table.csv --per-row -o out.csv",
    "score MODEL table.csv --outliers 0.05 --json",
    "inspect MODEL",
    "inspect MODEL --json",
    "sample MODEL -n 9",
    "sample MODEL -n 9 -o out.csv",
    "select-k table.csv --k 1:3 --covariance full,diag -c a,b --init MODEL --max-iter 9 "
    "--missing drop --threads 1 -o out.json",
)
ON_TABLES = (
    "fit TABLE -k 2 FEW CHOSEN GAPS -o out.json",
    "fit TABLE -k 2 FEW CHOSEN GAPS --covariance diag --weight b -o out.npz",
    "predict model.json TABLE -o OUT",
    "predict model.json TABLE --impute -o OUT",
    "predict model.json TABLE --only --proba -o OUT",
    "predict model.json TABLE",
    "score model.json TABLE",
    "score model.json TABLE --per-row",
    "select-k TABLE --k 1:2 --covariance diag,spherical FEW CHOSEN GAPS --threads 1 -o out.json",
)
"""The command lines that a spoiled file is put before."""

_TEXT_OPTIONS = (
    *(["--no-header"], ["-d", ";"], ["-d", "\t"], ["--decimal", ","], ["--na", "red"]),
    *(
        ["-d", "space"],
        ["--comment", "#"],
        ["--thousands", ","],
        ["--strip", "$%()"],
        ["-c", "1:2"],
    ),
    *(["--encoding", "utf-16"], ["--encoding", "latin-1"], ["--encoding", "utf-8-sig"]),
)


@dataclass(frozen=True)
class Case:
    """A command line, run in a folder with these files, one of which is its output if any."""

    name: str
    argv: tuple[str, ...]
    files: dict[str, bytes]
    stdin: str = ""
    output: str = ""


@functools.cache
def good(kind: str) -> list[Seed]:
    """The files of a kind that are spoiled."""
    if kind == "arrow":
        return seeds.arrow_files()
    if kind == "parquet":
        return seeds.parquet_files()
    if kind == "npz":
        return [Seed(".npz", data) for data in seeds.archives()]
    if kind == "json":
        return [Seed(".json", json.dumps(one).encode()) for one in seeds.models()]
    return seeds.csv_files()


def case(kind: str, seed: int, number: int) -> Case:
    """One case."""
    rng = Random(f"{seed} {kind} {number}")
    name = f"{kind} {number} of seed {seed}"
    if kind in ("json", "npz"):
        return _model_case(name, rng, kind)
    return _table_case(name, rng, kind)


def _model_case(name: str, rng: Random, kind: str) -> Case:
    """A spoiled model before a command that reads it."""
    if kind == "json":
        data = json_bytes(rng, seeds.models())
    else:
        data = npz_bytes(rng, [seed.data for seed in good(kind)])
    model, texts = f"spoiled.{kind}", good("csv")
    files = {model: data, "table.csv": texts[rng.choice((0, 0, 4))].data}
    return _finished(rng, name, _words(rng.choice(ON_MODELS), MODEL=[model]), files)


def _table_case(name: str, rng: Random, kind: str) -> Case:
    """A spoiled table before a command that reads it: from the file, from standard input, or after
    a good one.
    """
    seed = rng.choice(good(kind))
    data = _spoiled_text(rng, seed) if kind == "csv" else _spoiled_table(rng, kind, seed)
    table = f"spoiled{seed.suffix}"
    if rng.random() < 0.05:
        data = gzip.compress(data, mtime=0)
        table += ".gz"
    files = {"model.json": json.dumps(seeds.model()).encode(), table: data}
    inputs, stdin = [table], ""
    if (choice := rng.random()) < 0.1:
        inputs, stdin = ["-"], table
    elif choice < 0.2:
        files[f"good{seed.suffix}"] = seed.data
        inputs = [f"good{seed.suffix}", table]
    argv = _words(
        rng.choice(ON_TABLES),
        TABLE=inputs,
        FEW=["--restarts", "2", "--max-iter", "20"],
        CHOSEN=rng.choice(([], ["-c", "a,b"], ["-c", "a,b"])),
        GAPS=rng.choice(([], ["--missing", "drop"], ["--missing", "fit"])),
        OUT=[f"out{rng.choice(('.csv', '.parquet', '.arrow'))}"],
    )
    argv += seed.options if rng.random() < 0.9 else rng.choice(_TEXT_OPTIONS)
    return _finished(rng, name, argv, files, stdin)


def _words(line: str, **meant: list[str]) -> list[str]:
    """A command line, with what is meant by the words in capitals."""
    return [word for one in line.split() for word in meant.get(one, [one])]


def _finished(
    rng: Random, name: str, argv: list[str], files: dict[str, bytes], stdin: str = ""
) -> Case:
    """The case, sometimes with -q; an old file is where the output will be."""
    output = argv[argv.index("-o") + 1] if "-o" in argv else ""
    quiet = rng.choice(([], ["-q"]))
    return Case(name, (*argv, *quiet), files | ({output: OLD} if output else {}), stdin, output)


def _spoiled_table(rng: Random, kind: str, seed: Seed) -> bytes:
    data = seed.data
    if kind == "parquet":
        if (choice := rng.random()) < 0.3:
            return thrift.with_footer_changed(rng, data)
        if choice < 0.5:
            return thrift.changed(rng, data, rng.choice(seed.pages), resize=False)
    return spoil_bytes(rng, data, [other.data for other in good(kind)], seed.hot)


def _spoiled_text(rng: Random, seed: Seed) -> bytes:
    """A spoiled text table, in the encoding that it was in."""
    others = [_text(other)[0] for other in good("csv")]
    text, encoding = _text(seed)
    if (choice := rng.random()) < 0.8:
        text = spoil_text(rng, text, others)
    data = text.encode(encoding, "replace")
    if choice > 0.7:
        data = spoil_bytes(rng, data, [other.data for other in good("csv")], ())
    return data


def _text(seed: Seed) -> tuple[str, str]:
    """The text of a file and its encoding."""
    named = "--encoding" in seed.options
    encoding = seed.options[seed.options.index("--encoding") + 1] if named else "utf-8"
    return seed.data.decode(encoding), encoding
