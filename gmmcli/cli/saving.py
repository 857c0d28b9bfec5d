"""What becomes of a fit on the command line: its file, what is said of it, the exit code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from gmmcli.cli import messages
from gmmcli.errors import ExitCode

if TYPE_CHECKING:
    from gmmcli.models import Model


def save_model(model: Model, output: str | None) -> None:
    """Write a model to what `-o` names, if anything: a file, or standard output ("-")."""
    from gmmcli.models import dumps, save
    from gmmcli.output import standard_output

    if output == "-":
        with standard_output() as out:
            out.write(dumps(model, as_npz=False))
    elif output is not None:
        save(model, output)


def tell_remarks(model: Model, *, written: bool, beside: TextIO | None) -> None:
    """Say what is to be said of a fit; that a model which is `written` has collapsed, whatever -q
    says.
    """
    collapsed = bool(model.summary["collapsed"])
    for number, text in enumerate(model.summary["warnings"]):
        loud = written and collapsed and number == 0
        messages.warning(text, "doubt", even_quiet=loud, beside=beside)
    for text in model.summary["notes"]:
        messages.note(text, "advice", beside=beside)


def tell_alignment(alignment: Mapping[str, Any], beside: TextIO | None) -> None:
    """Say which clusters of an earlier model are there still, which are new and which are gone."""
    kept = [each["component"] for each in alignment["matching"]]
    parts = [
        f"{_clusters(kept)} kept from the earlier model" if kept else "no cluster is as before"
    ]
    parts += [f"{_clusters(alignment['new'])} new"] if alignment["new"] else []
    parts += [f"{_clusters(alignment['vanished'])} gone"] if alignment["vanished"] else []
    messages.note("; ".join(parts), "alignment", beside=beside)


def _clusters(numbers: Sequence[int]) -> str:
    return f"cluster{'s' * (len(numbers) != 1)} {', '.join(map(str, numbers))}"


def exit_code(model: Model, strict: bool) -> int:
    """0, or 3 and a word why, whatever -q says, where --strict asks for a result that is sound."""
    if model.summary["collapsed"]:
        problem = "collapsed, which --strict does not allow; give -k a smaller number"
    elif not model.summary["converged"]:
        problem = "not converged, which --strict asks for; raise --max-iter, or loosen --tol"
    else:
        return ExitCode.OK
    if not strict:
        return ExitCode.OK
    messages.error(problem, code=int(ExitCode.NOT_CONVERGED))
    return ExitCode.NOT_CONVERGED
