"""Ugly tables through `predict`, byte for byte: millions of cells of every kind that CSV allows.

A table is built record by record, so it is known where each ends; the new fields are looked for
there, and what is left without them must be the table. No parser of gmmcli's has a say.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PLAIN = [
    *("", "", "", "", "0", "007", "0.10", "1e5", "-0", "0x10", "true", "NA", "NaN", " ", "  x "),
    *(
        "text",
        "two words",
        "5' pipe",
        "a\\b",
        "#",
        "=1+1",
        "-",
        "é",
        "größe",
        "日本語",
        "😀",
        "e\u0301",
    ),
    *("\u2028", "a\x85b", "\x0b", "\x0c", "\ufeff", "\u200f", "\x1b[31m", "\x7f", "\x01"),
]
STRAY = ['5" pipe', 'a"b', 'x""', ' "x"', "'\"", 'a"b"c', 'x"y\'z"', 'é"']
"""Quotes inside unquoted fields: literal text."""
AFTER = ['"x"y', '""z', '"a""b"c', '"a"b"', '"1" ']
"""Text after a closing quote: literal too."""
INSIDE = [
    "\n",
    "\r\n",
    "\r",
    '""',
    '""',
    "D",
    "D",
    "x",
    "é",
    "0",
    " ",
    ",",
    ";",
    "\t",
    "\n\n",
    "😀",
]
"""What quoted fields are made of; D is the delimiter."""
NAMES = [
    "id",
    "id",
    "",
    "größe",
    '"n"',
    '"two\nlines"',
    '"a""b"',
    '"D"',
    '"\r\n"',
    "A",
    " a",
    "x y",
]
NUMBERS = {
    0: ["0", "1", "-2", "+3", "007", "0.10", "1e0", ".5", "-1.", "2E-3", '"1"', '"0.10"', " 2 "],
    1: ["100", "99", "101.5", "1e2", "0100", "+98", '"100"', "1.01E+2", "100.", " 99.25 ", '"1e2"'],
    None: ["", "", "NA", "N/A", "NaN", "nan", "null", "NULL", '""', '"NA"', " NA "],
}
"""Fields of the model's two columns, by the cluster that they speak for."""


@dataclass(frozen=True)
class Record:
    """The bytes of a record, its line end, and the cluster of the row: -1 where it is no row, None
    where it cannot be judged.
    """

    content: bytes
    end: bytes
    cluster: int | None


def quoted(rng: random.Random, delimiter: str) -> str:
    inside = "".join(rng.choices(INSIDE, k=rng.randint(0, 5)))
    return f'"{inside.replace("D", delimiter)}"'


def table(rng: random.Random, delimiter: str, width: int, n_rows: int) -> list[Record]:
    """A header and rows of `width` fields, a and b among them, blank lines between them."""
    pool = [*PLAIN, *STRAY, *AFTER, *(quoted(rng, delimiter) for _ in range(60))]
    # Some tables are worse than others, and a readable one takes another way through the program.
    if rng.random() < 0.3:
        pool = [text for text in pool if text not in STRAY + AFTER]
    pool = [text for text in pool if text[:1] == '"' or not {delimiter, "\r"} & set(text)]
    if rng.random() < 0.3:
        pool += [""] * len(pool)
    a, b = sorted(rng.sample(range(width), 2))
    header = [name.replace("D", delimiter) for name in rng.choices(NAMES, k=width)]
    header[a], header[b] = rng.choice(["a", '"a"']), rng.choice(["b", '"b"'])
    ends = rng.choice([[b"\n"], [b"\r\n"], [b"\n", b"\r\n"], [b"\n", b"\n", b"\n", b"\r\n"]])
    mark = b"\xef\xbb\xbf" if rng.random() < 0.3 else b""
    records = [Record(mark + delimiter.join(header).encode(), rng.choice(ends), -1)]
    blank = rng.choice([0, 0.02, 0.2])
    clusters = rng.choices([0, 1, None], [10, 10, 1], k=n_rows)
    for cluster in clusters:
        if rng.random() < blank:
            records.append(Record(b"", rng.choice(ends), -1))
        fields = rng.choices(pool, k=width)
        fields[a] = rng.choice(NUMBERS[cluster])
        known = cluster if cluster is not None else rng.choice([0, 1, None])
        fields[b] = rng.choice(NUMBERS[known])
        if rng.random() < 0.5:
            fields[a], fields[b] = fields[b], fields[a]
        if delimiter == "\t":
            fields[a], fields[b] = fields[a].strip(), fields[b].strip()
        content = delimiter.join(fields).encode()
        records.append(Record(content, rng.choice(ends), known))
    if rng.random() < 0.3:
        records[-1] = Record(records[-1].content, b"", records[-1].cluster)
    return records


def stripped(output: bytes, records: list[Record], delimiter: str) -> bytes:
    """The output without the two new fields of each record, which are checked on the way."""
    d = re.escape(delimiter).encode()
    new = re.compile(d + rb"([01]?)" + d + rb"((?:[0-9]+(?:\.[0-9]+)?(?:e-[0-9]+)?)?)")
    names = f"{delimiter}cluster{delimiter}probability".encode()
    pieces, at = [], 0
    for number, record in enumerate(records):
        end = at + len(record.content)
        pieces.append(output[at:end])
        at = end
        if number == 0:
            assert output[at : at + len(names)] == names
            at += len(names)
        elif record.content:
            found = new.match(output, at)
            assert found, output[max(0, at - 200) : at + 50]
            cluster, probability = found.groups()
            assert cluster == (b"" if record.cluster is None else b"%d" % record.cluster)
            assert (probability == b"") == (cluster == b"")
            assert cluster == b"" or 0.5 <= float(probability) <= 1
            at = found.end()
        pieces.append(output[at : at + len(record.end)])
        at += len(record.end)
    return b"".join(pieces) + output[at:]


def judge(folder: Path, seed: int, n_cells: int) -> tuple[int, int]:
    """One table there and back, by file or by pipe. Returns its rows and cells."""
    rng = random.Random(seed)
    delimiter = ",;\t"[seed % 3]
    width = rng.choice([2, 3, 5, 9, 20, 40, 100, 300])
    records = table(rng, delimiter, width, min(n_cells // width, 10_000))
    data = b"".join(record.content + record.end for record in records)
    path = folder / "ugly.csv"
    path.write_bytes(data)
    run = [sys.executable, "-m", "gmmcli", "-q", "predict", "ab.json", f"-d{delimiter}"]
    with open(path, "rb") as stdin:
        done = subprocess.run(
            run + ["ugly.csv"] * (seed % 2),
            cwd=folder,
            stdin=stdin,
            capture_output=True,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (0, b""), seed
    assert stripped(done.stdout, records, delimiter) == data, seed
    n_rows = sum(record.cluster != -1 for record in records)
    return n_rows, n_rows * width


@pytest.mark.contract("predict-bytes", "predict-quotes", "predict-trailing-columns", "predict-crlf")
@pytest.mark.parametrize("seed", range(9))
def test_ugly_tables_keep_every_byte(ab: Path, seed: int) -> None:
    judge(ab.parent, seed, 5_000)


@pytest.mark.slow
@pytest.mark.contract("predict-bytes", "predict-quotes", "predict-trailing-columns", "predict-crlf")
def test_five_million_ugly_cells_keep_every_byte(
    ab: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables, rows, cells = 0, 0, 0
    while cells < 5_000_000:
        more_rows, more_cells = judge(ab.parent, 1000 + tables, 200_000)
        tables, rows, cells = tables + 1, rows + more_rows, cells + more_cells
    with capsys.disabled():
        print(f" {tables} tables, {rows} rows, {cells} cells")
    assert sorted(os.listdir(ab.parent)) == ["ab.json", "ugly.csv"]
