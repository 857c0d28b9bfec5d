"""What is installed beside the program: the man page and completions, as the program prints them.

Run as a program, this file writes them into docs/share, from where a wheel takes them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHARE = ROOT / "docs" / "share"
FILES = {
    "man/man1/gmmcli.1": ["man"],
    "bash-completion/completions/gmmcli": ["--show-completion", "bash"],
    "zsh/site-functions/_gmmcli": ["--show-completion", "zsh"],
    "fish/vendor_completions.d/gmmcli.fish": ["--show-completion", "fish"],
}
"""Each installed file, and the command that prints it."""

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def printed(args: list[str]) -> str:
    return subprocess.run(
        [sys.executable, "-m", "gmmcli", *args],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    ).stdout


@pytest.mark.contract("must-11-man", "must-11-completion")
@pytest.mark.parametrize("name", FILES)
def test_what_is_installed_is_what_the_program_prints(name: str) -> None:
    kept = (SHARE / name).read_text(encoding="utf-8")
    assert kept == printed(FILES[name]), "run: make readme"


def test_a_wheel_takes_them_all() -> None:
    shared = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {"docs/share": "share"}
    files = {str(path.relative_to(SHARE)) for path in SHARE.rglob("*") if path.is_file()}
    assert files == set(FILES)


ZSH = """
fpath=({folder} $fpath); autoload -U compinit; compinit -u -d {dump}
print $_comps[gmmcli]
_arguments() {{ print -r -- "$@" }}
words=(gmmcli fit --cov); CURRENT=3
_gmmcli
"""


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
@pytest.mark.contract("must-11-completion")
def test_zsh_completes_at_the_first_call(tmp_path: Path) -> None:
    program = tmp_path / "gmmcli"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m gmmcli "$@"\n')
    program.chmod(0o755)
    folder = SHARE / "zsh" / "site-functions"
    script = ZSH.format(folder=f"'{folder}'", dump=tmp_path / "dump")
    done = subprocess.run(
        ["zsh", "-f", "-c", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, answer = done.stdout.split("\n", 1)
    assert first == "_gmmcli"
    assert '"--covariance"' in answer


def test_links_of_the_readme_lead_somewhere_from_an_index_too() -> None:
    text = (ROOT / PROJECT["project"]["readme"]).read_text(encoding="utf-8")
    pictures = re.findall(r"!\[[^]]+\]\(([^)\s]+)\)", text)
    assert all((ROOT / picture).exists() for picture in pictures)
    targets = [t for t in re.findall(r"\]\(([^)\s]+)\)", text) if t not in pictures]
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    anchors = {"#" + re.sub(r"[^\w -]", "", line).lower().replace(" ", "-") for line in headings}
    assert [target for target in targets if not target.startswith("https://")] == [
        target for target in targets if target in anchors
    ]


def renew() -> None:
    """Write what the program prints today into docs/share."""
    for name, args in FILES.items():
        path = SHARE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(printed(args), encoding="utf-8")


if __name__ == "__main__":
    renew()
