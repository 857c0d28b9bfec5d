"""What is no table that is read here: named by its first bytes, with the way to convert it."""

from __future__ import annotations

import os
import re
import shlex

from gmmcli.errors import InputNotFoundError, UserError

_HEAD = 1 << 14


def _by(command: str, then: str = "") -> str:
    return f"convert it: {command} {{file}} > table.csv{then}"


def _by_python(modules: str, code: str, then: str = "") -> str:
    return _by(f"python3 -c 'import {modules}, sys; {code}'", then)


def _by_pandas(reader: str) -> str:
    read = f"pandas.{reader}(sys.argv[1])"
    return _by_python("pandas", f"{read}.to_csv(sys.stdout, index=False)")


_NAMELESS = ", then --no-header"
_MODEL_FIRST = "give a table; a model goes first, as in gmmcli predict MODEL DATA"
_ONE_ROW_A_LINE = "convert it to CSV, one row a line"
_NO_TABLE = "give a table"
_STATA = ("a Stata file", _by_pandas("read_stata"))
_SPSS = ("an SPSS file", _by_pandas("read_spss"))
_MAGIC = {
    b"\xd0\xcf\x11\xe0": ("an Excel workbook (.xls)", _by("in2csv")),
    b"SQLite format 3\0": (
        "an SQLite database",
        "convert a table of it: sqlite3 -csv -header {file} 'select * from NAME' > table.csv",
    ),
    b"\x89HDF\r\n\x1a\n": ("HDF5", _by_pandas("read_hdf")),
    b"MATLAB 5.0 MAT-file": (
        "a MATLAB file",
        _by_python(
            "numpy, scipy.io",
            'numpy.savetxt(sys.stdout, scipy.io.loadmat(sys.argv[1])["NAME"], delimiter=",")',
            _NAMELESS,
        ),
    ),
    b"<stata_dta>": _STATA,
    b"$FL2": _SPSS,
    b"$FL3": _SPSS,
    b"\0" * 12 + b"\xc2\xea\x81\x60\xb3\x14\x11\xcf": ("a SAS file", _by_pandas("read_sas")),
    b"X\n\0\0\0": (
        "an R object",
        _by("Rscript -e 'write.csv(readRDS(commandArgs(TRUE)[1]), row.names = FALSE)'"),
    ),
    b"RDX": ("an R workspace", "save the table with write.csv in R"),
    b"ORC": ("ORC", _by_pandas("read_orc")),
    b"Obj\x01": ("Avro", _ONE_ROW_A_LINE),
    b"%PDF-": ("a PDF", _NO_TABLE),
    b"\x89PNG\r\n": ("a PNG image", _NO_TABLE),
    b"\xff\xd8\xff": ("a JPEG image", _NO_TABLE),
    b"GIF8": ("a GIF image", _NO_TABLE),
    b"\x04\x22\x4d\x18": ("lz4-compressed", "unpack it: lz4 -dc {file} | gmmcli ..."),
    b"\x1f\x9d": ("compressed by compress", "unpack it: uncompress -c {file} | gmmcli ..."),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it: 7z x -so {file} | gmmcli ..."),
    b"Rar!\x1a\x07": ("a RAR archive", "unpack it"),
    b"version https://git-lfs.": ("a pointer of Git LFS, not the file itself", "run git lfs pull"),
}
"""Beginnings of files, what they are, and how they come to be tables."""
# Compiled when they are needed, which is seldom.
_PICKLE = rb"\x80[\x02-\x05](?:\x95|[c(}\]])"
_OLD_STATA = rb"[\x6c-\x76][\x01\x02]\x01\0"
_OBJECT = rb'\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\}|$)'
_COLUMNS = rb'\{\s*"(?:[^"\\]|\\.)*"\s*:\s*\['
_ARRAYS = rb"\[\s*\["
_OBJECTS = rb"\[\s*\{"
_LINE_OF_JSON = rb"\{[^\n]*\}\s*?(?:\n|$)"
_ARFF = rb"(?i)(?:%[^\n]*\n|\s+)*@relation\b"
_MARKUP = rb"(?i)<(\?xml|!doctype|html|table|svg)\b"
_YAML = rb"---\s*\n|%YAML|- \w+:(?: |\n)"
_URL = r"(?i)([a-z][a-z0-9+.-]+)://.+"
_FETCH: dict[str, str] = {
    "gs": "gcloud storage cat",
    "hdfs": "hdfs dfs -cat",
} | dict.fromkeys(("http", "https", "ftp", "ftps"), "curl -sSfL")
_WRITE_ROWS = (
    "w = csv.DictWriter(sys.stdout, list(dict.fromkeys(k for r in rows for k in r))); "
    "w.writeheader(); w.writerows(rows)"
)
_OPENED = 'open(sys.argv[1], encoding="utf-8-sig")'
_JSON_LINES = f"rows = [json.loads(line) for line in {_OPENED} if line.strip()]"
_JSON_COLUMNS = (
    f"d = json.load({_OPENED}); w = csv.writer(sys.stdout); w.writerow(d); "
    "w.writerows(zip(*d.values()))"
)
_JSON_ARRAYS = f"csv.writer(sys.stdout).writerows(json.load({_OPENED}))"


def refuse_foreign(first: bytes, path: str, name: str, *, is_compressed: bool = False) -> None:
    """Raise UserError for an input that begins with what is the beginning of no table."""
    if (found := _foreign(first[:_HEAD].removeprefix(b"\xef\xbb\xbf"), path)) is None:
        return
    kind, mend = found
    if is_compressed and path != "-":
        path, mend = os.path.splitext(path)[0], f"unpack it, then {mend}"
    file = "FILE" if path == "-" or "://" in path else shlex.quote(path)
    raise UserError(f"{name}: this is {kind}, not a table", mend.replace("{file}", file))


def refuse_url(path: str) -> None:
    """Raise InputNotFoundError for a URL that is not read here, with what fetches it."""
    if (found := re.fullmatch(_URL, path)) is None:
        return
    scheme = found[1].lower()
    if scheme == "file":
        mend = f"name the path: {path[7:]}"
    elif scheme in _FETCH:
        mend = f"pipe it in: {_FETCH[scheme]} {shlex.quote(path)} | gmmcli ..."
    else:
        mend = "fetch it first, or pipe it in"
    raise InputNotFoundError(f"{path}: {scheme}:// is not read", mend)


def _foreign(first: bytes, path: str) -> tuple[str, str] | None:
    """What an input is, and how it comes to be a table."""
    for magic, found in _MAGIC.items():
        # Of a few letters a header may begin, but not of text.
        is_word = len(magic) <= 4 and magic.decode("latin-1").isprintable()
        if first.startswith(magic) and (b"\0" in first or not is_word):
            return found
    if first[257:262] == b"ustar":
        return "a tar archive", "unpack it: tar -xOf {file} | gmmcli ..."
    if first[2:4] == b"\x01\0" and re.match(_OLD_STATA, first):
        return _STATA
    if first.startswith(b"\x80") and re.match(_PICKLE, first):
        return "a Python pickle, which is code", "write it as Parquet or CSV where it was made"
    if first.startswith(b"PK"):
        return _zip(first, path)
    text = first.lstrip()
    if text.startswith((b"{", b"[")):
        return _json(text)
    return _text(text) if text.startswith((b"%", b"@", b"<", b"-")) else None


def _zip(first: bytes, path: str) -> tuple[str, str] | None:
    if not first.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None
    member = first[30 : 30 + int.from_bytes(first[26:28], "little")]
    if member.endswith(b".npy"):
        if b"format_version.npy" in first or b"covariances.npy" in first:
            return "a gmmcli model", _MODEL_FIRST
        array = member[:-4].decode("ascii", "replace")
        code = f'numpy.savetxt(sys.stdout, numpy.load(sys.argv[1])["{array}"], delimiter=",")'
        return "an archive of NumPy arrays (.npz)", _by_python("numpy", code, _NAMELESS)
    if b"opendocument.spreadsheet" in first:
        return "an OpenDocument spreadsheet (.ods)", "save it as CSV in the spreadsheet program"
    if member == b"[Content_Types].xml" or b"xl/" in first or path.lower().endswith(".xlsx"):
        return "an Excel workbook (.xlsx)", _by("in2csv")
    return "a ZIP archive", "unpack it: unzip -p {file} | gmmcli ..."


def _json(first: bytes) -> tuple[str, str] | None:
    if re.match(_OBJECT, first):
        if b'"gmmcli-model"' in first:
            return "a gmmcli model", _MODEL_FIRST
        line = re.match(_LINE_OF_JSON, first)
        is_one = line is not None and not first[line.end() :].strip()
        if re.match(_COLUMNS, first) and (line is None or is_one):
            return "JSON, an array a column", _by_python("csv, json", _JSON_COLUMNS)
        if line is not None:
            code = f"{_JSON_LINES}; {_WRITE_ROWS}"
            return "JSON, an object a line", _by_python("csv, json", code)
        return "JSON", _ONE_ROW_A_LINE
    if re.match(_OBJECTS, first):
        code = f"rows = json.load({_OPENED}); {_WRITE_ROWS}"
        return "JSON, an array of objects", _by_python("csv, json", code)
    if re.match(_ARRAYS, first):
        return "JSON, an array of arrays", _by_python("csv, json", _JSON_ARRAYS, _NAMELESS)
    return None


def _text(first: bytes) -> tuple[str, str] | None:
    if re.match(_ARFF, first):
        then = f"{_NAMELESS} --na '?'"
        return "ARFF", _by("sed '1,/^ *@[Dd][Aa][Tt][Aa]/d; /^%/d'", then)
    if found := re.match(_MARKUP, first):
        if found[1].lower() in (b"?xml", b"svg"):
            return "XML", _ONE_ROW_A_LINE
        return "HTML, a web page", "fetch the table itself, as CSV"
    return ("YAML", _ONE_ROW_A_LINE) if re.match(_YAML, first) else None
