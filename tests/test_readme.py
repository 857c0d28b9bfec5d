"""The documents are true: their commands run, in order, and print what stands there.

A ```console block holds commands (`$ `, continued after `> `), each followed by what it prints on
stdout and stderr; ```console needs PROGRAM is run where the program is installed; a ```python block
is followed by a ```text block of what it prints. `...` stands for any text, where a machine or a
clock has its say. Run as a program, this file writes into the documents what the commands print
today.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from commands import has_dask

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    "README.md": ".",
    "sample_data/README.md": "sample_data",
    "docs/tutorial.md": ".",
    "docs/cookbook.md": ".",
    "docs/choosing.md": ".",
    "docs/model-format.md": ".",
    "docs/scale.md": ".",
}
"""Each document and the folder in which its reader stands."""

BLOCK = re.compile(r"^```console(?: needs (?P<program>\w+))?\n(?P<console>.*?)^```$", re.M | re.S)
COMMAND = re.compile(r"^\$ (?P<command>.+\n(?:> .+\n)*)(?P<printed>(?:(?!\$ ).*\n)*)", re.M)
PYTHON = re.compile(
    r"^```python\n(?P<program>.*?)^```\n+```text\n(?P<printed>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Step:
    """A command of a document, and what the document says it prints, with its place there."""

    argv: tuple[str, ...]
    expected: str
    start: int
    end: int
    program: str | None = None


def steps(text: str) -> list[Step]:
    """All that a document runs, in its order."""
    found = []
    for block in BLOCK.finditer(text):
        for match in COMMAND.finditer(text, block.start("console"), block.end("console")):
            argv = ("bash", "-c", match["command"].replace("\n> ", "\n"))
            found.append(Step(argv, match["printed"], *match.span("printed"), block["program"]))
    for match in PYTHON.finditer(text):
        argv = (sys.executable, "-c", match["program"])
        found.append(Step(argv, match["printed"], *match.span("printed")))
    return sorted(found, key=lambda step: step.start)


def may_run(step: Step) -> bool:
    """Whether the program is there that a step needs besides, if any; of Dask, the module."""
    if step.program == "dask":
        return has_dask()
    return step.program is None or shutil.which(step.program) is not None


def printed(step: Step, folder: Path) -> str:
    """What a step prints, with the gmmcli of this Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        step.argv,
        cwd=folder,
        env=os.environ | {"PATH": path, "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
        encoding="utf-8",
    ).stdout


def agree(expected: str, actual: str) -> bool:
    """Whether a command prints what its document says."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), actual, re.S) is not None


def workplace(folder: Path) -> None:
    """Put beside each other what the documents speak of."""
    shutil.copytree(ROOT / "sample_data", folder / "sample_data")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_commands_print_what_the_document_says(document: str, tmp_path: Path) -> None:
    workplace(tmp_path)
    text = (ROOT / document).read_text(encoding="utf-8")
    assert steps(text)
    for step in filter(may_run, steps(text)):
        actual = printed(step, tmp_path / DOCUMENTS[document])
        line = text.count("\n", 0, step.start)
        assert agree(step.expected, actual), f"{document}:{line}: {step.argv[-1]}\n{actual}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_all_commands_are_in_blocks_that_run(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    languages = set(re.findall(r"^```(\w+)(?: needs \w+)?$", text, re.M))
    assert languages <= {"console", "python", "text", "sh", "crontab"}
    assert len(PYTHON.findall(text)) == text.count("```python\n")
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S):
        assert {line.split()[0] for line in block.splitlines()} <= {"make", "pip"}


def test_the_tables_are_as_documented() -> None:
    text = (ROOT / "sample_data" / "README.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "sample_data").glob("*.csv")):
        header, *rows = path.read_text(encoding="utf-8").splitlines()
        section = text.partition(f"## {path.name}\n")[2].partition("\n## ")[0]
        assert f"{len(rows)} rows" in section
        assert all(f"`{name}`" in section for name in header.split(","))


def renew(document: str) -> None:
    """Write what the commands print today into a document, where it says otherwise."""
    path = ROOT / document
    text = path.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        workplace(Path(folder))
        here = Path(folder, DOCUMENTS[document])
        actual = [(step, printed(step, here)) for step in filter(may_run, steps(text))]
    for step, output in reversed(actual):
        if not agree(step.expected, output):
            text = text[: step.start] + output + text[step.end :]
            print(f"{document}: {step.argv[-1].strip()}")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    for name in DOCUMENTS:
        renew(name)
