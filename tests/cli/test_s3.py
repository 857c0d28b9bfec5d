"""Data in an object store: moto's server on the loopback, real processes, a bare environment."""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from commands import PATHS

pytestmark = [
    pytest.mark.store,
    pytest.mark.skipif(
        importlib.util.find_spec("moto") is None,
        reason="moto is not installed; make test-s3 has it",
    ),
]

Run = Callable[..., subprocess.CompletedProcess[bytes]]
GMMCLI = (sys.executable, "-m", "gmmcli")
KEYS = {"AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "secret"}
# Who signs in this way is believed; what nobody signed is not.
SIGNED = "AWS4-HMAC-SHA256 Credential=user/20260101/us-east-1/s3/aws4_request, Signature=0"


class Store:
    """A server of its own, with one bucket, `data`."""

    def __init__(self, folder: Path) -> None:
        log = folder / "server.log"
        with log.open("wb") as out:
            command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
            self.process = subprocess.Popen(command, stdout=out, stderr=out)
        started = time.monotonic()
        while not (found := re.search(r"http://127.0.0.1:\d+", log.read_text())):
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() - started < 60
            time.sleep(0.05)
        self.url = found[0]
        self.env = {"PYTHONPATH": PATHS, "AWS_ENDPOINT_URL": self.url} | KEYS
        self.put("")

    def put(self, key: str, data: bytes = b"", **headers: str) -> str:
        """Store an object. Returns its URL."""
        request = urllib.request.Request(
            f"{self.url}/data/{urllib.parse.quote(key)}",
            data=data,
            method="PUT",
            headers={"Authorization": SIGNED, "Content-Type": "binary/octet-stream"} | headers,
        )
        urllib.request.urlopen(request, timeout=60).close()
        return f"s3://data/{key}"

    def close(self) -> None:
        """End the server."""
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with contextlib.closing(Store(tmp_path_factory.mktemp("store"))) as running:
        yield running


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Store]:
    """A store that a test may stop."""
    with contextlib.closing(Store(tmp_path)) as running:
        yield running


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Run:
    """Run gmmcli with the variables of the store and no others, but for `env`."""

    def run(
        *args: str | Path, stdin: bytes = b"", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*GMMCLI, *map(str, args)],
            input=stdin,
            env=store.env if env is None else env,
            cwd=tmp_path,
            capture_output=True,
            timeout=120,
            check=False,
        )

    return run


def parquet(csv: bytes) -> bytes:
    out = io.BytesIO()
    pq.write_table(pyarrow.csv.read_csv(pa.BufferReader(csv)), out, row_group_size=50)
    return out.getvalue()


def arrow(csv: bytes) -> bytes:
    out = io.BytesIO()
    pyarrow.feather.write_feather(pyarrow.csv.read_csv(pa.BufferReader(csv)), out)
    return out.getvalue()


def zstd(csv: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(csv, asbytes=True))


FORMS = {
    "t.csv": bytes,
    "t.csv.gz": gzip.compress,
    "t.csv.zst": zstd,
    "t.parquet": parquet,
    "no suffix, but # and %20": parquet,
    "t.arrow": arrow,
}


def lines_of(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    return done.stderr.decode().splitlines()


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.contract("input-s3")
def test_object_file_and_pipe_give_the_same_bytes(
    store: Store, run: Run, tmp_path: Path, customers: Path, fitted: dict[str, Path], name: str
) -> None:
    data = FORMS[name](customers.read_bytes())
    (tmp_path / name).write_bytes(data)
    url = store.put(f"forms/{name}", data)
    inputs = [((url,), b""), ((name,), b""), ((), data)]
    rows = [run("predict", fitted["full"], *args, stdin=stdin) for args, stdin in inputs]
    assert [(done.returncode, done.stderr) for done in rows] == [(0, b"")] * 3
    assert rows[0].stdout.count(b"\n") == 241
    assert len({done.stdout for done in rows}) == 1
    fits = [run("fit", "-q", "-k", "3", "-o", "-", *args, stdin=stdin) for args, stdin in inputs]
    assert [(done.returncode, done.stderr) for done in fits] == [(0, b"")] * 3
    assert len({done.stdout for done in fits}) == 1


@pytest.mark.contract("input-s3")
def test_all_commands_take_objects(
    store: Store, run: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    url = store.put("all.csv", customers.read_bytes())
    for args in (("select-k", "--k", "2:3", "--json"), ("score", fitted["diag"], "--per-row")):
        far, near = run(*args, url), run(*args, customers)
        assert (far.returncode, far.stdout) == (0, near.stdout)


@pytest.fixture
def parts(store: Store, tmp_path: Path, customers: Path) -> None:
    """The customers in three pieces, under the same names in the store and in the folder."""
    header, *rows = customers.read_bytes().splitlines(keepends=True)
    for name, piece in (("a", rows[:100]), ("b", rows[100:150]), ("x/c", rows[150:])):
        csv = b"".join([header, *piece])
        for suffix, data in ((".csv", csv), (".parquet", parquet(csv)), (".log", b"text")):
            path = tmp_path / f"parts/{name}{suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            store.put(f"parts/{name}{suffix}", data)
    for hidden in ("parts/.one.csv", "parts/.folder/one.csv"):
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_bytes(b"not,these\n1,2\n")
        store.put(hidden, b"not,these\n1,2\n")


@pytest.mark.parametrize(
    "pattern",
    [
        "parts",
        "parts/",
        "parts/*.csv",
        "parts/[ab].c?v",
        "parts/**/*.csv",
        "p*/x/*.csv",
        "parts/x*",
    ],
)
@pytest.mark.usefixtures("parts")
@pytest.mark.contract("input-s3")
def test_globs_and_folders_mean_what_they_mean_for_files(
    run: Run, fitted: dict[str, Path], pattern: str
) -> None:
    far = run("predict", fitted["full"], f"s3://data/{pattern}")
    near = run("predict", fitted["full"], pattern)
    assert (far.returncode, far.stderr) == (0, b"")
    assert far.stdout == near.stdout


@pytest.mark.parametrize(
    ("url", "code", "told"),
    [
        ("s3://data/none.csv", 66, "no such object; check the bucket and the key"),
        ("s3://none/t.csv", 66, "no such object; check the bucket and the key"),
        ("s3://none/*.csv", 66, "no object matches; check the pattern"),
        ("s3://data/parts/*.tsv", 66, "no object matches; check the pattern"),
        ("s3://data/none/*.csv", 66, "no object matches; check the pattern"),
        ("s3://data//t.csv", 66, "cannot be read as the URL of an object; check it: no //"),
        ("s3://", 66, "names no bucket; write s3://BUCKET/KEY"),
        ("s3://da*/t.csv", 66, "names no bucket; write s3://BUCKET/KEY"),
        ("s3://data/parts/x/c.log", 65, "no column 'spend'"),
    ],
)
@pytest.mark.usefixtures("parts")
def test_what_cannot_be_found_is_named(
    run: Run, fitted: dict[str, Path], url: str, code: int, told: str
) -> None:
    done = run("predict", fitted["full"], url)
    assert (done.returncode, done.stdout) == (code, b"")
    (line,) = lines_of(done)
    assert line.startswith(f"gmmcli: {url}: ")
    assert told in line


def test_a_folder_without_parquet_is_told(store: Store, run: Run, fitted: dict[str, Path]) -> None:
    store.put("texts/t.csv", b"a\n1\n")
    done = run("predict", fitted["full"], "s3://data/texts")
    assert done.returncode == 65
    (line,) = lines_of(done)
    assert "s3://data/texts: a folder without Parquet files" in line


def test_damaged_parquet_is_bad_data(store: Store, run: Run, fitted: dict[str, Path]) -> None:
    done = run("predict", fitted["full"], store.put("bad.parquet", b"PAR1" + b"\xff" * 100_000))
    assert done.returncode == 65
    (line,) = lines_of(done)
    assert line.startswith("gmmcli: s3://data/bad.parquet: cannot be read as parquet")


def test_without_credentials_only_what_is_public_is_read(
    store: Store, run: Run, customers: Path, fitted: dict[str, Path]
) -> None:
    data = customers.read_bytes()
    private = store.put("private.csv", data)
    public = store.put("public.csv", data, **{"x-amz-acl": "public-read"})
    env = {name: value for name, value in store.env.items() if name not in KEYS}
    done = run("predict", fitted["full"], private, env=env)
    assert (done.returncode, done.stdout) == (66, b"")
    (line,) = lines_of(done)
    assert line.startswith(f"gmmcli: {private}: access denied; check AWS_ACCESS_KEY_ID and ")
    done = run("predict", fitted["full"], public, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == run("predict", fitted["full"], customers).stdout


def test_an_endpoint_that_is_not_there(store: Store, run: Run, fitted: dict[str, Path]) -> None:
    with socket.socket() as reserved:  # and nobody listens
        reserved.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        started = time.monotonic()
        env = store.env | {"AWS_ENDPOINT_URL_S3": endpoint}  # which wins
        done = run("predict", fitted["full"], "s3://data/t.csv", env=env)
    assert time.monotonic() - started < 30
    assert (done.returncode, done.stdout) == (66, b"")
    (line,) = lines_of(done)
    assert line.startswith(f"gmmcli: s3://data/t.csv: cannot reach {endpoint}: ")


def test_an_endpoint_is_a_url(store: Store, run: Run, fitted: dict[str, Path]) -> None:
    env = store.env | {"AWS_ENDPOINT_URL": "localhost:9000"}
    done = run("predict", fitted["full"], "s3://data/t.csv", env=env)
    assert done.returncode == 2
    (line,) = lines_of(done)
    assert line.startswith("gmmcli: AWS_ENDPOINT_URL: 'localhost:9000' is not the URL of a store")


@pytest.fixture(scope="module")
def large() -> bytes:
    """12 MB: many more bytes than the reads that are under way and the pipe hold."""
    X = np.random.default_rng(5).normal(size=(320_000, 2))
    lines = [f"{a:.15f},{b:.15f}\n" for a, b in X]
    return "".join(["spend,share\n", *lines]).encode()


def test_many_blocks(
    store: Store, run: Run, tmp_path: Path, fitted: dict[str, Path], large: bytes
) -> None:
    (tmp_path / "large.csv").write_bytes(large)
    url = store.put("large.csv", large)
    far, near = (run("predict", fitted["full"], path) for path in (url, "large.csv"))
    assert (far.returncode, far.stderr) == (0, b"")
    assert far.stdout == near.stdout


def test_small_blocks(store: Store, customers: Path) -> None:
    url = store.put("small.csv.gz", gzip.compress(customers.read_bytes()))
    code = (
        "import sys; from gmmcli.tables import Format, read_features\n"
        "for size in (100, 1 << 20):\n"
        "    X = read_features(sys.argv[1:], Format(), block_size=size).chunks\n"
        "    print(len(X) > 1, b''.join(row.tobytes() for x in X for row in x.T.copy()).hex())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, url], env=store.env, capture_output=True, check=True
    )
    (many, small), (one, whole) = (line.split() for line in done.stdout.splitlines())
    assert (many, one) == (b"True", b"False")
    assert small == whole


@pytest.mark.parametrize("form", ["csv", "csv.zst", "parquet"])
def test_a_store_that_goes_away(
    mortal: Store, fitted: dict[str, Path], large: bytes, form: str
) -> None:
    make = {"csv": bytes, "csv.zst": zstd, "parquet": parquet}[form]
    url = mortal.put(f"large.{form}", make(large))
    with subprocess.Popen(
        [*GMMCLI, "predict", fitted["full"], url],
        env=mortal.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1)
        mortal.close()
        process.stdout.read()
        told = process.stderr.read().decode()
    assert process.returncode == 74
    assert told.startswith(f"gmmcli: {url}: cannot read: ")
    assert told.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_signals_are_heard_while_a_store_is_silent(
    mortal: Store,
    tmp_path: Path,
    fitted: dict[str, Path],
    large: bytes,
    form: str,
    number: signal.Signals,
) -> None:
    url = mortal.put(f"large.{form}", {"csv": bytes, "parquet": parquet}[form](large))
    folder = tmp_path / "out"
    folder.mkdir()
    with subprocess.Popen(
        [*GMMCLI, "predict", fitted["full"], url, "-o", folder / "out.csv"],
        env=mortal.env,
        stderr=subprocess.PIPE,
    ) as process:
        while not list(folder.iterdir()):
            assert process.poll() is None
            time.sleep(0.01)
        mortal.process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(number)
        started = time.monotonic()
        assert process.wait(20) == -number
        assert time.monotonic() - started < 4
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert not list(folder.iterdir())


def test_a_closed_pipe_is_quiet(store: Store, fitted: dict[str, Path], large: bytes) -> None:
    url = store.put("head.csv", large)
    line = f'"$@" predict {fitted["full"]} {url} | head -1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *GMMCLI],
        env=store.env | {"PATH": os.environ["PATH"]},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (141, b"")
    assert done.stdout == b"spend,share,cluster,probability\n"
