"""How all help is laid out: arguments and options under headings, plain text."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer._click.core import Command, Context, Parameter
    from typer._click.formatting import HelpFormatter

COMMON = "Common options"
GROUPS = {
    "Data": "delimiter input_format encoding no_header decimal thousands strip comment na",
    "Columns": "columns exclude weight missing transform",
    "New columns": "per_row proba log_density outliers explain impute only prefix",
    "Model": "components k algorithm covariance scale reg_covar align_to keep_statistics half_life "
    "criterion merge stability",
    "Search": "n init restarts seed tol param_tol max_iter acceleration time_limit",
    "Machine": "threads memory engine scheduler workers",
    "Picture": "kind ascii_only",
    "Output": "id_column data new labels fail_if_drift output table_format as_json trace strict",
    COMMON: "quiet verbose log_format debug version show_completion help",
}
"""The headings in their order, each with the parameters that stand there, in theirs."""

_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names.split()}
_ORDER = {name: place for place, name in enumerate(_GROUP_OF)}
_FEW = 12
_NAME_WIDTH = 30


def sections(
    command: Command, context: Context, but: Set[str | None] = frozenset()
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The headings of a command's help, each with names and what they mean, without the parameters
    of some names. A few options need no headings.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    params = sorted(command.get_params(context), key=_place_of)
    for param in (param for param in params if param.name not in but):
        group = _GROUP_OF.get(str(param.name), COMMON) if len(params) > _FEW else "Options"
        if _is_argument(param):
            group = "Arguments"
        if record := param.get_help_record(context):
            found.setdefault(group, []).append(record)
    yield from found.items()


def _place_of(param: Parameter) -> int:
    return -1 if _is_argument(param) else _ORDER.get(str(param.name), -1)


def _is_argument(param: Parameter) -> bool:
    return param.param_type_name == "argument"


def write_sections(command: Command, context: Context, formatter: HelpFormatter) -> None:
    """Write the arguments and options of a command, all of its options in the same two columns."""
    for group, records in sections(command, context):
        with formatter.section(group):
            if group != "Arguments":
                records = [(name.ljust(_NAME_WIDTH), meaning) for name, meaning in records]
            formatter.write_dl(records)
