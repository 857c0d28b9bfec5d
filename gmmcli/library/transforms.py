"""Which columns are fitted on another scale: what is asked for, and what columns ask for."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gmmcli.bounds import shown
from gmmcli.em.skewness import UNTRANSFORMED, may_be_skewed, preferred
from gmmcli.errors import UsageError
from gmmcli.library.raw_rows import RawRows
from gmmcli.library.settings import require_known
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.transforms import FUNCTIONS, IDENTITY, Transform

TransformGiven = str | Sequence[str] | Mapping[str, str]
"""What callers in Python give: a word for each column, or what the command line takes."""

AUTO = "auto"
TRANSFORMS = (*FUNCTIONS, UNTRANSFORMED, AUTO)
LOOKED_AT = 10_000
"""So many rows, evenly spaced, tell what a column asks for."""
MOST_TRIED = 20
"""So many columns that may be skewed are looked at closely, where nobody asks."""


@dataclass(frozen=True)
class Wish:
    """What is asked for: words with the columns that each is for, written as for `--columns`, and
    the word for all others.
    """

    named: tuple[tuple[str, str], ...]
    others: str = UNTRANSFORMED

    @classmethod
    def of(cls, texts: Sequence[str]) -> Wish:
        """What values of the option say, such as `log=budget,votes,asinh=profit`, or `auto` for all
        columns. Raises UsageError.
        """
        named: list[tuple[str, str]] = []
        others: list[str] = []
        for text in texts:
            for word, columns in _parts(text):
                if columns is None:
                    others.append(word)
                else:
                    named.append((word, columns))
        if len(set(others)) > 1:
            raise UsageError(
                f"--transform {others[0]} and {others[1]}: both for all columns",
                f"name the columns of one, as in {others[0]}=a,b",
            )
        return cls(tuple(named), *others[:1])

    @property
    def groups(self) -> dict[str, list[str]]:
        """The columns by the words."""
        words = dict.fromkeys(word for word, _ in self.named)
        return {each: [columns for word, columns in self.named if word == each] for each in words}


def _parts(text: str) -> list[tuple[str, str | None]]:
    """The words of a value of the option, each with its columns, None for all others."""
    parts: list[tuple[str, str | None]] = []
    for piece in text.split(","):
        word, sign, column = piece.partition("=")
        word = word.strip()
        if parts and parts[-1][1] is not None and not (sign and word in TRANSFORMS):
            parts[-1] = parts[-1][0], f"{parts[-1][1]},{piece}"
            continue
        if word not in TRANSFORMS and column.strip() in TRANSFORMS:
            mend = f"write --transform {shlex.quote(f'{column.strip()}={word}')}"
            raise UsageError(f"--transform {text}: the kind goes first", mend)
        if word not in TRANSFORMS and parts:
            raise UsageError(
                f"--transform {text}: {piece!r} is no kind", "write KIND=COLUMNS, as in log=a,b"
            )
        require_known("transform", word, TRANSFORMS)
        parts.append((word, column if sign else None))
    for word, columns in parts:
        if columns is not None and not columns.strip():
            raise UsageError(
                f"--transform {text}: no columns",
                f"name them, as in {word}=a,b; {word} alone is for all",
            )
    return parts


def option(transform: Mapping[str, str]) -> str:
    """The functions of columns as a value of the option has them."""
    words = dict.fromkeys(transform.values())
    each = (f"{word}={','.join(c for c, it in transform.items() if it == word)}" for word in words)
    return shlex.quote(",".join(each) or UNTRANSFORMED)


def words_of(given: TransformGiven, columns: Sequence[str]) -> dict[str, str]:
    """A word for each of the columns (d,) of data without a file. Raises UserError, UsageError."""
    from gmmcli.tables.choices import group_of_each
    from gmmcli.tables.columns import no_such_column

    if isinstance(given, Mapping):
        for column, word in given.items():
            require_known("transform", word, TRANSFORMS)
            if column not in columns:
                raise no_such_column(str(column), columns, "data")
        return {column: given.get(column, UNTRANSFORMED) for column in columns}
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, Iterable) or not all(isinstance(text, str) for text in texts):
        raise UsageError(
            f"--transform {shown(given)}", 'give {"a": "log"}, or a text such as "log=a,b"'
        )
    wish = Wish.of(list(texts))
    groups = group_of_each(columns, wish.groups, "data")
    return {column: groups.get(j, wish.others) for j, column in enumerate(columns)}


def settled(
    columns: Sequence[str],
    words: Mapping[str, str] | None,
    rows: RawRows,
    sample_weight: Array | None,
) -> tuple[Transform, list[str]]:
    """The transform of columns (d,) for which there are `words`, and what to say of it, from their
    values. Without words none, and what it might be.
    """
    if words is None:
        return IDENTITY, _advice(columns, rows, sample_weight)
    open_to = [j for j, column in enumerate(columns) if words.get(column) == AUTO]
    found = {}
    for j in open_to:
        values, weights, least = _seen(j, rows, sample_weight)
        found[columns[j]] = preferred(values, weights, least)
    notes = []
    if found:
        each = {
            word: [c for c, it in found.items() if it == word]
            for word in (*FUNCTIONS, UNTRANSFORMED)
        }
        told = [f"{word} for {', '.join(names)}" for word, names in each.items() if names]
        notes.append(f"--transform auto takes {'; '.join(told)}")
    return Transform.of(columns, {**words, **found}), notes


def _advice(columns: Sequence[str], rows: RawRows, sample_weight: Array | None) -> list[str]:
    """What to say of columns that ask for their logarithms, or those of 1 + x where some are 0."""
    skewed: dict[str, str] = {}
    followed = 0
    for j, column in enumerate(columns):
        values, weights, least = _seen(j, rows, sample_weight)
        if followed < MOST_TRIED and least >= 0 and may_be_skewed(values, weights):
            followed += 1
            if (function := preferred(values, weights, least)) != UNTRANSFORMED:
                skewed[column] = function
    if not skewed:
        return []
    one = len(skewed) == 1
    return [
        f"column{'s' * (not one)} {', '.join(map(repr, skewed))} {'is' if one else 'are'} skewed, "
        f"and {'its' if one else 'their'} logarithms are less so; "
        f"try --transform {option(skewed)}"
    ]


def _seen(j: int, rows: RawRows, sample_weight: Array | None) -> tuple[Array, Array | None, float]:
    """Values (n,) of a column and their weights, evenly spaced over all rows, and its least."""
    step = max(1, rows.n_rows // LOOKED_AT)
    weights = None if sample_weight is None else sample_weight[::step]
    return rows.spaced(j, step), weights, rows.least(j)
