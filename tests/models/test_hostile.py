"""Model files that are wrong by accident or by intent: one line, quickly, in little memory."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import re
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmcli.errors import UserError
from gmmcli.models import loads
from handwritten import two_clusters

VALID = two_clusters()


def refuse(data: bytes) -> str:
    """The message of the refusal, which is one short line that names the file."""
    with pytest.raises(UserError, match=r"\Amodel: ") as info:
        loads(data, "model")
    message = str(info.value)
    assert info.value.code == 65
    assert message.isprintable()
    assert len(message) < 300
    return message


def spoil(**changes: Any) -> bytes:
    return json.dumps(VALID | changes).encode()


def only_messages(value: object) -> str:
    """The part of a test's name that a parameter makes: megabytes of data make none."""
    return value if isinstance(value, str) else ""


EYE = [[1, 0], [0, 1]]


@pytest.mark.contract("must-10-counts", "must-10-shapes", "must-10-weights", "must-10-definite")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "other"}, "not a gmmcli model; give a file that gmmcli fit -o wrote"),
        ({"format": ["gmmcli-model"]}, "not a gmmcli model"),
        ({"format_version": 3}, "a newer gmmcli .*; upgrade gmmcli"),
        ({"format_version": 10**100}, "a newer gmmcli"),
        ({"format_version": 0}, "format_version is not 1 or 2"),
        ({"format_version": True}, "format_version is not 1 or 2"),
        ({"format_version": "1"}, "format_version is not 1 or 2"),
        ({"transform": {"a": "log"}}, "transform in a model of format 1; write 2"),
        ({"format_version": 2, "transform": "log"}, "not an object of columns and functions"),
        ({"format_version": 2, "transform": {"c": "log"}}, "speaks of 'c', which is no column"),
        ({"format_version": 2, "transform": {"a": "none"}}, "unknown transform 'none'; known are"),
        ({"format_version": 2, "transform": {"a": ["log"]}}, "unknown transform"),
        ({"covariance": "round"}, "unknown covariance 'round'; known are full, tied"),
        ({"covariance": ["full"]}, "unknown covariance"),
        ({"covariance": "x" * 10**6}, "unknown covariance 'xxx"),
        ({"columns": ["a"]}, "1 columns, but means of 2 features"),
        ({"columns": ["a", "a"]}, "column 'a' is named twice"),
        ({"columns": ["a", 1]}, "not a list of names"),
        ({"columns": "ab"}, "not a list of names"),
        ({"columns": ["a", "\ud800"]}, "not Unicode"),
        ({"weights": []}, "empty"),
        ({"weights": 1}, "weights are one number"),
        ({"weights": None}, "weights: null where a number belongs"),
        ({"weights": [0.5, None]}, "null where a number belongs"),
        ({"weights": [True, False]}, "true or false where a number belongs"),
        ({"weights": ["0.5", "0.5"]}, "text where a number belongs"),
        ({"weights": [{}, {}]}, "an object where a number belongs"),
        ({"weights": [[0.5, 0.5]]}, r"weights are \[1\]\[2\]"),
        ({"weights": [0.5, 0.6]}, "add up to 1.1"),
        ({"weights": [0, 0]}, "add up to 0"),
        ({"weights": [1e308, 1e308]}, "add up to inf"),
        ({"weights": [1.5, -0.5]}, "a weight is negative: -0.5"),
        ({"weights": [10**400, 1]}, "out of range"),
        ({"weights": [1]}, r"means are \[2\]\[2\], not \[K\]\[d\] with K = 1"),
        ({"means": [[0, 1], [2]]}, "lists of 1 and of 2"),
        ({"means": [[], []]}, "empty"),
        ({"means": [0, 1]}, r"means are \[2\]"),
        ({"means": [[0, 1], 2]}, "mixed"),
        ({"means": [0, [1, 2]]}, "a list where a number belongs"),
        ({"means": [[[[[0]]]]]}, "nested too deeply"),
        (
            {"covariances": [[1, 1], [1, 1]]},
            r"full covariances are \[2\]\[2\], not \[2\]\[2\]\[2\]",
        ),
        ({"covariances": [EYE]}, r"\[1\]\[2\]\[2\], not \[2\]\[2\]\[2\]"),
        ({"covariance": "diag"}, r"diag covariances are \[2\]\[2\]\[2\], not \[2\]\[2\]"),
        ({"covariances": [EYE, [[1, 0], [0, 0]]]}, "of component 1 is not positive definite"),
        ({"covariances": [[[1, 2], [2, 1]], EYE]}, "of component 0 is not positive definite"),
        ({"covariances": [[[-1, 0], [0, -1]], EYE]}, "of component 0 is not positive definite"),
        ({"covariances": [[[1e-300, 1e300], [1e300, 1]], EYE]}, "not positive definite"),
        ({"covariances": [[[1, 0.5], [0.4, 1]], EYE]}, "of component 0 is not symmetric"),
        ({"covariances": [EYE, [[1, 0], [0.1, 1]]]}, "of component 1 is not symmetric"),
        ({"covariance": "tied"}, "tied covariances differ"),
        ({"covariance": "diag", "covariances": [[1, 1], [1, 0]]}, "variances of component 1"),
        ({"covariance": "diag", "covariances": [[1, -1], [1, 1]]}, "variances of component 0"),
        ({"n_components": 10**12}, "n_components is 1000000000000, but the arrays say 2"),
        ({"weights": [1e-5] * 100_001, "means": [[0]] * 100_001}, "full covariances are"),
        ({"n_features": "2"}, "n_features is '2', but the arrays say 2"),
        ({"n_samples": "many"}, "n_samples is not a number"),
        ({"bic": [1]}, "bic is not a number"),
        ({"iterations": True}, "iterations is not a number"),
        ({"converged": 1}, "converged is neither true nor false"),
        ({"options": []}, "options are not an object"),
        ({"warnings": [1]}, "warnings are not a list of texts"),
        ({"notes": "few rows"}, "notes are not a list of texts"),
        ({"density_quantiles": [None]}, "density_quantiles are not a list of numbers"),
        ({"density_quantiles": 3}, "density_quantiles are not a list of numbers"),
        ({"clusters": None}, "clusters are not lists of components"),
        ({"clusters": 2}, "clusters are not lists of components"),
        ({"clusters": {"0": [0, 1]}}, "clusters are not lists of components"),
        ({"clusters": [0, 1]}, "clusters are not lists of components"),
        ({"clusters": [[0, 1], []]}, "clusters are not lists of components"),
        ({"clusters": [[False, True]]}, "clusters are not lists of components"),
        ({"clusters": [[0.0, 1.0]]}, "clusters are not lists of components"),
        ({"clusters": [[[0]], [1]]}, "clusters are not lists of components"),
        ({"clusters": ["01"]}, "clusters are not lists of components"),
        ({"clusters": []}, "do not have each of the components 0 to 1 once"),
        ({"clusters": [[0]]}, "do not have each of the components 0 to 1 once"),
        ({"clusters": [[0, 1], [1]]}, "do not have each of the components 0 to 1 once"),
        ({"clusters": [[0], [2]]}, "do not have each of the components 0 to 1 once"),
        ({"clusters": [[-1], [0]]}, "do not have each of the components 0 to 1 once"),
        ({"clusters": [[0, 10**15]]}, "do not have each of the components 0 to 1 once"),
        ({"clusters": [[0] * 10**5]}, "do not have each of the components 0 to 1 once"),
        ({"seed": 10**30}, "an integer beyond 64 bits"),
        ({"else": {"a": [{"b": "\udfff"}]}}, "not Unicode"),
    ],
)
def test_a_document_that_is_wrong(changes: dict[str, Any], message: str) -> None:
    assert re.search(message, refuse(spoil(**changes)))


@pytest.mark.parametrize("key", VALID)
def test_each_of_the_seven_keys_is_needed(key: str) -> None:
    rest = {other: value for other, value in VALID.items() if other != key}
    refuse(json.dumps(rest).encode())


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.contract("must-10-nan", "must-10-nesting", "must-10-pickles")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "an empty file"),
        (b"   \n", "not a gmmcli model"),
        (b"a,b\n1,2\n", "not a gmmcli model"),
        (b"\x80\x04N.", "not a gmmcli model"),
        (pickle.dumps(VALID), "not a gmmcli model"),
        (bytes(range(256)) * 100, "not a gmmcli model"),
        (b"[]", "not a gmmcli model"),
        (b"{}", "not a gmmcli model"),
        (b"{", "not valid JSON: .*line 1, column 2"),
        (spoil()[:-1], "not valid JSON"),
        (spoil()[:60], "not valid JSON.*cut off"),
        (spoil() + b"{}", "not valid JSON"),
        (spoil().decode().encode("utf-16"), "UTF-16"),
        (spoil(é=1).replace(b"\\u00e9", b"\xe9"), "not UTF-8"),
        (spoil().replace(b"0.25", b"NaN"), "NaN"),
        (spoil().replace(b"0.25", b"-Infinity"), "-Infinity"),
        (spoil(else_=0).replace(b'"else_": 0', b'"else_": NaN'), "NaN"),
        (spoil().replace(b"2.5", b"1e999"), "means are not all finite"),
        (spoil(else_=0).replace(b'"else_": 0', b'"else_": 1e999'), "not finite"),
        (spoil().replace(b"2.5", b"1" * 1_000_000), "too many digits"),
        (spoil().replace(b"{", b'{"weights": [1],', 1), "'weights' is there twice"),
        (spoil(o={"p": 1}).replace(b'{"p"', b'{"p": 2, "p"'), "'p' is there twice"),
        (b'{"format": ' + nested(500), "not valid JSON|too deeply"),
        (b'{"format": ' + nested(200_000) + b"}", "too deeply"),
        (b'{"format": ' + nested(1_000_000) + b"}", "too many lists"),
        (b'{"format": ' + nested(50_000_000) + b"}", "too many lists|16 MiB beside"),
        (b'{"a":' * 200_000, "too deeply"),
        (b'{"a":' * 1_000_000, "too many lists"),
        (spoil(deep=json.loads(nested(60))), "too deeply"),
        (spoil(means=json.loads(nested(60))), "too deeply"),
    ],
    ids=only_messages,
)
def test_a_file_that_is_no_model(data: bytes, message: str) -> None:
    assert re.search(message, refuse(data))


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def npy(array: Any, **options: Any) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array), **options)
    return out.getvalue()


def header(descr: str, shape: str, content: bytes = b"") -> bytes:
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + content


REST = json.dumps(
    {key: VALID[key] for key in ("format", "format_version", "covariance", "columns")}
)
MEMBERS = {
    "document.npy": npy(REST),
    "weights.npy": npy(np.array(VALID["weights"])),
    "means.npy": npy(np.array(VALID["means"])),
    "covariances.npy": npy(np.array(VALID["covariances"], float)),
}


def test_the_archive_that_the_others_spoil_is_good() -> None:
    assert loads(zipped(MEMBERS), "x").n_components == 2


GOOD = zipped(MEMBERS)
BOMB = zipped(MEMBERS | {"means.npy": bytes(300_000_000)}, zipfile.ZIP_DEFLATED)
OBJECTS = npy(np.array([print, None]), allow_pickle=True)


@pytest.mark.contract(
    "must-10-counts", "must-10-shapes", "must-10-nan", "must-10-bombs", "must-10-pickles"
)
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (GOOD + b"PK\x05\x06", "damaged"),
        (GOOD[:-30], "damaged"),
        (GOOD[: len(GOOD) // 2], "damaged"),
        (GOOD[:4], "damaged"),
        (
            GOOD.replace(b"\x00\x00\x00\x00\x00\x00\xd0?", b"\x00\x00\x00\x00\x00\x00\xd1?"),
            "damaged",
        ),
        (zipped({"a.txt": b"hello"}), "not a gmmcli model"),
        (zipped({}), "not a gmmcli model"),
        (zipped(MEMBERS | {"evil.npy": b""}), "not a gmmcli model"),
        (zipped({f"{i}.npy": b"" for i in range(5000)}), "too many members"),
        (zipped(MEMBERS | {"means.npy": GOOD}), "damaged"),
        (zipped(MEMBERS | {"means.npy": pickle.dumps([[1.0]])}), "damaged"),
        (zipped(MEMBERS | {"means.npy": OBJECTS}), "pickled objects, which are never read"),
        (zipped(MEMBERS | {"document.npy": OBJECTS}), "pickled objects"),
        (zipped(MEMBERS | {"document.npy": npy("{")}), "not valid JSON"),
        (zipped(MEMBERS | {"document.npy": npy([REST])}), "'document' is not a text"),
        (zipped(MEMBERS | {"document.npy": npy(b"{}")}), "'document' is not a text"),
        (zipped(MEMBERS | {"document.npy": npy(json.dumps(VALID))}), "inside 'document'"),
        (zipped(MEMBERS | {"document.npy": header("'<U1'", "()", b"\xff" * 4)}), "damaged"),
        (zipped(MEMBERS | {"means.npy": header("'<f8'", "(1099511627776, 2)")}), "not the size"),
        (zipped(MEMBERS | {"means.npy": header("'<f8'", "(-1, -2)", bytes(16))}), "not the size"),
        (zipped(MEMBERS | {"means.npy": header("'<f8'", "(4294967296, 4294967296, 2)")}), "size"),
        (zipped(MEMBERS | {"means.npy": header("'<f8'", "(0, 2)")}), "empty"),
        (zipped(MEMBERS | {"means.npy": header("'<f8'", "(" * 3000)}), "damaged"),
        (zipped(MEMBERS | {"means.npy": header("'<V1000000000'", "(9,)")}), "not the size"),
        (zipped(MEMBERS | {"means.npy": npy(np.array([["1", "2"]] * 2))}), "holds no numbers"),
        (zipped(MEMBERS | {"means.npy": npy(np.ones((2, 2), bool))}), "holds no numbers"),
        (zipped(MEMBERS | {"means.npy": npy(np.ones((2, 2), complex))}), "holds no numbers"),
        (zipped(MEMBERS | {"means.npy": npy(np.ones((2, 2, 1)))}), r"means are \[2\]\[2\]\[1\]"),
        (zipped(MEMBERS | {"means.npy": npy(np.array(1.0))}), "means are one number"),
        (zipped(MEMBERS | {"means.npy": npy(np.full((2, 2), np.nan))}), "not all finite"),
        (zipped(MEMBERS | {"covariances.npy": npy(-np.ones((2, 2, 2)))}), "not positive definite"),
        (zipped(MEMBERS, zipfile.ZIP_DEFLATED), "a compressed NPZ; write it with numpy.savez"),
        (BOMB, "a compressed NPZ"),
    ],
    ids=only_messages,
)
def test_an_archive_that_is_no_model(data: bytes, message: str) -> None:
    assert re.search(message, refuse(data))


@settings(max_examples=200)
@given(st.data())
def test_any_flipped_byte_is_a_model_or_refused(data: st.DataObject) -> None:
    original = data.draw(st.sampled_from([GOOD, spoil()]))
    spoilt = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        spoilt[data.draw(st.integers(0, len(spoilt) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(UserError):
        loads(bytes(spoilt), "model")


BOUNDED = """
import resource, sys, time
from gmmcli.errors import UserError
from gmmcli.models import load
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load(sys.argv[1])
except UserError as error:
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(error.code, time.process_time() - start < 2, (after - before) / 1024 < 300)
"""


def bounded(path: Path | str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BOUNDED, path],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"OPENBLAS_NUM_THREADS": "1"},
    )
    return done.stdout


def counts(n_components: int, n_features: int) -> bytes:
    """An archive of equal components, as consistent as it is large."""
    rest = VALID | {"covariance": "diag", "columns": [f"c{i}" for i in range(n_features)]}
    ones = np.ones((n_components, n_features))
    return zipped(
        {
            "document.npy": npy(json.dumps({key: rest[key] for key in json.loads(REST)})),
            "weights.npy": npy(np.full(n_components, 1 / n_components)),
            "means.npy": npy(ones),
            "covariances.npy": npy(ones),
        }
    )


def table(weights: str, n_rows: int, n_columns: int) -> bytes:
    """Means and variances of one shape in JSON."""
    row = "[" + ", ".join(["1"] * n_columns) + "]"
    rows = "[" + ", ".join([row] * n_rows) + "]"
    changes = {"covariance": "diag", "weights": "W", "means": "M", "covariances": "M"}
    text = spoil(**changes).decode().replace('"W"', f"[{weights}]").replace('"M"', rows)
    return text.encode()


def keys(n: int) -> bytes:
    return b"".join(b', "k%d": 1' % i for i in range(n))


LARGE = {
    "blank": lambda: b"{" + b" " * 30_000_000,
    "nested": lambda: b'{"format": ' + nested(10_000_000) + b"}",
    "numbers": lambda: b'{"weights": [' + b"1," * 10_000_000 + b"1]}",
    "lists": lambda: b'{"weights": [' + b"[]," * 1_500_000 + b"1]}",
    "texts": lambda: b'{"columns": ["' + b'x", "' * 2_000_000 + b'x"]}',
    "digits": lambda: b'{"weights": ' + b"1" * 30_000_000 + b"}",
    "decimals": lambda: spoil().replace(b"0.25", b"0." + b"1" * 30_000_000),
    "keys": lambda: spoil()[:-1] + keys(1_500_000) + b"}",
    "keys, fewer": lambda: spoil()[:-1] + keys(480_000),
    "keys within": lambda: spoil(options={"k": 0})[:-2] + keys(1_500_000) + b"}}",
    "quantiles": lambda: spoil(density_quantiles=[0])[:-2] + b", 0" * 20_000_000 + b"]}",
    "warnings": lambda: spoil(warnings=["a"])[:-2] + b', "a"' * 10_000_000 + b"]}",
    "clusters": lambda: spoil(clusters=[[0]])[:-2] + b", [1]" * 2_000_000 + b"]}",
    "the same key": lambda: spoil()[:-1] + b', "weights": [1]' * 240_000 + b"}",
    "the same list": lambda: (
        spoil()[:-1] + (b', "weights": [' + b"1," * 50_000 + b"1]") * 200 + b"}"
    ),
    "a list within": lambda: spoil(options={"means": [0] * 30_000}),
    "components": lambda: table("1", 2_000_000, 1),
    "columns": lambda: table("0.5, 0.5", 2, 2_000_000),
    "weights": lambda: table("0.5, 0.6", 2, 90_000),
    "unequal": lambda: table("0.5, 0.5", 2, 90_000).replace(b"1], [1", b"1], 1, [1"),
    "bomb": lambda: BOMB,
    "members": lambda: zipped({f"{i}": b"" for i in range(50_000)}),
    "terabytes": lambda: zipped(MEMBERS | {"means.npy": header("'<f8'", "(1099511627776, 2)")}),
    "archived components": lambda: counts(3_000_000, 1),
    "archived columns": lambda: counts(1, 200_000),
}


@pytest.mark.contract(
    "must-10-quick", "must-10-memory", "must-10-bombs", "must-10-nesting", "must-10-counts"
)
@pytest.mark.parametrize("kind", LARGE)
def test_refusal_is_quick_and_small(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "model"
    path.write_bytes(LARGE[kind]())
    assert bounded(path) == "65 True True\n"


@pytest.mark.contract("must-10-memory", "must-10-quick")
@pytest.mark.parametrize("head", [b"", b"{", GOOD[:4]])
def test_a_file_of_terabytes_is_not_read(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "sparse"
    path.write_bytes(head)
    with open(path, "r+b") as file:
        file.truncate(1 << 42)
    assert bounded(path) == "65 True True\n"


def test_an_endless_device_is_not_read() -> None:
    assert bounded("/dev/zero") == "65 True True\n"
