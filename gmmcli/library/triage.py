"""Columns that are not what a mixture of normal distributions is for: what to say of each kind, in
one note with the option to type.

A false alarm is worse than a miss: a column is of a kind where its values say so, or its name and
its values together.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gmmcli.em.batches import Batches
from gmmcli.em.collinearity import ALIKE, alike_features, collinear_features
from gmmcli.library.raw_rows import RawRows
from gmmcli.mixture.covariances import Array

MOST_VALUES_LOOKED_AT = 2_000_000
MOST_ROWS_LOOKED_AT, FEWEST_ROWS_LOOKED_AT = 10_000, 1_000
"""So many rows, evenly spaced, tell what a column is: more where columns are few."""
FEWEST_ROWS_TOLD = 20
"""Of fewer rows nothing is said."""
FEW_LEVELS, ROWS_A_VALUE = 10, 10
"""A column of so many distinct values has few of them, where there are so many rows for each."""
YEARS, YEARS_BY_NAME = (1900, 2035), (1000, 2200)
CODE_DIGITS, DISTINCT_CODES = 8, 0.9
"""Whole numbers of as many digits each, so many or more, of which this share differs, are codes."""
MOST_COUNT, DISPERSIONS, COMMON_TOP = 30.0, (0.5, 6.0), 0.02
"""Counts have a mean below the first, a variance that is that many times the mean, and as their
largest value one that few rows have: the best of a scale of answers is common.
"""
FAR_OFF_ROWS, FAR_GAP, ROWS_A_FAR_ONE = 5, 5.0, 20
"""So few rows are far where the gap to the others is so many of these' standard deviations."""
EVEN = 1e-6
"""Gaps that differ by less than this share are even."""
FAR_OFF = 2.0
"""By how many times the sum of the weights is far from the number of rows."""
MOST_SHOWN, MOST_TYPED = 5, 100
"""Columns that are named in a sentence, and that an option is written for."""

IDENTIFIERS = {"id", "ids", "uid", "uuid", "guid", "key", "rowid"} | {
    f"{what}id"
    for what in ("user", "customer", "client", "order", "item", "product", "account", "patient")
}
NUMBERS = {"nr", "no", "number", "index", "idx", "row"}
CODES = {"zip", "zipcode", "postcode", "postal", "plz", "phone", "telephone", "tel", "mobile"} | {
    *("fax", "sku", "barcode", "ean", "upc", "isbn", "iban", "ssn", "fips", "naics", "code")
}
YEAR_NAMES = {"year", "yr", "jahr", "annee", "vintage"}


@dataclass(frozen=True, eq=False)
class Seen:
    """A column: its name, and as much of its values (n,) as is looked at, without missing ones."""

    name: str
    values: Array

    @cached_property
    def distinct(self) -> Array:
        """The values, as they rise."""
        return np.unique(self.values)

    @cached_property
    def is_whole(self) -> bool:
        """Whether all are integers."""
        return bool((self.distinct == np.floor(self.distinct)).all())

    @property
    def all_differ(self) -> bool:
        """Whether no value is there twice."""
        return len(self.distinct) == len(self.values)

    @property
    def words(self) -> set[str]:
        """What its name is made of, in small letters."""
        found = re.findall(r"[A-Z]?[a-zé]+|[A-Z]+(?![a-z])", self.name)
        return {word.lower() for word in found}

    def is_within(self, ends: tuple[float, float]) -> bool:
        """Whether no value is beyond these."""
        return bool(ends[0] <= self.distinct[0] and self.distinct[-1] <= ends[1])


def is_identifier(column: Seen) -> bool:
    """Whether it names rows, or what they are about."""
    many = len(column.distinct) > FEWEST_ROWS_TOLD
    named = column.words & IDENTIFIERS and many
    return column.is_whole and bool(named or (column.words & NUMBERS and column.all_differ))


def is_code(column: Seen) -> bool:
    """Whether it holds postcodes, phone numbers and their like."""
    if not column.is_whole or len(column.distinct) <= FEW_LEVELS:
        return False
    least, most = column.distinct[[0, -1]]
    digits = len(f"{most:.0f}")
    alike = least >= 10 ** (digits - 1) and digits >= CODE_DIGITS
    differ = len(column.distinct) >= DISTINCT_CODES * len(column.values)
    return bool(column.words & CODES) or (alike and differ)


def is_year(column: Seen) -> bool:
    """Whether it holds years."""
    ends = YEARS_BY_NAME if column.words & YEAR_NAMES else YEARS
    return column.is_whole and len(column.distinct) > 1 and column.is_within(ends)


def is_flag(column: Seen) -> bool:
    """Whether it has two values."""
    return len(column.distinct) == 2


def is_count(column: Seen) -> bool:
    """Whether it counts events, most of which are few."""
    x, distinct = column.values, column.distinct
    if not column.is_whole or len(distinct) < FEW_LEVELS / 2 or distinct[0] not in (0, 1):
        return False
    mean, variance = float(x.mean()), float(x.var())
    top = float((x == distinct[-1]).mean())
    least, most = DISPERSIONS
    return mean < MOST_COUNT and least * mean < variance < most * mean and top < COMMON_TOP


def has_few_values(column: Seen) -> bool:
    """Whether it has a few levels."""
    n = len(column.distinct)
    return 2 < n <= FEW_LEVELS and len(column.values) >= ROWS_A_VALUE * n


@dataclass(frozen=True)
class Words:
    """What to say of one column of a kind and of several, and how to go on where they may be left
    out.
    """

    one: str
    several: str
    go_on: str | None

    def told(self, names: Sequence[str], n_columns: int) -> str:
        """The note on the columns of this kind, of so many in all."""
        text = f"{in_words(names)} {self.one if len(names) == 1 else self.several}"
        if self.go_on is None or len(names) == n_columns or len(names) > MOST_TYPED:
            return text
        return f"{text}; {self.go_on} {leaving_out(names)}"


CONSTANT = Words(
    "is constant and tells nothing of clusters",
    "are constant and tell nothing of clusters",
    "try",
)
TOLD_BY: dict[Callable[[Seen], bool], Words] = {
    is_identifier: Words(
        "looks like an identifier, which tells nothing of clusters",
        "look like identifiers, which tell nothing of clusters",
        "try",
    ),
    is_code: Words(
        "looks like a code, and distances between codes mean nothing",
        "look like codes, and distances between codes mean nothing",
        "try",
    ),
    is_year: Words(
        "holds years, so that clusters may be spans of time",
        "hold years, so that clusters may be spans of time",
        "if that is not meant, try",
    ),
    is_flag: Words(
        "has two values only, and splits the rows by itself",
        "have two values only, and split the rows by themselves",
        "to cluster by the others, try",
    ),
    is_count: Words(
        "is a count, skewed where it is small: components may be more than groups",
        "are counts, skewed where they are small: components may be more than groups",
        None,
    ),
    has_few_values: Words(
        f"has few values ({FEW_LEVELS} at most), and a component may be a level",
        f"have few values ({FEW_LEVELS} at most), and a component may be a level",
        "to cluster by the others, try",
    ),
}
"""What tells a kind; a column is of the first that it is told by."""


def triage(columns: Sequence[str], raw: RawRows, transformed: bool) -> Iterator[str]:
    """What to say of columns (d,), from their values; of
    those that are `transformed` on purpose nothing that a transform mends.
    """
    n_rows = raw.n_rows
    if n_rows < FEWEST_ROWS_TOLD:
        return
    rows = int(
        np.clip(MOST_VALUES_LOOKED_AT // len(columns), FEWEST_ROWS_LOOKED_AT, MOST_ROWS_LOOKED_AT)
    )
    step = max(1, n_rows // rows)
    found: dict[Callable[[Seen], bool], list[str]] = {is_of_kind: [] for is_of_kind in TOLD_BY}
    far = []
    for j, name in enumerate(columns):
        values = raw.spaced(j, step)
        column = Seen(name, values[~np.isnan(values)])
        if len(column.values) < FEWEST_ROWS_TOLD:
            continue
        of_kind = next((is_of_kind for is_of_kind in TOLD_BY if is_of_kind(column)), None)
        if of_kind is not None:
            found[of_kind].append(name)
        elif step == 1 and (told := far_rows(column)):
            far.append(told)
    for is_of_kind, names in found.items():
        if names and not (transformed and is_of_kind is is_count):
            yield TOLD_BY[is_of_kind].told(names, len(columns))
    if far:
        more = f" and {len(far) - MOST_SHOWN} more columns" * (len(far) > MOST_SHOWN)
        yield (
            f"far from all other rows: {'; '.join(far[:MOST_SHOWN])}{more}; if these are errors, "
            "mend or drop them"
        )


def far_rows(column: Seen) -> str:
    """Which few values are far from all others, in words; empty where none are. So must their
    logarithms be, where they have any: tails are long.
    """
    x = np.sort(column.values)
    for up in (True, False):
        rising = x if up else -x[::-1]
        for m in range(1, min(FAR_OFF_ROWS, len(x) // ROWS_A_FAR_ONE) + 1):
            gap = _gap(rising, m)
            if gap > FAR_GAP and (x[0] <= 0 or _gap(np.sort(_signed_log(rising)), m) > FAR_GAP):
                end = rising[-m] if up else -rising[-m]
                sides = ("≥" if up else "≤") if m > 1 else "="
                times = f" ({m} rows)" if m > 1 else ""
                return f"{column.name} {sides} {end:.6g}{times}, {gap:.3g} sd from the next"
    return ""


def _signed_log(rising: Array) -> Array:
    return np.asarray(np.log(rising) if rising[0] > 0 else -np.log(-rising))


def _gap(rising: Array, m: int) -> float:
    """The gap before the last m of rising values, in standard deviations of those before."""
    rest = rising[:-m]
    deviation = float(rest.std())
    return float(rising[-m] - rest[-1]) / deviation if deviation > 0 else 0.0


def is_curve(raw: RawRows, sample_weight: Array) -> bool:
    """Whether the weights (n,) of one column are no numbers of rows, but heights over an even grid
    of it.
    """
    if (sample_weight % 1 == 0).all():
        return False
    x = np.sort(raw.spaced(0, 1))
    gaps = np.diff(x)
    return bool(len(gaps) > FEW_LEVELS and np.ptp(gaps) <= EVEN * gaps.mean())


def weight_notes(n_samples: float, n_rows: int, drawn: bool) -> Iterator[str]:
    """What is worth knowing of the weights, of which the sum is given: of a curve that is `drawn`
    by them, and of others.
    """
    mean = n_samples / n_rows
    sum_counts = f"BIC counts the sum of the weights, {n_samples:.6g}, as the number of rows"
    if drawn:
        yield (
            f"the weights look like a curve over an even grid; {sum_counts}: multiply them so that "
            "it is the number of observations behind the curve, or K means nothing"
        )
    elif not n_rows / FAR_OFF < n_samples < n_rows * FAR_OFF:
        yield (
            f"{sum_counts}, of which there are {n_rows}; unless the weights are such numbers, "
            f"divide them by {mean:.6g}"
        )


def doubts(columns: Sequence[str], constant: NDArray[np.bool_], batches: Batches) -> Iterator[str]:
    """What of the columns makes a clustering doubtful, in words."""
    n_columns = len(columns)
    if batches.n_rows <= n_columns:
        yield (
            f"{batches.n_rows} rows for {n_columns} columns: too few to tell their shape; "
            "use fewer columns"
        )
    same = [name for name, one in zip(columns, constant, strict=True) if one]
    if same and batches.n_rows > 1:
        yield CONSTANT.told(same, n_columns)
    for one in collinear_features(batches.complete) if batches.blocks else ():
        names = [columns[j] for j in one.features]
        which = [columns[j] for j in one.redundant]
        yield f"{in_words(names)} are linear functions of each other; try {leaving_out(which)}"


def alike_sets(columns: Sequence[str], batches: Batches) -> Iterator[str]:
    """The sets of columns that say nearly the same, but for those that say just the same."""
    if not batches.blocks:
        return
    exact = [set(one.features) for one in collinear_features(batches.complete)]
    for features in alike_features(batches.complete):
        if not any(known.issuperset(features) for known in exact):
            names = [columns[j] for j in features]
            yield (
                f"{in_words(names)} say nearly the same (correlations above {ALIKE}); one of "
                f"them may do: try {leaving_out(names[1:])}"
            )


def in_words(names: Sequence[str]) -> str:
    """Columns in a sentence."""
    more = f" and {len(names) - MOST_SHOWN} more" * (len(names) > MOST_SHOWN)
    s = "s" * (len(names) > 1)
    return f"column{s} {', '.join(map(repr, names[:MOST_SHOWN]))}{more}"


def leaving_out(names: Sequence[str]) -> str:
    """The option that leaves columns out, for the shell."""
    return f"-x {shlex.quote(','.join(names))}"
