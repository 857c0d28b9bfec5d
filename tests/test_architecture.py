"""The arrows between the rooms, and what a command may load."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest
from importlinter import cli as importlinter

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FLOORS = {
    contract["containers"][0].removeprefix("gmmcli."): [
        floor.split(" | ") for floor in contract["layers"]
    ]
    for contract in PROJECT["tool"]["importlinter"]["contracts"]
    if contract.get("exhaustive")
}
"""The floors of each room from the top, and of the rooms themselves, `gmmcli`."""
TWO_OWNERS = {"fit", "select_k"}
"""Names that two modules may define: a command and the function of the library that it calls."""
HEAVY = ("pandas", "scipy", "rich", "threadpoolctl", "pydantic")


def loaded_by(code: str, cwd: Path) -> set[str]:
    """The modules that are loaded after some code has run in a new process."""
    tail = "\nimport sys; sys.stderr.write('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code + tail], cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def command(*arguments: str) -> str:
    return f"import sys; sys.argv = {['gmmcli', *arguments]!r}; import gmmcli.cli as c; c.main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and its model."""
    folder = tmp_path_factory.mktemp("table")
    rows = [f"{x},{x * x % 7}" for x in range(40)]
    (folder / "t.csv").write_text("\n".join(["a,b", *rows]) + "\n")
    run = [sys.executable, "-m", "gmmcli", "fit", "-q", "t.csv", "-k", "2", "-c", "a,b", "-o"]
    subprocess.run([*run, "m.json"], cwd=folder, check=True)
    subprocess.run([*run, "m.npz"], cwd=folder, check=True)
    return folder


def test_no_room_imports_what_it_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert importlinter.lint_imports(no_cache=True) == importlinter.EXIT_STATUS_SUCCESS


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = grimp.build_graph("gmmcli", exclude_type_checking_imports=True, cache_dir=None)
    imports = {m: graph.find_modules_directly_imported_by(m) for m in graph.modules}
    TopologicalSorter(imports).prepare()


def test_every_room_has_its_floors() -> None:
    rooms = {path.parent.name for path in (ROOT / "gmmcli").glob("*/__init__.py")}
    assert FLOORS.keys() == {"gmmcli", *rooms}


@pytest.mark.parametrize("room", sorted(FLOORS.keys() - {"gmmcli"}))
def test_the_floors_are_drawn_as_they_are(room: str) -> None:
    drawn = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    lines = re.search(rf"^{room}/\n((?:  .+\n)+)", drawn, re.M)
    assert lines is not None
    names = [re.split(r" {2,}", line.strip())[:-1] for line in lines[1].splitlines()]
    floor_of = {name: n for n, floor in enumerate(FLOORS[room]) for name in floor}
    assert sorted(itertools.chain(*names)) == sorted(floor_of)
    floors = [{floor_of[name] for name in line} for line in names]
    assert all(len(floor) == 1 for floor in floors)
    assert [*itertools.chain(*floors)] == sorted(itertools.chain(*floors))


@pytest.mark.parametrize("model", ["m.json", "m.npz"])
@pytest.mark.parametrize("name", ["predict", "score"])
def test_rows_of_csv_pass_without_the_heavy_libraries(name: str, model: str, folder: Path) -> None:
    loaded = loaded_by(command(name, model, "t.csv"), folder)
    assert not loaded.intersection({*HEAVY, "pyarrow.fs"})
    assert {"numpy", "pyarrow"} <= loaded


def test_a_plain_fit_of_csv_loads_no_heavy_library(folder: Path) -> None:
    loaded = loaded_by(command("fit", "t.csv", "-k", "2", "-c", "a,b"), folder)
    assert not loaded.intersection(HEAVY)


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "m.json", "t.csv", "--explain"],
        ["predict", "m.json", "t.csv", "--outliers", "0.1", "--explain"],
        ["score", "m.json", "t.csv", "--per-row", "--explain"],
        ["select-k", "t.csv", "--k", "1:2", "-c", "a,b", "--stability", "2"],
        ["plot", "m.json", "t.csv"],
        ["report", "m.json", "t.csv", "-o", "r.html"],
    ],
    ids=" ".join,
)
def test_scipy_is_for_comparing_alone(folder: Path, arguments: list[str]) -> None:
    loaded = loaded_by(command(*arguments), folder)
    assert not loaded.intersection(HEAVY)


def test_help_loads_no_numpy(folder: Path) -> None:
    loaded = loaded_by(command("fit", "--help"), folder)
    assert not loaded.intersection({*HEAVY, "numpy", "pyarrow"})


def test_importing_the_library_costs_nothing(folder: Path) -> None:
    loaded = loaded_by("import gmmcli; assert gmmcli.__version__", folder)
    assert not loaded.intersection({*HEAVY, "numpy", "pyarrow", "typer"})


def defined(source: str) -> Iterator[str]:
    """The names of classes, functions and constants at the top of a module."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for part in itertools.chain(*map(ast.walk, targets)):
                if isinstance(part, ast.Name):
                    yield part.id


def test_a_name_has_one_owner() -> None:
    """But for private ones, and type variables of one letter."""
    owners = defaultdict(set)
    for path in (ROOT / "gmmcli").rglob("*.py"):
        for name in defined(path.read_text(encoding="utf-8")):
            if not name.startswith("_") and len(name) > 1:
                owners[name].add(str(path.relative_to(ROOT)))
    shared = {name: sorted(them) for name, them in owners.items() if len(them) > 1}
    assert shared.keys() == TWO_OWNERS, shared


@pytest.mark.parametrize("room", ["mixture", "em", "search"])
def test_every_module_of_the_mathematics_has_its_tests(room: str) -> None:
    """In test_<module>.py, or test_<room>_<module>.py where another room has such a file."""
    files = (ROOT / "tests").rglob("test_*.py")
    elsewhere = {path.name for path in files if path.parent.name != room}
    for module in sorted(itertools.chain(*FLOORS[room])):
        taken = f"test_{module}.py" in elsewhere
        name = f"test_{room}_{module}.py" if taken else f"test_{module}.py"
        assert (ROOT / "tests" / room / name).exists(), name


def test_no_two_files_of_tests_have_one_name() -> None:
    """As pytest wants it where tests are no packages."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert max(names.values()) == 1, names.most_common(3)


def test_no_file_holds_two_ideas() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines}"
        for path in sorted((ROOT / "gmmcli").rglob("*.py"))
        if (lines := len(path.read_text().splitlines())) > 400
    ]
    assert not long
