"""What the name of an output promises: a format, a compression, or what is no table of ours."""

from __future__ import annotations

import os

from gmmcli.errors import UsageError
from gmmcli.tables.csv_table import CsvTable
from gmmcli.tables.rows import RowStream

ARROW = (".arrow", ".feather", ".ipc")
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zstd")
PARQUET = (".parquet", ".pq")
TSV = (".tsv", ".tab")

# Other names, such as out.txt, or tmp.Xk3b of mktemp, promise nothing and get CSV.
_FOREIGN = (
    "xls xlsx xlsm xlsb ods numbers doc docx pdf rtf tex html htm md rst "
    "json jsonl ndjson geojson yaml yml toml xml arff db sqlite sqlite3 duckdb sql mdb orc avro "
    "npy npz mat h5 hdf hdf5 nc pkl pickle joblib rds rda rdata dta sav zsav por sas7bdat xpt "
    "zip tar tgz tbz tbz2 txz 7z rar lz4 br z lzma lz sz snappy "
    "png jpg jpeg gif svg webp bmp tif tiff eps ps ipynb"
)


def require_table(output: str | None) -> None:
    """Raise UsageError where the name of an output promises what rows are not written as."""
    stem, inner, suffix = _parts(output)
    if suffix in COMPRESSED and inner in PARQUET + ARROW:
        raise UsageError(
            f"-o {output}: Parquet and Arrow are compressed within, not as a whole", f"write {stem}"
        )
    _refuse_foreign(
        f"-o {output}",
        inner if suffix in COMPRESSED else suffix,
        "name it .csv or .tsv (also with .gz, .bz2, .xz, .zst), .parquet, .arrow or .feather",
    )


def require_csv(option: str, output: str | None) -> None:
    """Raise UsageError where the name of an output promises something else than CSV, which may be
    compressed.
    """
    _, inner, suffix = _parts(output)
    kind = inner if suffix in COMPRESSED else suffix
    mend = "name it .csv, also with .gz, .bz2, .xz or .zst"
    if kind in PARQUET + ARROW + TSV:
        raise UsageError(f"{option} {output}: this is written as CSV alone", mend)
    _refuse_foreign(f"{option} {output}", kind, mend)


def misleading_suffix(stream: RowStream, output: str | None) -> str | None:
    """What to say of an output whose suffix tells another delimiter than its rows keep: .tsv is for
    tabs alone, .csv for any that was asked for.
    """
    if output is None or not isinstance(stream.first, CsvTable):
        return None
    _, inner, suffix = _parts(output)
    kind = inner if suffix in COMPRESSED else suffix
    delimiter = stream.first.delimiter
    if kind in TSV and delimiter != "\t":
        return f"{output}: the rows keep their delimiter, {delimiter!r}; better name it .csv"
    if kind == ".csv" and delimiter == "\t" and stream.format.delimiter is None:
        return f"{output}: the rows keep their tabs; better name it .tsv"
    return None


def suffixes(output: str | None) -> tuple[str, str]:
    """The last two suffixes of an output's name in small letters, where there are such."""
    _, inner, suffix = _parts(output)
    return inner, suffix


def _parts(output: str | None) -> tuple[str, str, str]:
    stem, suffix = os.path.splitext(output or "")
    return stem, os.path.splitext(stem)[1].lower(), suffix.lower()


def _refuse_foreign(name: str, kind: str, mend: str) -> None:
    if kind and kind[1:] in _FOREIGN.split():
        raise UsageError(f"{name}: rows are not written as {kind}", mend)
