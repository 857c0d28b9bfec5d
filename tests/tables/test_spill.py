"""Rows in a temporary file: the same values, no name, an error when there is no room."""

from __future__ import annotations

import io
import mmap
import os
import re
import resource
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gmmcli.errors import InputOutputError, UsageError
from gmmcli.tables import Format, Store, available_memory, memory_size, read_features
from gmmcli.tables.spill import SEGMENT_BYTES, Arrays, spooled


def in_a_file(values: np.ndarray) -> bool:
    base = values
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(getattr(base, "obj", base), mmap.mmap)


def test_what_exceeds_the_memory_is_in_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = Store(800)
    arrays = [store.empty((2, 25)) for _ in range(4)]
    assert [in_a_file(a) for a in arrays] == [False, False, True, True]
    for i, a in enumerate(arrays):
        a[...] = i
    assert [float(a.sum()) for a in arrays] == [0, 50, 100, 150]
    assert os.listdir(tmp_path) == []
    large = store.empty((SEGMENT_BYTES // 8 + 1,))
    large[[0, -1]] = 7
    assert in_a_file(large)
    assert arrays[3].min() == arrays[3].max() == 3


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 40)), max_size=12), st.integers(0, 999))
def test_a_store_keeps_what_it_is_given(shapes, n_bytes):
    store = Store(n_bytes)
    rng = np.random.default_rng(0)
    given_ = [rng.normal(size=shape) for shape in shapes]
    kept = [store.copy(values) for values in given_]
    for before, after in zip(given_, kept, strict=True):
        assert np.array_equal(before, after)
        assert after.flags.c_contiguous


@pytest.mark.parametrize("missing", ["error", "drop"])
def test_features_are_the_same_from_a_file(tmp_path, missing):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(5000, 3)).round(6)
    lines = [",".join(map(str, row)) for row in X.tolist()]
    if missing == "drop":
        lines[7] = "1,,3"
        lines[4000] = ",,"
    (tmp_path / "t.csv").write_text("a,b,c\n" + "\n".join(lines) + "\n")
    read = [
        read_features(
            [str(tmp_path / "t.csv")], Format(), missing=missing, block_size=4096, store=Store(n)
        )
        for n in (0, 50_000, available_memory())
    ]
    tables = [np.concatenate(features.chunks, axis=1) for features in read]
    assert tables[0].shape == (3, 5000 - 2 * (missing == "drop"))
    for table in tables[1:]:
        assert np.array_equal(tables[0], table)
    assert all(map(in_a_file, read[0].chunks))
    assert not any(map(in_a_file, read[2].chunks))


def test_no_room_is_an_input_output_error():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(InputOutputError, match=r"temporary file: cannot write: .*TMPDIR"):
            Store(0).empty((10,))
        with pytest.raises(InputOutputError, match="temporary file: cannot write"):
            spooled(iter([b"x" * (1 << 26), b"x"]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_spooled_stream_is_read_back_and_forth():
    file = spooled(iter([b"abc", b"", b"def"]))
    assert file.read() == b"abcdef"
    file.seek(-2, io.SEEK_END)
    assert file.read() == b"ef"


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("0", 0),
        ("1000", 1000),
        ("2K", 2048),
        ("1.5M", 3 << 19),
        ("2GiB", 2 << 30),
        ("1tb", 1 << 40),
    ],
)
def test_sizes(text, n_bytes):
    assert memory_size(text) == n_bytes


@pytest.mark.parametrize("text", ["", "much", "-1", "1X", "1 2", "1e9"])
def test_what_is_no_size(text):
    with pytest.raises(UsageError, match="--memory"):
        memory_size(text)


def test_the_memory_there_is_is_some():
    assert 1 << 20 < available_memory() < 1 << 60


def resident_of_files() -> int:
    """Bytes of files that this process has mapped and in memory."""
    status = open("/proc/self/status").read()  # noqa: SIM115
    return sum(int(kb) << 10 for kb in re.findall(r"Rss(?:File|Shmem):\s+(\d+) kB", status))


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is read from /proc")
def test_what_was_not_used_lately_is_not_in_memory():
    window = 1 << 24
    store = Store(0, window)
    before = resident_of_files()
    arrays = []
    for i in range(64):
        arrays.append(store.empty((1 << 17,)))
        arrays[-1][:] = i
        assert resident_of_files() < before + window + (4 << 20)
    for _ in range(2):
        for i, array in enumerate(arrays):
            assert (store.used(array) == i).all()
            assert resident_of_files() < before + window + (4 << 20)
    assert [array[5] for array in Arrays(store, arrays)] == list(range(64))


def test_memory_is_given_back():
    store = Store(800)
    first = store.empty((100,))
    view = first[3:]
    del first
    assert in_a_file(store.empty((1,)))
    del view
    assert not in_a_file(store.empty((100,)))


@pytest.mark.parametrize("n_threads", [1, 4])
def test_threads_see_what_was_written(n_threads):
    store = Store(0, mmap.PAGESIZE)
    arrays = [store.copy(np.full(1000, float(i))) for i in range(50)]

    def sums(order):
        return [store.used(arrays[i]).sum() for i in order]

    with ThreadPoolExecutor(n_threads) as pool:
        orders = [np.random.default_rng(seed).permutation(50).tolist() for seed in range(8)]
        for order, found in zip(orders, pool.map(sums, orders), strict=True):
            assert found == [1000.0 * i for i in order]
