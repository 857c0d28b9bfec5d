"""`gmmcli plot` as a process: in a terminal, in a pipe, in files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import terminals
from commands import run_in

KINDS = ["pairs", "density", "profile", "uncertainty"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, its model, a choice in both forms, and a trace."""
    folder = tmp_path_factory.mktemp("plot")
    wine = Path(__file__).parents[2] / "sample_data" / "wine.csv"
    (folder / "t.csv").write_bytes(wine.read_bytes())
    columns = ["-c", "alcohol,flavanoids,proline"]
    fit = ["fit", "t.csv", *columns, "-k", "3", "-q", "-o", "m.json", "--trace", "trace.csv"]
    assert run_in(folder, fit).returncode == 0
    choose = ["select-k", "t.csv", *columns, "--k", "1:4", "-q"]
    for name, form in (("k.csv", ["--format", "csv"]), ("k.json", ["--json"])):
        done = run_in(folder, [*choose, *form])
        (folder / name).write_text(done.stdout)
    return folder


@pytest.mark.contract("plot-terminal", "must-1-no-escape")
@pytest.mark.parametrize("kind", KINDS)
def test_a_pipe_gets_plain_text_of_80_columns(made: Path, kind: str) -> None:
    done = run_in(made, ["plot", "m.json", "t.csv", "--kind", kind])
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) < 80
    assert any("⠀" < sign <= "⣿" for sign in done.stdout) or kind != "pairs"
    assert "0 low proline" in done.stdout


@pytest.mark.contract("plot-ascii")
@pytest.mark.parametrize("args", [["m.json", "t.csv"], ["m.json"], ["k.csv"], ["trace.csv"]])
def test_poor_fonts_get_ascii(made: Path, args: list[str]) -> None:
    done = run_in(made, ["plot", *args, "--ascii"])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert done.stdout.count("|") >= 8


@pytest.mark.parametrize("columns", [80, 140])
def test_a_terminal_gets_colours_unless_they_are_not_wanted(made: Path, columns: int) -> None:
    env = {"TERM": "xterm-256color", "COLUMNS": str(columns), "LC_ALL": "C.UTF-8"}
    shown = terminals.on_a_terminal(["plot", "m.json", "t.csv"], made, env)
    assert "\x1b[34m" in shown
    assert max(len(re.sub("\x1b[^m]*m", "", line)) for line in shown.splitlines()) <= columns
    plain = terminals.on_a_terminal(["plot", "m.json", "t.csv"], made, env | {"NO_COLOR": "1"})
    assert "\x1b" not in plain


@pytest.mark.contract("plot-svg")
@pytest.mark.parametrize("kind", KINDS)
def test_svg_is_valid_and_the_same_every_time(made: Path, tmp_path: Path, kind: str) -> None:
    for name in ("a.svg", "b.svg"):
        args = ["plot", made / "m.json", made / "t.csv", "--kind", kind, "-o", tmp_path / name]
        done = run_in(tmp_path, args)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    text = (tmp_path / "a.svg").read_bytes()
    assert text == (tmp_path / "b.svg").read_bytes()
    assert ET.fromstring(text).tag.endswith("}svg")


@pytest.mark.contract("plot-image")
@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG\r\n"), ("a.pdf", b"%PDF-1.")])
@pytest.mark.parametrize("what", [["m.json", "t.csv"], ["k.json"], ["trace.csv"]])
def test_png_and_pdf_are_what_their_names_say(
    made: Path, tmp_path: Path, name: str, start: bytes, what: list[str]
) -> None:
    pytest.importorskip("matplotlib")
    done = run_in(made, ["plot", *what, "-o", tmp_path / name])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.contract("plot-image", "exit-69")
def test_without_matplotlib_one_line_says_what_to_install(made: Path, tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ImportError('not here')")
    args = ["plot", made / "m.json", "-o", tmp_path / "a.png"]
    done = run_in(
        tmp_path, args, {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    )
    assert done.returncode == 69
    assert done.stderr == (
        "gmmcli: a .png needs matplotlib; pip install 'gmmcli[plot]', or write .svg\n"
    )
    assert not (tmp_path / "a.png").exists()


LOADED = """
import sys
from gmmcli.__main__ import main
sys.argv = ["gmmcli", *sys.argv[1:]]
try:
    main()
except SystemExit:
    pass
heavy = ("matplotlib", "pandas", "scipy")
sys.stderr.write(" ".join(name for name in heavy if name in sys.modules))
"""


@pytest.mark.parametrize("output", [[], ["-o", "a.svg"]])
def test_nothing_heavy_is_loaded_for_svg_and_terminals(
    made: Path, tmp_path: Path, output: list[str]
) -> None:
    args = ["plot", made / "m.json", made / "t.csv", *output]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *args], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.contract("plot-table")
def test_a_choice_is_the_same_from_csv_and_json(made: Path) -> None:
    drawn = [run_in(made, ["plot", name]).stdout for name in ("k.csv", "k.json")]
    assert drawn[0] == drawn[1]
    assert "best" in drawn[0]
    assert "BIC by number of components" in drawn[0]
    icl = run_in(made, ["plot", "k.csv", "--criterion", "icl"]).stdout
    assert "ICL by number of components" in icl


def test_chosen_features_are_drawn(made: Path) -> None:
    done = run_in(made, ["plot", "m.json", "-c", "proline,alcohol"])
    assert done.stdout.startswith("proline and alcohol\n")
    again = run_in(made, ["plot", "m.json", "-c", "proline", "-c", "alcohol"])
    assert again.stdout == done.stdout
    assert run_in(made, ["plot", "m.json", "-c", "3,alc*"]).stdout == done.stdout
    assert run_in(made, ["plot", "m.json", "-c", "proline"]).stdout.startswith("Density of")


@pytest.mark.contract("plot-errors")
@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["m.json", "-o", "a.gif"], 2, "no picture; end it in .svg, .png, .pdf"),
        (["m.json", "-o", "m.json.svg/a.svg"], 73, "m.json.svg"),
        (["none.json"], 66, "no such file"),
        (["m.json", "-c", "colour"], 65, "there is no column 'colour'; the columns are: alcohol"),
        (["m.json", "--kind", "uncertainty"], 2, "is of rows, and there are none; name a file"),
        (["k.csv", "--criterion", "dic"], 65, "no candidate has 'dic'"),
        (["t.csv"], 65, "not a gmmcli model"),
        (["m.json", "k.csv"], 65, "k.csv"),
        (["m.json", "--kind", "pie"], 2, "'pie'"),
    ],
)
def test_mistakes_are_one_line(made: Path, args: list[str], code: int, message: str) -> None:
    done = run_in(made, ["plot", *args])
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (made / "a.gif").exists()


def test_a_damaged_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "k.csv").write_text("covariance,n_components,log_likelihood,bic\nfull,x,1,2\n")
    done = run_in(tmp_path, ["plot", "k.csv"])
    assert done.returncode == 65
    assert done.stderr.startswith("gmmcli: k.csv: ")
    (tmp_path / "k.json").write_text(json.dumps({"candidates": [{"covariance": "full"}]}))
    assert run_in(tmp_path, ["plot", "k.json"]).returncode == 65
