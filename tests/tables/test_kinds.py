"""What the name of a file tells."""

from __future__ import annotations

import pytest

from gmmcli.tables.kinds import KINDS, told_by
from gmmcli.tables.opening import READERS


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("rows.tsv.gz", (".tsv", "tsv", "gzip")),
        ("DIR.csv/Rows.Parquet", (".parquet", "parquet", None)),
        ("rows.zst", ("", None, "zstd")),
        ("rows.tab.csv", (".csv", "csv", None)),
        ("rows.tsv.old", (".old", None, None)),
        ("rows.csv.gz.gz", (".gz", None, "gzip")),
        ("-", ("", None, None)),
    ],
)
def test_the_last_suffixes_of_a_name_tell(name: str, told: tuple[str, str, str]) -> None:
    assert told_by(name) == told


def test_every_kind_has_its_reader() -> None:
    assert READERS.keys() == KINDS.keys()
