"""Mends as instructions: what a message says to type is typed, and gives the right values."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from following import options_in

Run = Callable[..., subprocess.CompletedProcess[str]]
THOUSANDS = 'a,b\n987,1\n"1,234",2\n"12,345",3\n"2,500",4\n'
BLANKS = '"a", "b", "c"\n1, "2", 5\n3, "4.5", 6\n5, "1", 9\n7, "8", 1\n'
MONEY = 'price,share,x\n"$2,013.50",12%,1\n$7.25,5%,4\n($1.00),0.5%,2\n'


@pytest.mark.contract("mends-right", "input-thousands")
@pytest.mark.parametrize("command", ["predict ab.json -o out.csv", "score ab.json", "fit -k 1"])
def test_digit_groups_are_told_and_read_as_told(
    run_cli: Run, ab: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "thousands.csv").write_text(THOUSANDS)
    done = run_cli([*command.split(), "thousands.csv", "-q"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr.startswith(
        "gmmcli: thousands.csv:3: '1,234' in column 'a' is not a number as it stands: it has digit "
        "groups of thousands; read it as 1234 with --thousands ,"
    )
    assert "--decimal" not in done.stderr
    assert not (tmp_path / "out.csv").exists()
    done = run_cli([*command.split(), "thousands.csv", "-q", *options_in(done.stderr)])
    assert (done.returncode, done.stderr) == (0, "")
    if command.startswith("predict"):
        rows = [line + ",1,1" for line in THOUSANDS.splitlines()[1:]]
        assert (tmp_path / "out.csv").read_text().splitlines()[1:] == rows
    if command.startswith("fit"):
        args = ["thousands.csv", "-k", "1", "--thousands", ",", "--json", "-q"]
        said = json.loads(run_cli(["fit", *args]).stdout)
        assert said["means"] == [[(987 + 1234 + 12345 + 2500) / 4]]


@pytest.mark.contract("columns-left-out-numbers", "must-1-quiet", "input-strip", "mends-right")
def test_a_model_does_not_lack_a_column_of_money_in_silence(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(MONEY)
    done = run_cli(["fit", "t.csv", "-k", "1", "-q", "-o", "m.json"])
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert lines == [
        "gmmcli: warning: column 'price' is left out, though it looks like numbers: '$2,013.50' "
        "has a currency sign, the brackets of negative amounts and digit groups of thousands; "
        "read it as 2013.5 with --strip '$()' --thousands ,",
        "gmmcli: warning: column 'share' is left out, though it looks like numbers: '12%' has a "
        "percent sign; read it as 12 with --strip %",
    ]
    warnings = [line.removeprefix("gmmcli: warning: ") for line in lines]
    model = json.loads((tmp_path / "m.json").read_text())
    assert (model["columns"], model["warnings"][:2]) == (["x"], warnings)
    said = run_cli(["select-k", "t.csv", "--k", "1", "-q", "--json"])
    assert (said.stderr, json.loads(said.stdout)["warnings"][:2]) == ("", warnings)
    # The options of both, each as it is told once the first is followed.
    options = options_in(lines[0])
    done = run_cli(["fit", "t.csv", "-k", "1", "-q", "-o", "m.json", *options])
    assert "with --strip '$()%'\n" in done.stderr
    options[1] = options_in(done.stderr.splitlines()[0])[1]
    done = run_cli(["fit", "t.csv", "-k", "1", "-q", "--json", *options])
    assert done.stderr == ""
    means = [(2013.5 + 7.25 - 1) / 3, 17.5 / 3, 7 / 3]
    assert json.loads(done.stdout)["means"] == [pytest.approx(means)]


@pytest.mark.contract("columns-without-numbers", "predict-bytes")
def test_numbers_in_quotes_after_a_blank_are_numbers(run_cli: Run, tmp_path: Path) -> None:
    (tmp_path / "blanks.csv").write_text(BLANKS)
    args = ["--covariance", "diag", "-q", "-o", "m.json"]
    done = run_cli(["fit", "blanks.csv", "-k", "1", *args])
    assert (done.returncode, done.stderr) == (0, "")
    model = json.loads((tmp_path / "m.json").read_text())
    assert model["columns"] == ["a", ' "b"', ' "c"']
    assert model["means"] == [pytest.approx([4, 3.875, 5.25])]
    done = run_cli(["predict", "m.json", "blanks.csv", "--only"])
    assert (done.returncode, done.stdout) == (0, "cluster,probability\n" + "0,1\n" * 4)


@pytest.mark.contract("input-foreign", "error-one-line")
@pytest.mark.parametrize("command", ["predict", "score", "predict --outliers 0.5 -o out.csv"])
def test_swapped_arguments_are_told(run_cli: Run, ab: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "my data.csv").write_text("a,b\n1,2\n")
    done = run_cli([*command.split(), "my data.csv", "ab.json"])
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr == (
        "gmmcli: my data.csv: not a gmmcli model, but ab.json is one; the model goes first: "
        "ab.json 'my data.csv'\n"
    )
    done = run_cli(["fit", "ab.json", "-k", "1"])
    assert done.returncode == 65
    assert "ab.json: this is a gmmcli model, not a table; " in done.stderr


@pytest.mark.contract("input-foreign", "exit-66-not-found", "mends-right")
def test_a_url_is_fetched_as_told(run_cli: Run, run_shell: Run, ab: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n99,98\n")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://localhost:{server.server_port}/t.csv"
        done = run_cli(["predict", ab, url])
        assert (done.returncode, done.stdout) == (66, "")
        start, _, mend = done.stderr.strip().partition("; pipe it in: ")
        assert start == f"gmmcli: {url}: http:// is not read"
        if shutil.which("curl"):
            done = run_shell(mend.replace("gmmcli ...", "gmmcli predict ab.json --only"))
            assert (done.returncode, done.stdout) == (0, "cluster,probability\n0,1\n1,1\n")
        done = run_cli(["predict", url, "t.csv"])
        assert (done.returncode, done.stderr.partition("; ")[0]) == (66, start)
        server.shutdown()


@pytest.mark.contract("mends-right")
@pytest.mark.parametrize(
    ("command", "own"),
    [
        (["predict", "--proba"], ["cluster", "probability", "p0", "p1"]),
        (["predict", "--log-density", "--prefix", "my "], ["my cluster", "my probability",
                                                           "my log_density"]),
        (["score", "--per-row"], ["log_density"]),
    ],
)  # fmt: skip
def test_a_refit_of_our_own_output_is_told(
    run_cli: Run, ab: Path, tmp_path: Path, command: list[str], own: list[str]
) -> None:
    rows = "".join(f"{i * 7 % 100},{i * i % 90}\n" for i in range(40))
    (tmp_path / "t.csv").write_text("a,b\n" + rows)
    assert run_cli([*command, ab, "t.csv", "-o", "out.csv", "-q"]).returncode == 0
    args = ["fit", "-k", "1", "--covariance", "diag", "-o", "m.json"]
    done = run_cli([*args, "out.csv"])
    assert done.returncode == 0
    model = json.loads((tmp_path / "m.json").read_text())
    assert model["columns"] == ["a", "b", *own]
    [said] = [line for line in model["warnings"] if "earlier run" in line]
    assert f"gmmcli: warning: {said}\n" in done.stderr
    assert done.stderr.count("earlier run") == 1
    assert run_cli([*args, "out.csv", "-q", *options_in(said)]).stderr == ""
    again = json.loads((tmp_path / "m.json").read_text())
    assert run_cli([*args, "t.csv", "-q"]).returncode == 0
    assert again == json.loads((tmp_path / "m.json").read_text())


@pytest.mark.contract("mends-right", "predict-name-taken", "predict-prefix")
def test_a_prefix_that_is_told_is_free(run_cli: Run, ab: Path) -> None:
    table = "a,b,gmm_cluster,cluster\n1,2,3,4\n"
    done = run_cli(["predict", ab], stdin=table)
    assert done.returncode == 65
    assert options_in(done.stderr) == ["--prefix", "gmm2_"]
    done = run_cli(["predict", ab, *options_in(done.stderr)], stdin=table)
    header = "a,b,gmm_cluster,cluster,gmm2_cluster,gmm2_probability\n"
    assert (done.returncode, done.stdout) == (0, header + "1,2,3,4,0,1\n")


@pytest.mark.contract("mends-right", "input-thousands", "input-strip", "input-comment")
def test_the_options_of_the_input_come_from_the_environment_too(run_cli: Run, ab: Path) -> None:
    env = {"GMMCLI_DELIMITER": "space", "GMMCLI_COMMENT": "%", "GMMCLI_STRIP": "$ kg"}
    env |= {"GMMCLI_THOUSANDS": ",", "GMMCLI_PREDICT_COLUMNS": "y,x"}
    table = '% made\n x  y\n"98 kg"  $1\n$0.1  "1,000"\n'
    done = run_cli(["predict", ab, "--log-density"], stdin=table, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    plain = run_cli(["predict", ab, "--log-density", "--only"], stdin="a,b\n1,98\n1000,0.1\n")
    new = [" " + line.replace(",", " ") for line in plain.stdout.splitlines()]
    rows = ["% made", *map("".join, zip(table.splitlines()[1:], new, strict=True))]
    assert done.stdout.splitlines() == rows
    done = run_cli(["predict", ab], stdin=table, env=env | {"GMMCLI_THOUSANDS": "."})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "gmmcli: GMMCLI_THOUSANDS: --thousands . is the decimal mark, too; give --decimal , as "
        "well\n"
    )
