"""What the name of an output promises: a format, a compression, or what is no table of ours."""

from __future__ import annotations

import os

from gmmcli.errors import UsageError
from gmmcli.tables.csv_table import CsvTable
from gmmcli.tables.kinds import Told, told_by
from gmmcli.tables.rows import RowStream

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
    told = _written(
        f"-o {output}",
        output,
        "name it .csv or .tsv (also with .gz, .bz2, .xz, .zst), .parquet, .arrow or .feather",
    )
    if told.compression and told.kind in ("parquet", "arrow"):
        stem = os.path.splitext(str(output))[0]
        raise UsageError(
            f"-o {output}: Parquet and Arrow are compressed within, not as a whole", f"write {stem}"
        )


def require_csv(option: str, output: str | None) -> None:
    """Raise UsageError where the name of an output promises something else than CSV, which may be
    compressed.
    """
    mend = "name it .csv, also with .gz, .bz2, .xz or .zst"
    if _written(f"{option} {output}", output, mend).kind not in (None, "csv"):
        raise UsageError(f"{option} {output}: this is written as CSV alone", mend)


def misleading_suffix(stream: RowStream, output: str | None) -> str | None:
    """What to say of an output whose suffix tells another delimiter than its rows keep: .tsv is for
    tabs alone, .csv for any that was asked for.
    """
    if output is None or not isinstance(stream.first, CsvTable):
        return None
    kind = told_by(output).kind
    delimiter = stream.first.delimiter
    if kind == "tsv" and delimiter != "\t":
        return f"{output}: the rows keep their delimiter, {delimiter!r}; better name it .csv"
    if kind == "csv" and delimiter == "\t" and stream.format.delimiter is None:
        return f"{output}: the rows keep their tabs; better name it .tsv"
    return None


def _written(name: str, output: str | None, mend: str) -> Told:
    """What the name of an output promises. Raises UsageError where that is never written."""
    told = told_by(output or "")
    suffix = ".lzma" if told.compression == "lzma" else told.suffix
    if suffix and suffix[1:] in _FOREIGN.split():
        raise UsageError(f"{name}: rows are not written as {suffix}", mend)
    return told
