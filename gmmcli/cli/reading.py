"""What is read on the command line: models, data and options made ready for a search, and a word on
stderr about the columns.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from gmmcli.cli import messages, options
from gmmcli.errors import UsageError, UserError, shown_name

if TYPE_CHECKING:
    from gmmcli.engine.cluster import Workers
    from gmmcli.library.settings import Settings
    from gmmcli.library.table import Table
    from gmmcli.models import Model
    from gmmcli.search.options import Init
    from gmmcli.tables import Domain, Format, RowStream

SHOWN_COLUMNS = 20


def load_model(path: str, data: Sequence[str] = ()) -> Model:
    """The model of a file, or of standard input ("-"), for what is to be done with the data.

    Raises UserError, which says so where the two are in each other's place.
    """
    from gmmcli.models import load, read

    if path == "-":
        if os.isatty(0):
            raise UsageError("no model is piped in for MODEL '-'", "name a model file")
        with open(0, "rb", closefd=False) as file:
            return read(file, options.named(path))
    if "://" in path:
        from gmmcli.tables import refuse_url

        refuse_url(path)
    try:
        return load(path)
    except UserError as error:
        import shlex

        if _are_models(data):
            raise UserError(
                f"{path}: {error.message.removeprefix(f'{path}: ')}, but {data[0]} is one",
                f"the model goes first: {shlex.quote(data[0])} {shlex.quote(path)}",
            ) from None
        raise


class Largest(NamedTuple):
    """The largest fit that was asked for: of so many components, of one of these covariances, by
    so many threads.
    """

    n_components: int
    covariances: Sequence[str]
    threads: int


class ChosenColumns(TypedDict):
    """How a model's columns are found in a table, but for its header, and what they may hold."""

    chosen: Sequence[str]
    fitted_width: int | None
    domains: Mapping[int, Domain]


def model_columns(model: Model, chosen: list[str] | None) -> ChosenColumns:
    """How the columns of a model are found: those `chosen`, or as in the table of its fit."""
    width = model.summary.get("table_columns")
    domains = {j: domain_of(name) for j, name in model.transform.functions}
    return {
        "chosen": chosen or (),
        "fitted_width": width if isinstance(width, int) else None,
        "domains": domains,
    }


def domain_of(function: str) -> Domain:
    """What a column may hold that goes through a function."""
    from gmmcli.mixture.transforms import FUNCTIONS
    from gmmcli.models.domain import outside
    from gmmcli.tables import Domain

    def error(place: str, column: str, value: float) -> UserError:
        return outside(place, column, value, function)

    return Domain(FUNCTIONS[function].above, error)


def _are_models(data: Sequence[str]) -> bool:
    """Whether there is one input, and that is a model."""
    from gmmcli.models import load

    if len(data) != 1 or not os.path.isfile(data[0]):
        return False
    try:
        load(data[0])
    except UserError:
        return False
    return True


def format_of(reading: options.Reading) -> Format:
    """What the options say of the input's bytes. Raises UsageError."""
    from gmmcli.tables import Format

    return Format(
        input_format=reading.input_format,
        delimiter=reading.delimiter,
        encoding=reading.encoding,
        header=not reading.no_header,
        decimal=reading.decimal,
        thousands=reading.thousands,
        strip=reading.strip,
        comment=reading.comment,
        na=tuple(reading.na or ()),
    )


def settings_of(search: options.Search) -> Settings:
    """How to search, as the options say. Raises UserError."""
    from gmmcli.library.settings import Settings

    return Settings(**vars(search) | {"init": starting_point(search.init)})


def starting_point(init: str) -> Init | Model:
    """What `--init` names: an initializer, or a model file. Raises UserError, UsageError."""
    from typing import get_args

    from gmmcli.search.options import Init

    if init in get_args(Init):
        return init  # type: ignore[return-value]
    from gmmcli.models import load

    if not os.path.exists(init) and not init.lower().endswith((".json", ".npz")):
        raise UsageError(
            f"--init {init}: neither a start nor a file",
            f"give {', '.join(get_args(Init))} or a model file",
        )
    return load(init)


def read_table(
    data: list[str] | None,
    rows: options.FittedRows,
    reading: options.Reading,
    cluster: Workers | None,
    *,
    is_saved: bool,
    most: Largest,
) -> Table:
    """All rows of the inputs in the units of the fit, of which the largest will be `most`, here or
    on the workers of a cluster. Raises UserError, also where there is no memory for that.

    `is_saved`: the model will be, so that what it silently lacks is said under -q too.
    """
    from dataclasses import replace

    from gmmcli.cli.progress import reading_followed
    from gmmcli.library.demand import require_bytes
    from gmmcli.library.raw_rows import RawRows, RowsHere
    from gmmcli.library.table import table_of
    from gmmcli.library.transforms import Wish
    from gmmcli.mixture.transforms import FUNCTIONS
    from gmmcli.tables import (
        EXCLUDED,
        NOT_CHOSEN,
        WEIGHT,
        Groups,
        Store,
        available_memory,
        memory_size,
        read_features,
    )

    wish = Wish.of(rows.transform or ())
    domains = {name: domain_of(name) for name in FUNCTIONS}
    fmt = format_of(reading)
    n_bytes = available_memory() if rows.memory is None else memory_size(rows.memory)
    store = Store.within(n_bytes // 2 if rows.memory is None else n_bytes)
    paths = options.resolve_data(data)
    columns, exclude = rows.columns or (), rows.exclude or ()
    groups = Groups(wish.groups, wish.others, domains)
    if cluster is None:
        with reading_followed() as observe:
            features = read_features(
                paths,
                fmt,
                columns=columns,
                exclude=exclude,
                weight=rows.weight,
                missing=rows.missing,
                groups=groups,
                store=store,
                observe=observe,
            )
        raw: RawRows = RowsHere(features.chunks, store)
    else:
        from gmmcli.library.remote import read_remotely

        features, raw = read_remotely(
            *(cluster, paths, fmt),
            columns=columns,
            exclude=exclude,
            missing=rows.missing,
            groups=groups,
        )
    require_bytes(n_bytes, len(features.columns), *most)
    used = _listed(list(map(shown_name, features.columns)))
    out = _listed(
        [f"{shown_name(name)} ({why})" for name, why in features.left_out if why != NOT_CHOSEN]
    )
    others = _listed([shown_name(name) for name, why in features.left_out if why == NOT_CHOSEN])
    messages.progress(
        f"columns used: {used}"
        + (f"; left out: {out}" if out else "")
        + (f"; not chosen: {others}" if others else ""),
        "columns",
        used=list(features.columns),
        left_out=dict(features.left_out),
    )
    for text in features.unread:
        messages.warning(text, "column_unread", even_quiet=is_saved)
    warnings = list(features.unread)
    if features.own:
        import shlex

        warnings.append(
            f"columns {', '.join(map(repr, features.own))} look like the output of an earlier run; "
            f"leave them out with -x {shlex.quote(','.join(features.own))}"
        )
        messages.warning(warnings[-1], "own_columns")
    by_wish = (NOT_CHOSEN, EXCLUDED, WEIGHT)
    if told := [
        f"{shown_name(name)} ({why})" for name, why in features.left_out if why not in by_wish
    ]:
        messages.keep(f"columns left out: {_listed(told)}")
    if features.n_dropped:
        without = "no values" if rows.missing == "fit" else "missing values"
        messages.warning(
            f"{features.n_dropped} of {features.n_rows} rows have {without} and are left out",
            "rows_left_out",
            n_dropped=features.n_dropped,
            n_rows=features.n_rows,
        )
    if n_partly := features.n_missing - features.n_dropped:
        messages.note(
            f"{n_partly} of {features.n_rows} rows have missing values: used by what they have",
            "rows_incomplete",
            n_missing=n_partly,
            n_rows=features.n_rows,
        )
    table = table_of(
        features.columns,
        raw,
        features.sample_weight,
        rows.scale,
        n_partly > 0,
        features.groups if rows.transform else None,
    )
    has_names = fmt.header or not all(map(str.isdecimal, features.columns))
    return replace(
        table,
        warnings=(*warnings, *table.warnings),
        table_columns=None if has_names else len(features.columns) + len(features.left_out),
    )


def _listed(names: Sequence[str]) -> str:
    """Names in one line that can be read."""
    more = len(names) - SHOWN_COLUMNS
    return ", ".join(names[:SHOWN_COLUMNS]) + (f" and {more} more" if more > 0 else "")


def tell_missing(n_partly: int, n_not_judged: int) -> None:
    """Say how many rows were judged by some of their values, and how many not at all."""
    if n_partly:
        have = "1 row has" if n_partly == 1 else f"{n_partly} rows have"
        messages.warning(
            f"{have} missing values: judged by the values that there are",
            "rows_incomplete",
            n_rows=n_partly,
        )
    if n_not_judged:
        have, are = (
            ("1 row has", "is") if n_not_judged == 1 else (f"{n_not_judged} rows have", "are")
        )
        messages.warning(
            f"{have} no values or {are} too far away to tell: no results for them",
            "rows_not_judged",
            n_rows=n_not_judged,
        )


def tell_suffix(stream: RowStream, output: str | None) -> None:
    """Say where the name of an output will mislead whoever reads it."""
    from gmmcli.tables import misleading_suffix

    if text := misleading_suffix(stream, output):
        messages.warning(text, "suffix")
