"""In a pipe with the tools that people have: Miller, csvkit, jq, and what compresses."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def tool(name: str) -> pytest.MarkDecorator:
    missing = shutil.which(name) is None
    return pytest.mark.skipif(missing, reason=f"{name} is not installed: make tools installs it")


@pytest.fixture
def here(tmp_path: Path, customers: Path, fitted: dict[str, Path]) -> Path:
    """The test's folder, with t.csv, m.json, and out.csv that predict makes of them."""
    (tmp_path / "t.csv").write_bytes(customers.read_bytes())
    (tmp_path / "m.json").write_bytes(fitted["full"].read_bytes())
    return tmp_path


@pytest.fixture
def out(run_cli: Run, here: Path) -> str:
    """What predict says of t.csv."""
    return run_cli(["predict", "m.json", "t.csv"]).stdout


def sizes(out: str) -> dict[str, int]:
    return Counter(line.split(",")[3] for line in out.splitlines()[1:])


@tool("mlr")
def test_miller_counts_clusters(run_shell: Run, out: str) -> None:
    done = run_shell("gmmcli predict m.json t.csv | mlr --icsv --ojson count -g cluster")
    counted = {str(row["cluster"]): row["count"] for row in json.loads(done.stdout)}
    assert (counted, done.stderr) == (sizes(out), "")


@tool("mlr")
def test_miller_before_and_after_by_tabs(run_shell: Run, out: str) -> None:
    line = "mlr --icsv --otsv cat t.csv | gmmcli predict m.json -d '\\t' | mlr --itsv --ocsv cat"
    assert run_shell(line).stdout == out


@tool("csvcut")
def test_csvkit_chooses_columns(run_shell: Run, out: str) -> None:
    done = run_shell("csvcut -c share,spend t.csv | gmmcli predict m.json | csvcut -c cluster")
    assert done.stdout.split()[1:] == [line.split(",")[3] for line in out.splitlines()[1:]]


@tool("jq")
@pytest.mark.usefixtures("here")
def test_jq_reads_documents_and_logs(run_shell: Run) -> None:
    fit = "gmmcli fit t.csv -k 3"
    bic = run_shell(f"{fit} --json -q | jq .bic").stdout
    assert bic == run_shell("jq .bic m.json").stdout
    assert float(bic) < 0 or float(bic) > 0
    weights = run_shell("gmmcli inspect m.json --json | jq '.weights | add'").stdout
    assert float(weights) == pytest.approx(1)
    log = f"{fit} -o n.json --log-format json 2>&1 >/dev/null | jq -r 'select(.seconds).event'"
    assert run_shell(log).stdout == "done\n"
    best = "gmmcli -q select-k t.csv --k 1:3 --json | jq -c '[.best.n_components, .criterion]'"
    assert run_shell(best).stdout == '[3,"bic"]\n'


PACKERS = {
    "gz": ("gzip", "gzip -dc"),
    "bz2": ("bzip2", "bzip2 -dc"),
    "xz": ("xz", "xz -dc"),
    "zst": ("zstd", "zstd -qdc"),
}
packers = pytest.mark.parametrize(
    "suffix", [pytest.param(suffix, marks=tool(name)) for suffix, (name, _) in PACKERS.items()]
)


@packers
def test_packed_by_the_tool_is_read_however_it_comes(run_shell: Run, out: str, suffix: str) -> None:
    pack = PACKERS[suffix][0] + " -c"
    made = run_shell(
        f"head -100 t.csv | {pack} > a; tail -n +101 t.csv | {pack} > b; cat a b > t.{suffix}"
    )
    assert made.returncode == 0
    for line in (
        f"gmmcli predict m.json t.{suffix}",
        f"cp t.{suffix} wrong.csv; gmmcli predict m.json wrong.csv",
        f"cat t.{suffix} | gmmcli predict m.json",
        f"gmmcli predict m.json < t.{suffix}",
    ):
        done = run_shell(line)
        assert (done.stdout, done.stderr) == (out, "")


@packers
def test_packed_by_us_is_read_by_the_tool(run_shell: Run, out: str, suffix: str) -> None:
    line = f"gmmcli predict m.json t.csv -o o.csv.{suffix} && {PACKERS[suffix][1]} o.csv.{suffix}"
    done = run_shell(line)
    assert (done.stdout, done.stderr) == (out, "")


@pytest.mark.usefixtures("here")
def test_sort_join_and_awk(run_shell: Run, out: str) -> None:
    line = "gmmcli predict m.json t.csv | tail -n +2 | LC_ALL=C sort -t, -k4,4n -s | cut -d, -f4"
    done = run_shell(line + " | uniq -c | awk '{print $2, $1}'")
    assert dict(line.split() for line in done.stdout.splitlines()) == {
        cluster: str(size) for cluster, size in sizes(out).items()
    }
