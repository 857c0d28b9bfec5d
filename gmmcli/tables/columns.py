"""Which columns a user means: names, positions, ranges and globs."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from gmmcli.errors import UserError, shown_name
from gmmcli.tables.delimiters import refuse_wrong_delimiter

_SHOWN = 12


def choose_columns(
    present: Sequence[str], wanted: Sequence[str], name: str, *, one_each: bool = False
) -> list[int]:
    """The positions in `present` that `wanted` (the values of `-c`, say) stand for, in its order.

    An exact name wins over every other reading, also one that holds a comma or a colon. `name` is
    the input, for messages. Raises UserError for what matches nothing, and for a name that is there
    more than once where each is to mean `one_each`.
    """
    positions: list[int] = []
    for text in wanted:
        for part in _parts(present, text):
            found = _matches(present, part)
            if not found:
                raise _no_such_range(part, present, name) or no_such_column(part, present, name)
            if one_each and part in present and len(found) > 1:
                raise ambiguous_column(part, name, _by_position("-c", found))
            positions += found
    return list(dict.fromkeys(positions))


def one_column(present: Sequence[str], wanted: str, name: str, option: str = "--weight") -> int:
    """The position of the one column that the value of an option stands for. Raises UserError."""
    found = choose_columns(present, [wanted], name)
    if len(found) > 1:
        problem = "is the name of" if wanted in present else "stands for"
        raise UserError(
            f"{name}: {option} {wanted} {problem} {len(found)} columns", _by_position(option, found)
        )
    return found[0]


def _by_position(option: str, found: Sequence[int]) -> str:
    return f"choose one by its position, as in {option} {found[-1] + 1}"


def _parts(present: Sequence[str], text: str) -> list[str]:
    """`text` cut at its commas, but for those inside the longest exact names."""
    pieces, parts, at = text.split(","), [], 0
    names = set(present)
    while at < len(pieces):
        end = next(
            (e for e in range(len(pieces), at, -1) if ",".join(pieces[at:e]) in names), at + 1
        )
        parts.append(",".join(pieces[at:end]))
        at = end
    stripped = [part if part in names else part.strip() for part in parts]
    return [part for part in stripped if part or part in names] or [text]


def _matches(present: Sequence[str], part: str) -> list[int]:
    exact = [i for i, column in enumerate(present) if column == part]
    if exact:
        return exact
    if (position := _position(present, part)) is not None:
        return [position]
    for colon in re.finditer(":", part):
        ends = [_end(present, end) for end in (part[: colon.start()], part[colon.end() :])]
        if None not in ends:
            first, last = ends
            return list(range(first, last + 1))  # type: ignore[arg-type, operator]
    return [i for i, column in enumerate(present) if fnmatchcase(column, part)]


def _end(present: Sequence[str], text: str) -> int | None:
    return present.index(text) if present.count(text) == 1 else _position(present, text)


def _position(present: Sequence[str], text: str) -> int | None:
    number = int(text) if re.fullmatch(r"[0-9]{1,9}", text) else 0
    return number - 1 if 1 <= number <= len(present) else None


def _no_such_range(part: str, present: Sequence[str], name: str) -> UserError | None:
    """The error for a range that runs backwards, or a position or range beyond the columns."""
    first, colon, last = part.partition(":")
    ends = [_end(present, end) for end in (first, last)]
    if colon and None not in ends:
        mend = f"write it from left to right, {last}:{first}"
    elif re.fullmatch(r"[0-9]+(:[0-9]+)?", part):
        mend = f"positions are 1 to {len(present)}"
    else:
        return None
    return UserError(
        f"{name}: there is no column {part!r}", f"{mend}; the columns are: {_listed(present)}"
    )


def no_such_column(column: str, present: Sequence[str], name: str) -> UserError:
    """The error for a column that is not there: the nearest spelling, and what there is.

    Raises UserError itself where a wrong delimiter hides it.
    """
    refuse_wrong_delimiter(column, present, name)
    near = difflib.get_close_matches(column, present, 1, 0.5)
    if not near:
        folded = {other.casefold().strip(): other for other in reversed(present)}
        near = [folded[key] for key in [column.casefold().strip()] if key in folded]
    meant = f"did you mean {near[0]!r}? " if near else ""
    return UserError(
        f"{name}: there is no column {column!r}", f"{meant}the columns are: {_listed(present)}"
    )


def _listed(present: Sequence[str]) -> str:
    return ", ".join(map(shown_name, present[:_SHOWN])) + (", …" if len(present) > _SHOWN else "")


def ambiguous_column(column: str, name: str, mend: str) -> UserError:
    """The error for a column that is used and there more than once."""
    return UserError(f"{name}: more than one column is named {column!r}", mend)
