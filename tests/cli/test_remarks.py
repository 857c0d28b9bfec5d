"""Warnings and notes: beside the table, in --json, on stderr, under -q, and what --strict makes of
them.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from terminals import on_a_terminal

Run = Callable[..., subprocess.CompletedProcess[str]]
COLLAPSE = (
    "1 of 2 components collapsed (component 1: 30 rows, flat in 'a', 'b'); "
    "try -k 1 or --covariance tied"
)
AS_IT_IS = ("--reg-covar", "1e-30")
"""Keeps a search from beginning again with a higher floor, where everything collapsed."""
FIT = ("fit", "--restarts", "3", "-k", "2", *AS_IT_IS)
SELECT = ("select-k", "--restarts", "3", "--covariance", "full", *AS_IT_IS)
MENDS = [["-k", "1"], ["--covariance", "tied"]]


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 rows of a bell, and 30 beside it whose b is half of their a; a text column."""
    rng = np.random.default_rng(2)
    rows = np.concatenate([rng.normal((0, 9, 0), 1, (60, 3)), rng.normal((9, 0, 0), 1, (30, 3))])
    rows[60:, 1] = rows[60:, 0].round(6) / 2
    path = tmp_path_factory.mktemp("flat") / "flat.csv"
    lines = [",".join(f"{value:.7f}" for value in row) + ",x\n" for row in rows]
    path.write_text("a,b,c,name\n" + "".join(lines))
    return path


@pytest.mark.contract("json-warnings", "json-notes")
def test_a_collapse_names_components_columns_and_options(run_cli: Run, flat: Path) -> None:
    done = run_cli([*FIT, flat, "-o", "m.json"])
    assert f"gmmcli: warning: {COLLAPSE}\n" in done.stderr
    assert f"\nwarning: {COLLAPSE}\n" in done.stdout
    said = json.loads(run_cli([*FIT, flat, "--json"]).stdout)
    assert said["warnings"] == [COLLAPSE]
    assert said["notes"] == ["columns left out: name (no numbers)"]
    assert said["collapsed"] == [1]
    inspected = run_cli(["inspect", "m.json"])
    assert f"\nwarning: {COLLAPSE}\n" in inspected.stdout
    assert json.loads(run_cli(["inspect", "m.json", "--json"]).stdout)["warnings"] == [COLLAPSE]


@pytest.mark.parametrize("mend", MENDS, ids=" ".join)
def test_each_option_that_a_collapse_suggests_mends_it(
    run_cli: Run, flat: Path, mend: list[str]
) -> None:
    assert " ".join(mend) in COLLAPSE
    done = run_cli([*FIT, flat, *mend, "--strict", "--json", "-q"])
    said = json.loads(done.stdout)
    assert (done.returncode, done.stderr, said["warnings"]) == (0, "", [])
    bell = max(said["means"], key=lambda mean: -mean[0] if said["n_components"] == 2 else 0)
    assert bell[0] == pytest.approx(0 if said["n_components"] == 2 else 3, abs=0.5)


def test_a_ridge_that_was_given_is_not_advised(run_cli: Run) -> None:
    args = [*FIT, "--covariance", "spherical", "--scale", "none", "--json", "-q"]
    done = run_cli([*args, "--reg-covar", "0.1"], stdin="x\n9999\n0\n")
    assert json.loads(done.stdout)["covariances"] == [[0.1], [0.1]]
    assert json.loads(done.stdout)["warnings"] == [
        "2 of 2 components collapsed (component 0: 1 row; component 1: 1 row); "
        "try -k 1 or --covariance tied"
    ]


def test_a_column_that_no_component_can_do_with_is_to_go(run_cli: Run) -> None:
    numbers = np.random.default_rng(0).normal(size=(40, 2))
    rows = [f"{a},{b},{2 * a - b}" for a, b in numbers.tolist()]
    fit = ["fit", "-k", "1", "-q"]
    done = run_cli([*fit, "--json"], stdin="\n".join(["a,b,a b", *rows]))
    [collapse, *_] = json.loads(done.stdout)["warnings"]
    assert re.search(r"flat\); try -x 'a b' or --reg-covar 0\.01$", collapse)
    rest = run_cli([*fit, "-x", "a b", "--strict"], stdin="\n".join(["a,b,a b", *rows]))
    assert rest.returncode == 0


@pytest.mark.contract("must-1-quiet-collapse")
def test_quiet_tells_of_a_collapse_only_where_a_model_is_written(run_cli: Run, flat: Path) -> None:
    quiet = [*FIT, flat, "-q"]
    assert run_cli(quiet).stderr == ""
    for output in ("m.json", "-"):
        assert run_cli([*quiet, "-o", output]).stderr == f"gmmcli: warning: {COLLAPSE}\n"
    assert run_cli([*FIT, flat, "-k", "1", "-q", "-o", "m.json"]).stderr == ""
    select = [*SELECT, flat, "--k", "2", "-q"]
    done = run_cli(select)
    assert done.stderr == ""
    assert done.stdout.endswith(
        f"\nwarning: {COLLAPSE}\nnote: columns left out: name (no numbers)\n"
    )
    assert run_cli([*select, "-o", "m.json"]).stderr == f"gmmcli: warning: {COLLAPSE}\n"


@pytest.mark.contract("exit-3-collapsed")
def test_strict_is_3_for_what_has_collapsed(run_cli: Run, flat: Path) -> None:
    for args in ([*FIT], [*SELECT, "--k", "2"]):
        done = run_cli([*args, flat, "--strict", "-q"])
        assert done.returncode == 3
        assert done.stderr == (
            "gmmcli: collapsed, which --strict does not allow; give -k a smaller number\n"
        )
        assert run_cli([*args, flat, "-q"]).returncode == 0
    # One that collapsed and was passed over is no reason.
    args = [*SELECT, flat, "--k", "1:2", "--strict", "-q"]
    done = run_cli(args)
    assert (done.returncode, done.stderr) == (0, "")


def test_notes_of_a_selection_stand_in_every_form_also_with_q(run_cli: Run, flat: Path) -> None:
    args = [*SELECT, flat, "--k", "1:2", "-q"]
    notes = json.loads(run_cli([*args, "--json"]).stdout)["notes"]
    assert notes[0] == "columns left out: name (no numbers)"
    assert any(text.startswith("1 of 2 candidates collapsed") for text in notes)
    done = run_cli(args)
    assert done.stderr == ""
    assert [f"note: {text}" for text in notes] == done.stdout.splitlines()[-len(notes) :]
    edge = json.loads(run_cli([*args, "--k", "1:1", "--json"]).stdout)
    assert edge["notes"] == notes[:1]


def test_nothing_is_said_twice_on_one_terminal(flat: Path) -> None:
    for args in ([*FIT], [*FIT, "-o", "-"]):
        written = on_a_terminal([*args, "flat.csv"], flat.parent, {"TERM": "xterm"})
        assert len(re.findall("components\\s+collapsed", written)) == 1 + ("-" in args)
        assert written.count("no numbers") == 1


def test_nothing_is_said_twice_in_one_pipe(run_shell: Run, flat: Path) -> None:
    select = f"gmmcli {' '.join(SELECT)} {flat} --k 1:2"
    done = run_shell(f"{select} 2>&1 | cat")
    assert done.stdout.count("collapsed onto") == 1
    assert done.stdout.count("no numbers") == 1
    apart = run_shell(select)
    assert apart.stdout.count("collapsed onto") == apart.stderr.count("collapsed onto") == 1


def test_a_terminal_of_80_columns_gets_no_wider_line(flat: Path) -> None:
    args = ["select-k", "flat.csv", "--k", "1:2", "--restarts", "3", "-q", *AS_IT_IS]
    written = on_a_terminal(args, flat.parent, {"TERM": "dumb", "COLUMNS": "80"})
    lines = written.replace("\r", "").splitlines()
    assert max(map(len, lines)) <= 80
    assert {"covariance", "n_components", "bic", "Δbic", "note"} <= set(lines[1].split())
    assert any(line.startswith("no room for iterations, aicc") for line in lines)


@pytest.mark.parametrize("name", ["is new", "a,b", "x*", "-flag", "it's"])
def test_what_a_note_says_to_type_does_what_it_says(
    name: str,
    run_cli: Run,
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(5)
    normal = rng.normal(size=300) + 6 * (rng.random(300) < 0.5)
    frame = pd.DataFrame({"x": normal, name: (rng.random(300) < 0.3).astype(int), "xy": normal**2})
    frame.to_csv(tmp_path / "t.csv", index=False)
    done = run_cli(["fit", "t.csv", "-k", "2"])
    (note,) = (line for line in done.stderr.splitlines() if "two values" in line)
    option = shlex.split(note[note.index("-x ") :])
    done = run_cli(["fit", "t.csv", "-k", "2", *option, "--json"])
    assert done.returncode == 0, done.stderr
    assert "two values" not in done.stderr
    assert json.loads(done.stdout)["columns"] == ["x", "xy"]
