"""`gmmcli accumulate` and `maximize`: EM by hand over parts of the rows."""

from __future__ import annotations

import itertools
import json
import shlex
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

import terminals
from commands import COMMAND, run_in

N_SHARDS, N_ROWS = 4, 2400
FAMILIES = ["full", "tied", "spherical", "EVI"]
OTHERS = ["diag", "EII", "EEI", "VEI"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four parts of a table of three groups, one of them with weights."""
    folder = tmp_path_factory.mktemp("shards")
    rng = np.random.default_rng(0)
    group = rng.integers(3, size=N_ROWS)
    X = np.array([[0, 0], [3, -4], [9, 1]])[group] + rng.normal(size=(N_ROWS, 2)) * [1.0, 2.0]
    for part, rows in enumerate(np.array_split(X, N_SHARDS)):
        lines = [f"{a!r},{b!r},{1 + part % 3}" for a, b in np.exp(rows / 9).tolist()]
        (folder / f"part-{part}.csv").write_text("\n".join(["a,b,w", *lines]) + "\n")
    return folder


def first_fit(folder: Path, *options: str) -> None:
    args = ["fit", "part-0.csv", "-c", "a,b", "-k", "3", "--restarts", "2", "-q", "-o", "m.json"]
    assert run_in(folder, [*args, *options]).returncode == 0


def accumulated(folder: Path, *options: str) -> list[str]:
    """The files of all parts."""
    names = []
    for part in range(N_SHARDS):
        names.append(f"s{part}.npz")
        args = ["accumulate", "m.json", f"part-{part}.csv", "-o", names[-1]]
        done = run_in(folder, [*args, *options])
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return names


def numbers(path: Path) -> list[np.ndarray]:
    document = json.loads(path.read_text())
    return [np.array(document[key]) for key in ("weights", "means", "covariances")]


def require_close(one: Path, other: Path) -> None:
    for a, b in zip(numbers(one), numbers(other), strict=True):
        assert np.abs(a - b).max() <= 1e-12 * np.abs(b).max()


@pytest.mark.contract("accumulate", "maximize")
@pytest.mark.parametrize(
    "options",
    [
        *(["--covariance", name] for name in FAMILIES),
        *(pytest.param(["--covariance", name], marks=pytest.mark.slow) for name in OTHERS),
        ["--transform", "log=a,b"],
        ["--covariance", "spherical", "--scale", "none"],
        ["--weight", "w"],
    ],
    ids=lambda options: " ".join(options),
)
def test_one_round_is_one_of_plain_em(made: Path, options: list[str]) -> None:
    first_fit(made, *options)
    weight = options if "--weight" in options else []
    names = accumulated(made, *weight)
    assert run_in(made, ["maximize", *names, "-q", "-o", "next.json"]).returncode == 0
    args = ["fit", "part-*.csv", "-c", "a,b", "-k", "3", "--init", "m.json", "--max-iter", "1"]
    more = [] if options[0] == "--transform" else options
    transform = options if options[0] == "--transform" else []
    fit = [*args, "--acceleration", "none", *more, *transform, "-q", "-o", "fit.json"]
    assert run_in(made, fit).returncode == 0
    require_close(made / "next.json", made / "fit.json")


@pytest.mark.contract("accumulate", "maximize")
def test_the_order_and_who_ran_them_have_no_say(made: Path) -> None:
    first_fit(made)
    names = accumulated(made)
    bytes_of = [(made / name).read_bytes() for name in names]
    program = shlex.join(COMMAND)
    line = f"ls part-*.csv | shuf | xargs -P 2 -I F {program} accumulate m.json F -o F.npz"
    subprocess.run(["bash", "-c", line], cwd=made, check=True)
    assert [(made / f"part-{k}.csv.npz").read_bytes() for k in range(N_SHARDS)] == bytes_of
    for output, order in (
        ("a.json", names),
        ("b.json", names[::-1]),
        ("c.json", names[3:] + names[:3]),
    ):
        assert run_in(made, ["maximize", *order, "-q", "-o", output]).returncode == 0
    assert (made / "a.json").read_bytes() == (made / "b.json").read_bytes()
    assert (made / "a.json").read_bytes() == (made / "c.json").read_bytes()
    assert run_in(made, ["accumulate", "m.json", "part-*.csv", "-o", "all.npz"]).returncode == 0
    assert run_in(made, ["maximize", "all.npz", "-q", "-o", "whole.json"]).returncode == 0
    require_close(made / "a.json", made / "whole.json")
    assert (made / "all.npz").stat().st_size == (made / "s0.npz").stat().st_size


@pytest.mark.contract("maximize")
@pytest.mark.slow
def test_rounds_are_plain_em_and_never_fall(made: Path) -> None:
    first_fit(made, "--max-iter", "1")
    (made / "r.json").write_bytes((made / "m.json").read_bytes())
    heights, rounds = [], 12
    for _ in range(rounds):
        run_in(made, ["accumulate", "r.json", "part-[01].csv", "-o", "x.npz"])
        run_in(made, ["accumulate", "r.json", "part-[23].csv", "-o", "y.npz"])
        done = run_in(made, ["maximize", "y.npz", "x.npz", "-o", "r.json", "--log-format", "json"])
        (line,) = done.stderr.splitlines()
        heights.append(json.loads(line)["mean_log_likelihood"])
    assert all(after >= before - 1e-12 for before, after in itertools.pairwise(heights))
    args = [
        "fit",
        "part-*.csv",
        "-c",
        "a,b",
        "-k",
        "3",
        "--init",
        "m.json",
        "--max-iter",
        str(rounds),
    ]
    more = ["--tol", "1e-300", "--param-tol", "1e-300", "--acceleration", "none", "-q"]
    assert run_in(made, [*args, *more, "-o", "fit.json"]).returncode == 0
    require_close(made / "r.json", made / "fit.json")


def test_what_comes_out_is_a_model(made: Path) -> None:
    first_fit(made)
    run_in(made, ["maximize", *accumulated(made), "-q", "-o", "next.npz"])
    done = run_in(made, ["predict", "next.npz", "part-0.csv", "--only"])
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == N_ROWS // N_SHARDS + 1
    scored = json.loads(run_in(made, ["score", "next.npz", "part-0.csv", "--json"]).stdout)
    assert scored["n_samples"] == N_ROWS // N_SHARDS


@pytest.mark.contract("shards-errors")
def test_a_terminal_gets_no_statistics(made: Path) -> None:
    first_fit(made)
    said = terminals.on_a_terminal(["accumulate", "m.json", "part-0.csv"], made, {}, code=2)
    assert said.strip() == (
        "gmmcli: statistics are no text for a terminal; name a file with -o, or a pipe"
    )


@pytest.mark.contract("shards-errors")
def test_mistakes_are_one_line(made: Path, tmp_path: Path) -> None:
    first_fit(made)
    (first, *_) = accumulated(made)
    (made / "gap.csv").write_text("a,b\n1,2\n1,\n")
    (made / "empty.csv").write_text("a,b\n")
    (made / "cut.npz").write_bytes((made / first).read_bytes()[:400])
    run_in(made, ["fit", "part-1.csv", "-c", "a,b", "-q", "-k", "3", "-o", "other.json"])
    run_in(made, ["accumulate", "other.json", "part-1.csv", "-o", "other.npz"])
    run_in(
        made,
        [
            "fit",
            "part-1.csv",
            "-c",
            "a,b",
            "-k",
            "2",
            "--algorithm",
            "kmeans",
            "-q",
            "-o",
            "k.json",
        ],
    )
    with zipfile.ZipFile(made / "hostile.npz", "w") as archive:
        archive.writestr("format.npy", b"\x93NUMPY\x01\x00\xff\xff")
    for args, code, message in (
        (["accumulate", "m.json", "gap.csv"], 65, "row 2 has a missing value"),
        (["accumulate", "m.json", "empty.csv"], 65, "there are no rows to accumulate"),
        (["accumulate", "k.json", "part-0.csv"], 2, "k-means has no E-step"),
        (["accumulate", "none.json", "part-0.csv"], 66, "none.json"),
        (["maximize", first, "other.npz"], 65, "statistics by two models"),
        (["maximize", "cut.npz"], 65, "no statistics of gmmcli accumulate, or damaged"),
        (["maximize", "hostile.npz"], 65, "no statistics of gmmcli accumulate, or damaged"),
        (["maximize", "m.json"], 65, "no statistics of gmmcli accumulate, or damaged"),
        (["maximize", "none.npz"], 66, "none.npz"),
    ):
        done = run_in(made, [*args, "-o", str(tmp_path / "x.json")])
        assert (done.returncode, done.stdout) == (code, ""), args
        assert done.stderr.count("\n") == 1
        assert message in done.stderr
        assert not (tmp_path / "x.json").exists()
