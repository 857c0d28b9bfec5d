"""`gmmcli report`: a page that says what the commands say, in one small file."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands import COMMAND, run_in

VOID = {"meta", "br", "path", "rect", "link", "img", "hr"}
ORDER = ["Why this many", "What they are", "Profile", "Pairs", "How far they overlap", "Outliers"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a model of it with its choice, a page, and what `--json` says."""
    folder = tmp_path_factory.mktemp("report")
    wine = Path(__file__).parents[2] / "sample_data" / "wine.csv"
    (folder / "t.csv").write_bytes(wine.read_bytes())
    rows = wine.read_text().splitlines()
    shifted = [re.sub(r"^[\d.]+", lambda m: str(float(m[0]) + 1), row) for row in rows[1:]]
    (folder / "new.csv").write_text("\n".join([rows[0], *shifted]) + "\n")
    args = ["select-k", "t.csv", "-c", "alcohol,flavanoids,proline", "--k", "2:4"]
    done = run_in(folder, [*args, "--stability", "4", "-q", "-o", "m.json"])
    assert done.returncode == 0, done.stderr
    for output in (["-o", "r.html"], ["--json"]):
        done = run_in(folder, ["report", "m.json", "t.csv", "--id", "cultivar", *output])
        assert (done.returncode, done.stderr) == (0, "")
    (folder / "r.json").write_text(done.stdout)
    return folder


class Outline(HTMLParser):
    """The headings, the tags, and whether each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[tuple[int, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and re.fullmatch("h[1-6]", self.open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = level, text + data


@pytest.mark.contract("report-page")
def test_the_page_is_whole_and_of_itself(made: Path) -> None:
    text = (made / "r.html").read_text()
    assert len(text) < 300_000
    outline = Outline(text)
    tags = {tag for tag, _ in outline.tags}
    assert not tags & {"script", "link", "img", "iframe", "object", "embed"}
    assert "http" not in text
    assert not re.search(r"@import|url\((?!#)", text)
    levels = [level for level, _ in outline.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    places = [[text for _, text in outline.headings].index(heading) for heading in ORDER]
    assert places == sorted(places)
    # Keys go through what can be scrolled and opened in the order of the page.
    assert {attrs["tabindex"] for _, attrs in outline.tags if "tabindex" in attrs} == {"0"}
    ids = [attrs["id"] for _, attrs in outline.tags if attrs.get("id")]
    assert len(set(ids)) == len(ids)


def test_every_picture_has_its_numbers(made: Path) -> None:
    text = (made / "r.html").read_text()
    assert text.count("<figure") == 4
    for after in text.split("</figure>")[1:]:
        assert after.lstrip().startswith("<details>")
    assert text.count("<title>") == text.count("<desc>") + 1


@pytest.mark.contract("report-json")
def test_json_says_what_the_other_commands_say(made: Path) -> None:
    said = json.loads((made / "r.json").read_text())
    inspected = run_in(made, ["inspect", "m.json", "t.csv", "--explain", "--id", "cultivar"])
    assert inspected.returncode == 0
    explained = json.loads(
        run_in(
            made, ["inspect", "m.json", "t.csv", "--explain", "--id", "cultivar", "--json"]
        ).stdout
    )
    for key in ("explanations", "overlap", "effective_clusters", "left_out", "weights", "means"):
        assert said[key] == explained[key]
    model = json.loads((made / "m.json").read_text())
    assert said["selection"] == model["selection"]
    scored = json.loads(
        run_in(made, ["score", "m.json", "t.csv", "--outliers", "0.01", "--json"]).stdout
    )
    (rows,) = said["rows"]
    assert rows["mean_log_density"] == pytest.approx(scored["mean_log_likelihood"], rel=1e-12)
    assert rows["n_outliers"] == scored["outliers"]
    told = run_in(made, ["score", "m.json", "t.csv", "--per-row", "--explain", "--only"]).stdout
    lines = [line.split(",", 1) for line in told.splitlines()[1:]]
    assert [float(row["log_density"]) for row in rows["outliers"]] == sorted(
        float(density) for density, _ in lines
    )[:10]
    assert rows["outliers"][0]["reason"] == lines[rows["outliers"][0]["number"] - 1][1]
    assert 0 < rows["sure_share"] < 1


def test_the_page_says_what_json_says(made: Path) -> None:
    said, text = json.loads((made / "r.json").read_text()), (made / "r.html").read_text()
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", text))
    assert said["sentence"] in plain
    for one in said["explanations"]:
        assert f"{one['component']} {one['name']}" in plain
        assert f"{one['n']} rows, {100 * one['share']:.1f} %" in plain
        assert f"precision {one['rule']['precision']:.3g}"[:14] in plain
        assert one["rule"]["text"] in text.replace("&lt;", "<").replace("&gt;", ">")
    for row in said["rows"][0]["outliers"]:
        assert row["reason"] in plain
        assert f"{row['log_density']:.2f}"[:5] in plain
    for win in said["selection"]["stability"]["wins"]:
        assert f"{win['wins']} chose {win['n_components']}" in plain
    assert said["reproduce"]["command"] in plain
    assert said["reproduce"]["versions"]["gmmcli"] in plain


def test_the_command_makes_the_model_again(made: Path, tmp_path: Path) -> None:
    command = json.loads((made / "r.json").read_text())["reproduce"]["command"]
    line = command.replace("gmmcli fit DATA", "fit t.csv").replace(
        "-o model.json", "-q -o again.json"
    )
    shutil.copy(made / "t.csv", tmp_path)
    done = subprocess.run(
        ["bash", "-c", f"{shlex.join(COMMAND)} {line}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    again, first = (
        json.loads(path.read_text()) for path in (tmp_path / "again.json", made / "m.json")
    )
    assert again["log_likelihood"] == pytest.approx(first["log_likelihood"], abs=1e-3)


@pytest.mark.contract("report-new")
def test_new_rows_stand_beside_the_old_and_are_held_against_the_fit(made: Path) -> None:
    args = ["report", "m.json", "t.csv", "--new", "new.csv"]
    done = run_in(made, [*args, "-o", "-"])
    assert (done.returncode, done.stderr) == (0, "")
    assert "Is new.csv like the fit?" in done.stdout
    said = json.loads(run_in(made, [*args, "--json"]).stdout)
    old, new = said["rows"]
    assert (old["name"], old["drift"]) == ("t.csv", None)
    compared = run_in(made, ["compare", "m.json", "--data", "new.csv", "--json"]).stdout
    assert new["drift"].items() <= json.loads(compared).items()
    assert new["drift"]["drift"] is True
    assert new["drift"]["words"] in re.sub("<[^>]*>", "", done.stdout)


def test_a_model_alone_has_a_page(made: Path) -> None:
    done = run_in(made, ["report", "m.json", "-o", "-"])
    assert (done.returncode, done.stderr) == (0, "")
    Outline(done.stdout)
    assert "Outliers" not in done.stdout


def test_many_columns_and_odd_names_fit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"<b>column & {j}</b> {'long ' * 12}" for j in range(200)]
    X = rng.normal(size=(600, 200)) + 4 * (np.arange(600) % 4)[:, None]
    lines = [",".join(f"{value:.3f}" for value in row) for row in X]
    (tmp_path / "t.csv").write_text("\n".join([",".join(names), *lines]) + "\n")
    run_in(tmp_path, ["fit", "t.csv", "-k", "4", "--covariance", "diag", "-q", "-o", "m.json"])
    done = run_in(tmp_path, ["report", "m.json", "t.csv", "-o", "r.html"])
    assert (done.returncode, done.stderr) == (0, "")
    text = (tmp_path / "r.html").read_text()
    assert len(text.encode()) < 300_000
    assert "<b>" not in text
    Outline(text)


@pytest.mark.slow
def test_a_million_rows_are_a_page_as_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = 4 * rng.integers(4, size=(1_000_000, 1)) + rng.normal(size=(1_000_000, 4))
    table = pa.table({f"x{j}": X[:, j] for j in range(4)})
    pq.write_table(table, tmp_path / "t.parquet")
    fit = ["fit", "t.parquet", "-k", "4", "--restarts", "2", "-q", "-o", "m.json"]
    assert run_in(tmp_path, fit).returncode == 0
    assert run_in(tmp_path, ["report", "m.json", "t.parquet", "-o", "r.html"]).returncode == 0
    assert (tmp_path / "r.html").stat().st_size < 300_000
    assert "1000000 rows" in (tmp_path / "r.html").read_text()


@pytest.mark.contract("report-errors")
@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["m.json", "t.csv"], 2, "a page needs a place; name it with -o report.html"),
        (["m.json", "-o", "-", "--json"], 2, "both for standard output; name a file with -o"),
        (["m.json", "--id", "cultivar", "-o", "x.html"], 2, "there is no DATA; name a file"),
        (["none.json", "-o", "x.html"], 66, "no such file"),
        (["m.json", "none.csv", "-o", "x.html"], 66, "none.csv"),
        (["m.json", "t.csv", "--id", "grower", "-o", "x.html"], 65, "'grower'"),
        (["m.json", "t.csv", "-o", "none/x.html"], 73, "none/x.html"),
        (["m.json", "t.csv", "-o", "t.csv"], 2, "this is an input"),
        (["m.json", "-", "--new", "-", "-o", "x.html"], 2, "can be read once"),
    ],
)
def test_mistakes_leave_one_line_and_no_page(
    made: Path, args: list[str], code: int, message: str
) -> None:
    done = run_in(made, ["report", *args])
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not (made / "x.html").exists()
