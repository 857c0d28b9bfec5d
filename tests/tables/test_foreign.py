"""What is no table is named, and becomes one as the message says."""

from __future__ import annotations

import gzip
import io
import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import orc
from scipy.io import savemat

from feature_files import read, values
from gmmcli.errors import InputNotFoundError, UserError
from gmmcli.tables import Format, read_features
from gmmcli.tables.sources import expand_paths

ROWS = [[1, 2.5], [3, 0.1], [7, 1e300]]
OBJECTS = [{"a": a, "b": b} for a, b in ROWS]
ARFF = "% made\n@RELATION x\n\n@attribute a numeric\n@attribute b real\n@Data\n% more\n"
CSV = "a,b\n" + "".join(f"{a},{b}\n" for a, b in ROWS)


def sqlite_file() -> bytes:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table t (a integer, b real)")
    connection.executemany("insert into t values (?, ?)", ROWS)
    connection.commit()
    return connection.serialize()


def in_memory(write, *args, **named) -> bytes:
    out = io.BytesIO()
    write(out, *args, **named)
    return out.getvalue()


def orc_file() -> bytes:
    return in_memory(lambda out: orc.write_table(pa.Table.from_pylist(OBJECTS), out))


def stata_file() -> bytes:
    import pandas

    return in_memory(lambda out: pandas.DataFrame(OBJECTS).to_stata(out, write_index=False))


def zip_file(member: str, text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(member, text)
    return out.getvalue()


TEXTS = {
    "t.jsonl": ("JSON, an object a line", "".join(json.dumps(row) + "\n" for row in OBJECTS)),
    "one.ndjson": ("JSON, an object a line", "\ufeff" + json.dumps(OBJECTS[0])),
    "rows.json": ("JSON, an array of objects", json.dumps(OBJECTS, indent=2)),
    "columns.json": (
        "JSON, an array a column",
        json.dumps({name: [row[name] for row in OBJECTS] for name in "ab"}),
    ),
    "it's.json": ("JSON, an array of arrays", json.dumps(ROWS)),
    "t.arff": ("ARFF", ARFF + "".join(f"{a},{b}\n" for a, b in ROWS)),
}
BINARY = {
    "t.db": ("an SQLite database", sqlite_file),
    "t.npz": (
        "an archive of NumPy arrays (.npz)",
        lambda: in_memory(np.savez, table=np.array(ROWS)),
    ),
    "t.mat": ("a MATLAB file", lambda: in_memory(savemat, {"NAME": np.array(ROWS)})),
    "t.orc": ("ORC", orc_file),
    "t.dta": ("a Stata file", stata_file),
    "t.zip": ("a ZIP archive", lambda: zip_file("t.csv", CSV)),
    "t.jsonl.gz": (
        "JSON, an object a line",
        lambda: gzip.compress("".join(json.dumps(row) + "\n" for row in OBJECTS).encode()),
    ),
}  # fmt: skip


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_features([str(path)], Format())
    assert caught.value.code == 65
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(path.parent) + "/", "")


@pytest.mark.contract("input-foreign", "mends-right")
@pytest.mark.parametrize("name", [*TEXTS, *BINARY])
def test_the_way_to_convert_converts(tmp_path: Path, name: str) -> None:
    kind, contents = TEXTS[name] if name in TEXTS else BINARY[name]
    data = contents.encode() if isinstance(contents, str) else contents()
    path = tmp_path / name
    path.write_bytes(data)
    said = refusal(path)
    assert said.startswith(f"{name}: this is {kind}, not a table; ")
    command = said.partition(": this is ")[2].partition(": ")[2]
    if name.endswith(".gz"):
        assert "; unpack it, then convert it: " in said
        path.with_suffix("").write_bytes(gzip.decompress(data))
    command, then, _ = command.partition(", then --no-header")
    options = {"header": not then}
    if "--na" in said:
        options["na"] = (shlex.split(said.partition("--na ")[2])[0],)
    if name == "t.db":
        command = command.replace("NAME", "t")
    command = command.replace(" | gmmcli ...", " > table.csv")
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"there is no {command.split()[0]} here")
    path_of_python = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
    subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=os.environ | {"PATH": path_of_python},
        check=True,
        timeout=60,
    )
    features = read_features([str(tmp_path / "table.csv")], Format(**options))
    assert values(features) == (ROWS[:1] if name.startswith("one") else ROWS)
    assert features.columns == (("1", "2") if then else ("a", "b"))


OTHERS = {
    "an Excel workbook (.xlsx)": zip_file("[Content_Types].xml", "x"),
    "an OpenDocument spreadsheet (.ods)": zip_file(
        "mimetype", "application/vnd.oasis.opendocument.spreadsheet"
    ),
    "an Excel workbook (.xls)": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
    "HDF5": b"\x89HDF\r\n\x1a\n\0\0\0",
    "an SPSS file": b"$FL2@(#) SPSS DATA FILE\0\0",
    "an R object": b"X\n\0\0\0\x03\0\x04",
    "a Python pickle, which is code": b"\x80\x04\x95\x10\0\0\0\0\0\0\0]\x94.",
    "a PDF": b"%PDF-1.7\n%\xe2\xe3",
    "a PNG image": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "HTML, a web page": b"\n<!DOCTYPE html>\n<html>a,b</html>",
    "XML": b'<?xml version="1.0"?>\n<rows/>\n',
    "YAML": b"---\na: 1\n",
    "JSON": b'{\n  "a": {"b": 1}\n}\n',
    "a pointer of Git LFS, not the file itself": b"version https://git-lfs.github.com/spec/v1\n",
    "a tar archive": b"t.csv".ljust(257, b"\0") + b"ustar\x0000",
    "lz4-compressed": b"\x04\x22\x4d\x18\x64\x40",
}


@pytest.mark.contract("input-foreign", "exit-65-data")
@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("name", ["it", "t.csv", "t.parquet"])
def test_other_things_are_named(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(OTHERS[kind])
    said = refusal(tmp_path / name)
    assert said.startswith(f"{name}: this is {kind}, not a table; ")


@pytest.mark.parametrize(
    "header",
    [
        "{a},b",
        "[a],b",
        "[a,b]",
        "{,b",
        "<a>,b",
        "PK,b",
        "ORC_,b",
        "GIF89,b",
        "RDX,b",
        "-a,b",
        "X,b",
        "%,b",
        "---,b",
    ],
)
def test_headers_that_look_a_little_like_it_are_headers(tmp_path: Path, header: str) -> None:
    n = header.count(",")
    assert values(read(tmp_path, f"{header}\n1{',2' * n}\n5{',3' * n}\n")) == [[1, 2], [5, 3]]


@pytest.mark.contract("input-foreign", "exit-66-not-found")
@pytest.mark.parametrize(
    ("url", "mend"),
    [
        (
            "https://x.org/a b.csv?c=d",
            "pipe it in: curl -sSfL 'https://x.org/a b.csv?c=d' | gmmcli",
        ),
        ("HTTP://x.org/t.csv", "pipe it in: curl -sSfL HTTP://x.org/t.csv | gmmcli ..."),
        ("gs://b/t.csv", "pipe it in: gcloud storage cat gs://b/t.csv | gmmcli ..."),
        ("az://b/*.csv", "fetch it first, or pipe it in"),
        ("file:///tmp/t.csv", "name the path: /tmp/t.csv"),
    ],
)
def test_urls_are_named(url: str, mend: str) -> None:
    with pytest.raises(InputNotFoundError) as caught:
        expand_paths([url])
    assert str(caught.value).startswith(
        f"{url}: {url.partition(':')[0].lower()}:// is not read; {mend}"
    )
