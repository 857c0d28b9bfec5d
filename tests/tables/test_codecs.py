"""Codecs of text are taken, those of something else refused; what is read is written back."""

from __future__ import annotations

import encodings
import pkgutil
from pathlib import Path

import numpy as np
import pytest

from gmmcli.errors import UsageError
from gmmcli.tables import Format, NewColumn, open_rows, open_writer

NO_TEXT = {
    *("base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"),
    *("idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape", "utf_7"),
    *("mbcs", "oem"),  # Of Windows, and there alone.
}
CODECS = [codec.name for codec in pkgutil.iter_modules(encodings.__path__)]


@pytest.mark.contract("input-encoding", "predict-encoding")
def test_every_codec_of_python_keeps_a_table_or_is_refused(
    tmp_path: Path,
) -> None:
    refused = set()
    table = "a,b\r\n1,2.5\r\n-3,1e+5\r\n"
    for name in CODECS:
        try:
            fmt = Format(encoding=name)
        except UsageError:
            refused.add(name)
            continue
        (tmp_path / "t.csv").write_bytes(table.encode(name))
        with open_rows([str(tmp_path / "t.csv")], ["b"], fmt) as stream:
            written = tmp_path / "out.csv"
            with open_writer(stream, str(written), {"c": int}) as writer:
                for block in stream:
                    new = NewColumn(block.X[:, 0].astype(int), np.ones(len(block.X), bool))
                    writer.put(writer.render(block, {"c": new}))
        assert written.read_bytes().decode(name) == "a,b,c\r\n1,2.5,2\r\n-3,1e+5,100000\r\n", name
    assert refused - {"aliases"} == NO_TEXT


@pytest.mark.contract("exit-2")
@pytest.mark.parametrize("name", ["", "os", "../x", "utf8\udcff", "a b", "utf-7", "idna"])
def test_what_is_no_codec_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="is not a text encoding"):
        Format(encoding=name)


@pytest.mark.contract("predict-encoding", "exit-2")
def test_a_prefix_that_the_encoding_has_not_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n2\n", encoding="latin-1")
    for encoding, prefix in (("latin-1", "Σ"), ("utf-8", "\udcff")):
        fmt = Format(encoding=encoding)
        with (
            open_rows([str(tmp_path / "t.csv")], ["a"], fmt) as stream,
            pytest.raises(UsageError, match="has no such characters"),
            open_writer(stream, None, {"c": int}, prefix=prefix),
        ):
            pass
