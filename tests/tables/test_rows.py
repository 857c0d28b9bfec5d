"""Rows passed through: every byte kept, new columns added, in every dress."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from gmmcli.errors import UserError
from gmmcli.tables import Format, NewColumn, open_rows, open_writer, write_table

ROOT = Path(__file__).parents[2]
NEW = {"cluster": int, "probability": float}


def copy(
    paths,
    output,
    columns,
    fmt=None,
    *,
    block_size=1 << 20,
    most_rows=1 << 20,
    only=False,
    prefix="",
    weight=None,
):
    """Pass rows through with cluster = their number and probability = their sum / 4."""
    seen = []
    with (
        open_rows(
            [str(p) for p in paths], columns, fmt or Format(), block_size=block_size, weight=weight
        ) as stream,
        open_writer(stream, str(output), NEW, only=only, prefix=prefix) as writer,
    ):
        n = 0
        for block in (piece for whole in stream for piece in whole.pieces(most_rows)):
            assert block.X.flags.c_contiguous
            assert block.X.shape[1] == len(columns)
            new = {
                "cluster": np.arange(n, n + len(block.X)),
                "probability": block.X.sum(axis=1) / 4,
            }
            known = ~np.isnan(block.X).any(axis=1)
            added = {name: NewColumn(values, known) for name, values in new.items()}
            writer.put(writer.render(block, added))
            n += len(block.X)
            seen.append(block.X)
    return np.concatenate(seen) if seen else np.empty((0, len(columns)))


def passed(folder, data, columns, fmt=None, **options):
    (folder / "in.csv").write_bytes(data)
    copy([folder / "in.csv"], folder / "out.csv", columns, fmt, **options)
    return (folder / "out.csv").read_bytes()


@pytest.mark.contract(
    "predict-bytes",
    "predict-quotes",
    "predict-leading-zeros",
    "predict-decimals",
    "predict-exponents",
    "predict-crlf",
    "predict-bom",
    "predict-trailing-columns",
    "input-blank",
)
@pytest.mark.parametrize("limits", [{"block_size": 1}, {"block_size": 5}, {}, {"most_rows": 1}])
@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"x,y\n1,2\n3,4", b"x,y,cluster,probability\n1,2,0,0.75\n3,4,1,1.75"),
        (b"x,y\r\n1,2\r\n", b"x,y,cluster,probability\r\n1,2,0,0.75\r\n"),
        (b"y,x,e,\n0.10,1e5,,\n", b"y,x,e,,cluster,probability\n0.10,1e5,,,0,25000.025\n"),
        (b"\xef\xbb\xbfx,y\n007,2\n", b"\xef\xbb\xbfx,y,cluster,probability\n007,2,0,2.25\n"),
        (b"x,y\n1,\n", b"x,y,cluster,probability\n1,,,\n"),
        (b"x,y\n1,3\n\n\n3,5\n\n", b"x,y,cluster,probability\n1,3,0,1\n\n\n3,5,1,2\n\n"),
        (b"\n\nx,y\n\n1,3\n", b"\n\nx,y,cluster,probability\n\n1,3,0,1\n"),
        (b"x,y\n\n", b"x,y,cluster,probability\n\n"),
        (b"x,y", b"x,y,cluster,probability"),
        (b"x,y\r\n", b"x,y,cluster,probability\r\n"),
        (
            b'"x",y,t\n"1",3,"a\r\n""b"""\r\n1,7,5" pipe\n',
            b'"x",y,t,cluster,probability\n"1",3,"a\r\n""b""",0,1\r\n1,7,5" pipe,1,2\n',
        ),
        (b"x,y,t\n1,3,\xe9\n", b"x,y,t,cluster,probability\n1,3,\xe9,0,1\n"),
    ],
)
def test_every_byte_is_kept(tmp_path, data, expected, limits):
    assert passed(tmp_path, data, ["x", "y"], **limits) == expected


def test_one_column_with_blank_lines(tmp_path):
    data, expected = b"x\r\n4\r\n\r\n8\n", b"x,cluster,probability\r\n4,0,1\r\n,,\r\n8,2,2\n"
    assert passed(tmp_path, data, ["x"]) == expected
    assert passed(tmp_path, data, ["x"], most_rows=1) == expected


def test_no_header(tmp_path):
    fmt = Format(header=False)
    assert passed(tmp_path, b"1,3\n3,5", ["a", "b"], fmt) == b"1,3,0,1\n3,5,1,2"
    assert passed(tmp_path, b"1,9,3\n", ["3", "1"], fmt) == b"1,9,3,0,1\n"
    assert passed(tmp_path, b"1,3\n", ["2", "1"], fmt) == b"1,3,0,1\n"
    for columns in (["a", "b"], ["2", "1"]):
        with pytest.raises(UserError, match=r"3 columns where the model has 2: .*-c 1:2"):
            passed(tmp_path, b"1,3,9\n", columns, fmt)
    with pytest.raises(UserError, match="1 column where the model has 2: a, b"):
        passed(tmp_path, b"1\n", ["a", "b"], fmt)


def test_delimiters_and_decimal_commas(tmp_path):
    fmt = Format(delimiter=";", decimal=",")
    expected = b"x;y;cluster;probability\n1,5;2,5;0;1\n0,5;1;1;0,375\n"
    assert passed(tmp_path, b"x;y\n1,5;2,5\n0,5;1\n", ["x", "y"], fmt) == expected
    expected = b'x,y,cluster,probability\n"1,5",2,0,"0,875"\n'
    assert passed(tmp_path, b'x,y\n"1,5",2\n', ["x", "y"], Format(decimal=",")) == expected


@pytest.mark.contract("predict-encoding")
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-be", "utf-16-le", "utf-8-sig"])
def test_the_encoding_is_kept(tmp_path, encoding):
    text, expected = "é,y\n1,3\n", "é,y,cluster,probability\n1,3,0,1\n"
    out = passed(tmp_path, text.encode(encoding), ["é", "y"], Format(encoding=encoding))
    assert out == expected.encode(encoding)


def test_only_and_prefix(tmp_path):
    data = b"\xef\xbb\xbfx,cluster\r\n1,3\r\n\r\nNA,3\r\n3,5"
    with pytest.raises(UserError, match=r"in\.csv: there is already a column 'cluster'.*--prefix"):
        passed(tmp_path, data, ["x", "cluster"])
    expected = b"cluster,probability\r\n0,1\r\n,\r\n2,2\r\n"
    assert passed(tmp_path, data, ["x", "cluster"], only=True) == expected
    out = passed(tmp_path, data, ["x", "cluster"], prefix="p_")
    assert out.startswith(b"\xef\xbb\xbfx,cluster,p_cluster,p_probability\r\n1,3,0,1\r\n")


def test_several_inputs_are_one_table(tmp_path):
    (tmp_path / "1.csv").write_bytes(b"\xef\xbb\xbfx,y\r\n1,3")
    (tmp_path / "2.csv").write_bytes(b"x,y\n")
    (tmp_path / "3.csv").write_bytes(b"\xef\xbb\xbf\nx,y\n3,5\n")
    (tmp_path / "4.csv").write_bytes(b"y,x\n3,5\n")
    (tmp_path / "5.csv").write_bytes(b"x,y,z\n3,5,7\n")
    paths = [tmp_path / f"{i}.csv" for i in range(1, 6)]
    copy(paths[:3], tmp_path / "out", ["x", "y"])
    expected = b"\xef\xbb\xbfx,y,cluster,probability\r\n1,3,0,1\r\n3,5,1,2\n"
    assert (tmp_path / "out").read_bytes() == expected
    with pytest.raises(UserError, match=r"4\.csv: column 1 is 'y' where .*1\.csv has 'x'"):
        copy([paths[0], paths[3]], tmp_path / "out", ["x", "y"])
    with pytest.raises(UserError, match=r"5\.csv: 3 columns where .*1\.csv has 2"):
        copy([paths[0], paths[4]], tmp_path / "out", ["x", "y"])
    assert (tmp_path / "out").read_bytes() == expected


@pytest.mark.contract("must-5-column", "must-5-present", "must-5-nearest")
def test_a_missing_model_column(tmp_path):
    with pytest.raises(UserError) as caught:
        passed(tmp_path, b"sepal_width,petal\n1,2\n", ["sepal_with"])
    assert str(caught.value).endswith(
        "in.csv: there is no column 'sepal_with'; "
        "did you mean 'sepal_width'? the columns are: sepal_width, petal"
    )
    assert not (tmp_path / "out.csv").exists()
    with pytest.raises(UserError, match="more than one column is named 'x'"):
        passed(tmp_path, b"x,x\n1,2\n", ["x"])


@pytest.mark.parametrize("block_size", [1, 9, 1 << 20])
@pytest.mark.parametrize("bad", ["x,2", "1,2,3", "inf,2", '"1"",2', "1,2\r3,4"])
def test_a_bad_row_comes_after_the_rows_before_it(tmp_path, bad, block_size):
    path = tmp_path / "in.csv"
    path.write_text('x,y\n1,2\n"3",4\n\n5,6\n' + bad + "\n7,8\n")
    seen = []
    with open_rows([str(path)], ["y", "x"], Format(), block_size=block_size) as stream:
        blocks = (seen.append(block.X) for block in stream)
        with pytest.raises(UserError, match=r"in\.csv:6: "):
            list(blocks)
    assert np.concatenate(seen).tolist() == [[2, 1], [4, 3], [6, 5]]


def test_weights_of_rows(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("w,x\n1,2\n0.5,4\n-1,3\n")
    with open_rows([str(path)], ["x"], Format(), weight="w") as stream:
        blocks = iter(stream)
        block = next(blocks)
        assert block.weight.tolist() == [1, 0.5]
        assert block.X.tolist() == [[2], [4]]
        with pytest.raises(UserError, match=r"in\.csv:4: the weight in column 'w' is negative"):
            next(blocks)


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zst"])
def test_compressed_output(tmp_path, suffix):
    source = tmp_path / "in.csv"
    source.write_text("x,y\n" + "1,3\n" * 5000)
    outputs = []
    for name in ("a", "b"):
        out = tmp_path / (name + suffix)
        copy([source], out, ["x", "y"], block_size=1000 if name == "a" else 1 << 20)
        outputs.append(out.read_bytes())
    copy([source], tmp_path / "plain", ["x", "y"])
    plain = (tmp_path / "plain").read_bytes()
    unpack = {"gz": gzip.decompress, "bz2": bz2.decompress, "xz": lzma.decompress}
    unzip = unpack.get(suffix[5:], lambda data: unzstd(data))
    assert [unzip(data) for data in outputs] == [plain, plain]


def unzstd(data):
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        return stream.read()


def arrow_table():
    return pa.table(
        {
            "name": pa.array(['a"b', None, "c,d", "é"]).dictionary_encode(),
            "x": pa.array([1, 2, None, 4], pa.int32()),
            "ok": [True, None, False, True],
            "y": pa.array([0.1, 1e-5, 2.5, 1e300], pa.float64()),
            "day": pa.array([0, 1, 2, None], pa.date32()),
        }
    )


def test_parquet_in_csv_out(tmp_path):
    pq.write_table(arrow_table(), tmp_path / "in.parquet")
    copy([tmp_path / "in.parquet"], tmp_path / "out.csv", ["y", "x"])
    assert (tmp_path / "out.csv").read_text() == (
        "name,x,ok,y,day,cluster,probability\n"
        '"a""b",1,true,0.1,1970-01-01,0,0.275\n'
        ",2,,0.00001,1970-01-02,1,0.5000025\n"
        '"c,d",,false,2.5,1970-01-03,,\n'
        "é,4,true,1e+300,,3,2.5e+299\n"
    )
    copy([tmp_path / "in.parquet"], tmp_path / "out.tsv", ["y", "x"], only=True)
    assert (tmp_path / "out.tsv").read_text().startswith("cluster\tprobability\n0\t0.275\n")


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_arrow_in_arrow_out(tmp_path, suffix):
    table = arrow_table()
    feather.write_feather(table, str(tmp_path / "in.feather"))
    out = tmp_path / f"out.{suffix}"
    copy([tmp_path / "in.feather"] * 2, out, ["y", "x"])
    result = pq.read_table(out) if suffix == "parquet" else feather.read_table(str(out))
    assert result["cluster"].to_pylist() == [0, 1, None, 3, 4, 5, None, 7]
    assert result["probability"].type == pa.float64()
    for name in table.column_names:
        if suffix == "parquet" or name != "name":
            assert result[name].type == table[name].type
        assert result[name].to_pylist() == table[name].to_pylist() * 2


def test_csv_in_parquet_out(tmp_path):
    (tmp_path / "in.csv").write_text('x,t,y\n1,007,3\n,"a\n""b",4\n')
    copy([tmp_path / "in.csv"], tmp_path / "out.parquet", ["x", "y"])
    assert pq.read_table(tmp_path / "out.parquet").to_pydict() == {
        "x": [1.0, None],
        "t": ["007", 'a\n"b'],
        "y": [3.0, 4.0],
        "cluster": [0, None],
        "probability": [1.0, None],
    }
    (tmp_path / "in.csv").write_text("x,t\n")
    copy([tmp_path / "in.csv"], tmp_path / "out.parquet", ["x"])
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_parquet_bytes_do_not_depend_on_blocks(tmp_path):
    (tmp_path / "in.csv").write_text("x,y\n" + "".join(f"{i},{i % 7}\n" for i in range(150_000)))
    for block_size, name in ((50_000, "a.parquet"), (1 << 20, "b.parquet")):
        copy([tmp_path / "in.csv"], tmp_path / name, ["x", "y"], block_size=block_size)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


PREDICT = """
import sys
import numpy as np
from gmmcli.tables import Format, NewColumn, open_rows, open_writer
with open_rows(["-"], ["x"], Format()) as stream:
    with open_writer(stream, None, {"double": float}) as writer:
        for block in stream:
            new = {"double": NewColumn(block.X[:, 0] * 2, ~np.isnan(block.X[:, 0]))}
            writer.put(writer.render(block, new))
heavy = [name for name in ("pandas", "scipy", "rich") if name in sys.modules]
sys.exit(",".join(heavy) or 0)
"""


def test_rows_flow_while_the_pipe_is_open():
    with subprocess.Popen(
        [sys.executable, "-c", PREDICT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"x,t\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"x,t,double\n"
        rows = {b'+1,"a"': b"2", b'"NA",b': b"", b" NA,b": b"", b"0,\xff": b"0", b"7,c": b"14"}
        for row, double in rows.items():
            process.stdin.write(row + b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == row + b"," + double + b"\n"
        process.stdin.close()
        assert process.wait() == 0


def test_the_rows_before_a_bad_one_are_on_standard_output():
    run = [sys.executable, "-c", PREDICT]
    done = subprocess.run(run, input=b"x\n1\n2\nz\n3\n", cwd=ROOT, capture_output=True, check=False)
    assert done.stdout == b"x,double\n1,2\n2,4\n"
    assert b"standard input:4: 'z' in column 'x' is not a number" in done.stderr


@pytest.mark.contract("predict-bad-row-file")
def test_a_bad_row_leaves_no_file(tmp_path):
    with pytest.raises(UserError):
        passed(tmp_path, b"x,y\n1,2\nz,3\n", ["x", "y"])
    with pytest.raises(UserError):
        copy([tmp_path / "in.csv"], tmp_path / "out.parquet", ["x", "y"])
    assert os.listdir(tmp_path) == ["in.csv"]


def test_write_table():
    out = io.BytesIO()
    write_table(out, ["a,b", "c"], [np.array([[1.5, -0.1], [1e-7, 3]]), np.array([[0, 2.0]])])
    assert out.getvalue() == b'"a,b",c\n1.5,-0.1\n1e-7,3\n0,2\n'
