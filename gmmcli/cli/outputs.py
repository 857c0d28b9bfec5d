"""Outputs on the command line, refused before the work where they would destroy something."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence

from gmmcli.errors import UsageError
from gmmcli.output import is_same_file, require_creatable

_STREAMS = {"-": "/dev/stdout"}


def require_outputs(outputs: Mapping[str, str | None], inputs: Sequence[str]) -> None:
    """Raise UserError unless what each option names can be created, apart from the others and from
    the inputs.
    """
    named = [(option, _STREAMS.get(path, path)) for option, path in outputs.items() if path]
    for (option, path), (other, other_path) in itertools.combinations(named, 2):
        if is_same_file(path, other_path) or path == other_path != os.devnull:
            raise UsageError(f"{other} and {option} are one file, {path}", "name two")
    for option, path in named:
        _require_no_input(f"{option} {path}", path, inputs)
    for option, path in named:
        if outputs[option] != "-":
            require_creatable(path)


def require_rows_output(output: str | None, inputs: Sequence[str]) -> None:
    """Raise UserError unless rows can be written to what `-o` names, and by the format that its
    suffix promises. An input may be replaced by its rows, but standard output must not feed it.
    """
    from gmmcli.tables import require_table

    if output is None or output == "-":
        _require_no_input("standard output", "/dev/stdout", inputs)
        return
    require_creatable(output)
    require_table(output)


def _require_no_input(what: str, path: str, inputs: Sequence[str]) -> None:
    """Raise UsageError where a file to be written is one of the inputs."""
    if not os.path.isfile(path):
        return
    from gmmcli.tables import expand_paths, is_object

    for source in expand_paths([source for source in inputs if not is_object(source)]):
        if is_same_file(path, "/dev/stdin" if source.path == "-" else source.path):
            raise UsageError(f"{what}: this is an input, which would be lost", "name another file")
