"""Tables as people have them, small ones and wide ones: whole processes against the script that a
user of scikit-learn, or of mclust, would write. CPU seconds of one thread.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.pairs import Pairs, in_turn
from benchmarks.sections import Row, figures
from benchmarks.workloads import Array

GRID = """
import sys, warnings, pandas
from sklearn.mixture import GaussianMixture
warnings.simplefilter("ignore")
X = pandas.read_csv(sys.argv[1]).to_numpy()
print(min(
    GaussianMixture(k, covariance_type=family, random_state=0).fit(X).bic(X)
    for family in ("full", "tied", "diag", "spherical")
    for k in range(1, 10)
))
"""
FIT = """
import json, sys, warnings, pandas
from sklearn.mixture import GaussianMixture
warnings.simplefilter("ignore")
X = pandas.read_csv(sys.argv[1]).to_numpy()
X = (X - X.mean(axis=0)) / X.std(axis=0)
K, family, settings = int(sys.argv[2]), sys.argv[3], json.loads(sys.argv[4])
fitted = GaussianMixture(K, covariance_type=family, random_state=0, max_iter=1000, **settings)
print(fitted.fit(X).score(X))
"""
MCLUST = """
library(mclust)
fitted <- Mclust(read.csv(commandArgs(TRUE)[1]), G = 1:9, verbose = FALSE)
cat(-fitted$bic, "\\n")
"""
ALONE = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL")}


class Fitted(NamedTuple):
    """A table, what to fit to it, and the settings of scikit-learn that it is held against."""

    table: str
    n_components: int
    covariance: str
    settings: str


DEFAULTS = [
    Fitted("iris", 3, "full", '{"n_init": 10}'),
    Fitted("wine", 3, "full", '{"n_init": 10}'),
    Fitted("heavy 1000x4", 4, "full", '{"n_init": 10}'),
    Fitted("heavy 5000x8", 4, "full", '{"n_init": 10}'),
]
WIDE = [
    Fitted("round 500x256", 4, "tied", '{"tol": 1e-6}'),
    Fitted("round 2000x384", 8, "diag", '{"tol": 1e-6, "n_init": 5}'),
    Fitted("round 5000x64", 8, "full", '{"tol": 1e-6}'),
    Fitted("overlapping 5000x64", 8, "full", '{"tol": 1e-6}'),
    Fitted("round 5000x128", 4, "full", '{"tol": 1e-6}'),
]


def small(folder: Path, repeats: int) -> Iterator[Row]:
    """A choice of K from 1 to 9 in four families, whole processes: CPU seconds, and BIC.

    The peers are a script with 36 fits of scikit-learn (n_init=1), and mclust's 14 models where it
    is installed.
    """
    yield ("table", "peer", "gmmcli s", "peer s", "times as fast", "gmmcli BIC", "peer BIC")
    with tempfile.TemporaryDirectory() as scratch:
        scripts = {"scikit-learn": [sys.executable, _script(scratch, "grid.py", GRID)]}
        if (r := shutil.which("Rscript")) and not subprocess.run(
            [r, "-e", "library(mclust)"]
        ).returncode:
            scripts["mclust"] = [r, _script(scratch, "grid.R", MCLUST)]
        for name in ("iris", *(f"groups {shape}" for shape in SHAPES)):
            table = csv(name, folder)
            ours = [*TOOL, "select-k", table, "--k", "1:9", "--format", "csv"]
            ours += ["--covariance", "full,tied,diag,spherical", "--threads", "1"]
            for peer, script in scripts.items():
                pairs, mine, theirs = _compared(ours, [*script, table], repeats)
                yield (
                    name,
                    peer,
                    *figures(pairs, 1),
                    f"{_lowest_bic(mine):.2f}",
                    f"{float(theirs):.2f}",
                )
    if "mclust" not in scripts:
        yield ("", "mclust: not here (Debian's r-cran-mclust)", *[""] * 5)


SHAPES = ("150x8", "1000x4", "1000x8", "5000x4", "5000x8")


def defaults(folder: Path, repeats: int) -> Iterator[Row]:
    """Default fits of small tables, whole processes: CPU seconds, and log-likelihoods a row.

    Both on standardised columns; scikit-learn with ten starts.
    """
    yield from _fits(DEFAULTS, folder, repeats)


def wide(folder: Path, repeats: int) -> Iterator[Row]:
    """Default fits of tables with many columns, whole processes: CPU seconds, and log-likelihoods.

    Both on standardised columns.
    """
    yield from _fits(WIDE, folder, repeats)


def _fits(fits: list[Fitted], folder: Path, repeats: int) -> Iterator[Row]:
    yield (
        *("table", "components", "scikit-learn with", "gmmcli s", "peer s", "times as fast"),
        *("gmmcli nats a row", "peer nats a row"),
    )
    with tempfile.TemporaryDirectory() as scratch:
        script = _script(scratch, "fit.py", FIT)
        for name, K, family, settings in fits:
            table, model = csv(name, folder), f"{scratch}/m.json"
            ours = [*TOOL, "fit", table, "-k", str(K), "--covariance", family, "--threads", "1"]
            ours += ["-o", model]
            theirs = [sys.executable, script, table, str(K), family, settings]
            pairs, _, height = _compared(ours, theirs, repeats)
            mine = _height(model, table)
            with_ = settings.strip("{}").replace('"', "").replace(": ", "=")
            yield (
                *(name, f"{K} {family}", with_, *figures(pairs, 1)),
                *(f"{mine:.4f}", f"{float(height):.4f}"),
            )


TOOL = [sys.executable, "-m", "gmmcli", "-q"]


def _compared(ours: list[str], theirs: list[str], repeats: int) -> tuple[Pairs, str, str]:
    """CPU seconds of both in turn, and what they printed last."""
    printed: dict[str, str] = {}

    def timed(command: list[str], who: str) -> Callable[[], float]:
        def run() -> float:
            seconds, printed[who] = cpu(command)
            return seconds

        return run

    pairs = in_turn(timed(ours, "ours"), timed(theirs, "theirs"), repeats)
    return pairs, printed["ours"], printed["theirs"]


def cpu(command: list[str]) -> tuple[float, str]:
    """CPU seconds of a process on one thread, user and system, and its standard output."""
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | ALONE,
    ) as process:
        assert process.stdout is not None
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime, printed


def _script(folder: str, name: str, text: str) -> str:
    path = Path(folder, name)
    path.write_text(text)
    return str(path)


def csv(name: str, folder: Path) -> str:
    """The path of a table, made once and kept in the folder."""
    path = folder / f"{name.replace(' ', '-')}.csv"
    if not path.exists():
        X = made(name)
        header = ",".join(f"f{j}" for j in range(X.shape[1]))
        np.savetxt(path, X, delimiter=",", header=header, comments="")
    return str(path)


def made(name: str) -> Array:
    """The rows (n, d) of a table.

    `groups`: four of any shape. `round`: as many as components are fitted to it, of unit
    covariance. `overlapping`: eight near each other, of unequal covariances. `heavy`: four groups
    of a t distribution with 3 degrees of freedom, with correlated columns.
    """
    kind, _, shape = name.partition(" ")
    if kind in ("iris", "wine"):
        from sklearn import datasets

        return np.asarray(getattr(datasets, f"load_{kind}")().data, dtype=float)
    n, d = map(int, shape.split("x"))
    rng = np.random.default_rng([n, d])
    K = next((f.n_components for f in WIDE if f.table == name), 4)
    label = rng.integers(K, size=n)
    z = rng.normal(size=(n, d))
    if kind == "round":
        return z + rng.normal(size=(K, d))[label] * 5.0 / np.sqrt(2 * d) * 2.0
    spread = 1.0 if kind == "overlapping" else 3.0
    if kind == "heavy":
        z /= np.sqrt(rng.chisquare(3, size=n) / 3)[:, None]
    mixing = rng.normal(size=(K, d, d)) / np.sqrt(d)
    return spread * rng.normal(size=(K, d))[label] + np.einsum("nij,nj->ni", mixing[label], z)


def _lowest_bic(table: str) -> float:
    """The lowest BIC of a table of candidates, as CSV."""
    head, *lines = table.strip().splitlines()
    column = head.split(",").index("bic")
    return min(float(text) for line in lines if (text := line.split(",")[column]))


def _height(model: str, table: str) -> float:
    """The mean log-likelihood of the rows of a table on standardised columns."""
    import pandas

    import gmmcli

    X = pandas.read_csv(table).to_numpy()
    height = float(gmmcli.load(model).summary["mean_log_likelihood"])
    return height + float(np.log(X.std(axis=0)).sum())
