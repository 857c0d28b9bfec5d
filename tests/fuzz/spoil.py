"""Ways to spoil bytes and text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

Span = tuple[int, int]

EDGES = (
    *(sign * edge for p in (0, 1 << 31, 1 << 62) for edge in (p - 1, p, p + 1) for sign in (1, -1)),
    *(0x7F, 0xFF, 1 << 15, 1 << 16, 1 << 20, 1 << 24, 1 << 30, 1 << 32, 1 << 40, 1 << 63),
)
"""Integers at which something ends."""

NUMBERS = (
    *("0", "-0", "-1", "1e308", "-1e308", "1e309", "1e-320", "5e-324", "1e400", "9" * 400),
    *("nan", "NaN", "inf", "-Infinity", "NA", "null", "", ".", "-", "+1", "1.", ".5", "1e", "e5"),
    *(
        "0x10",
        "1_000",
        "1,017",
        "$2,013.50",
        "12%",
        "1 2",
        "٣",
        "१२",
        "1\u00a0000",
        "００１",
        "1d5",
    ),
    *("2147483648", "9223372036854775808", "18446744073709551616", "0" * 300 + "1", "true"),
)
"""What may stand where a number stood."""

PIECES = (
    *('"', '""', '"' * 7, "'", ",", ";", "\t", "|", "\n", "\r\n", "\r", "\n" * 50, "," * 300, "\0"),
    *(
        "[",
        "]",
        "{",
        "}",
        ":",
        "[" * 200,
        "\\",
        "\\u0000",
        "\\ud800",
        "\ufeff",
        "\u2028",
        "\x1b[2J",
    ),
    *(" ", "   ", "#", "# note\n", "é", "😀", "\x85", "\x0c", "/", "*", "a", "x" * 5000),
)
"""What may turn up between two tokens."""

_TOKENS = re.compile(r'[-+]?\d[\d.eE+-]*|"[^"\n]*"|\w+|\s+|.', re.DOTALL)


def spoil_bytes(rng: Random, data: bytes, others: Sequence[bytes], hot: Sequence[Span]) -> bytes:
    """One to six changes, the half of them in the `hot` spans of the data if there are any; in half
    of the cases such that all else stays where it is, and few, so that most of it is still read.
    """
    gentle = rng.random() < 0.5
    for _ in range(rng.choice((1, 1, 2)) if gentle else min(6, 1 + int(rng.expovariate(0.8)))):
        start, end = rng.choice(hot) if hot and rng.random() < 0.5 else (0, len(data))
        end = min(end, len(data))
        if start >= end:
            start, end = 0, len(data)
        change = rng.choice(_GENTLE if gentle else (*_GENTLE, *_ROUGH))
        data = change(rng, data, start, end, others)
    return data


def spoil_text(rng: Random, text: str, others: Sequence[str]) -> str:
    """One to six changes of whole tokens: numbers, quoted texts, words, marks; in half of the cases
    few, of one token each.
    """
    gentle = rng.random() < 0.5
    for _ in range(rng.choice((1, 1, 2)) if gentle else min(6, 1 + int(rng.expovariate(0.8)))):
        tokens = _TOKENS.findall(text)
        if not tokens:
            return rng.choice(PIECES)
        rng.choice(_ONE_TOKEN if gentle else (*_ONE_TOKEN, *_TOKENS_MOVED))(rng, tokens, others)
        text = "".join(tokens)
    return text


def _flipped(rng: Random, data: bytes, start: int, end: int, _: Sequence[bytes]) -> bytes:
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        if start < end:
            spoilt[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    return bytes(spoilt)


def _replaced(rng: Random, data: bytes, start: int, end: int, _: Sequence[bytes]) -> bytes:
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        if start < end:
            spoilt[rng.randrange(start, end)] = rng.choice(
                (0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256))
            )
    return bytes(spoilt)


def _integer(rng: Random, data: bytes, start: int, end: int, _: Sequence[bytes]) -> bytes:
    """An integer of 2, 4 or 8 bytes, mostly where one may stand, is another."""
    width = rng.choice((2, 4, 4, 4, 8, 8))
    if end - start < width:
        return data
    place = rng.randrange(start, end - width + 1)
    if rng.random() < 0.7:
        place -= place % min(width, 4)
    if rng.random() < 0.5:
        value = int.from_bytes(data[place : place + width], "little") + rng.choice(
            (1, -1, 2, 4, 8, -8, 64, 1000)
        )
    else:
        value = rng.choice((*EDGES, len(data), len(data) - place))
    return (
        data[:place] + (value % (1 << 8 * width)).to_bytes(width, "little") + data[place + width :]
    )


def _cut(rng: Random, data: bytes, start: int, end: int, _: Sequence[bytes]) -> bytes:
    return data[: rng.randint(start, end)]


def _without(rng: Random, data: bytes, start: int, end: int, _: Sequence[bytes]) -> bytes:
    place = rng.randint(start, end)
    return data[:place] + data[place + rng.choice((1, 1, 2, 4, 8, 64, 500)) :]


def _with(rng: Random, data: bytes, start: int, end: int, _: Sequence[bytes]) -> bytes:
    place = rng.randint(start, end)
    count = rng.choice((1, 1, 2, 4, 8, 64, 500))
    more = (
        rng.randbytes(count) if rng.random() < 0.5 else bytes([rng.choice((0, 0xFF, 0x41))]) * count
    )
    return data[:place] + more + data[place:]


def _block(rng: Random, data: bytes, start: int, end: int, _: Sequence[bytes]) -> bytes:
    """A block of the data, again elsewhere: inserted, or over what was there."""
    length = min(rng.choice((1, 4, 8, 16, 64, 512)), len(data))
    source = rng.randint(0, len(data) - length)
    place = rng.randint(start, end)
    return data[:place] + data[source:][:length] + data[place + rng.choice((0, length)) :]


def _blank(rng: Random, data: bytes, start: int, end: int, _: Sequence[bytes]) -> bytes:
    place, length = rng.randint(start, end), rng.choice((4, 8, 32, 256))
    blank = bytes([rng.choice((0, 0xFF))]) * min(length, len(data) - place)
    return data[:place] + blank + data[place + len(blank) :]


def _spliced(rng: Random, data: bytes, start: int, end: int, others: Sequence[bytes]) -> bytes:
    """The beginning of this file and the end of another, or a piece of that in the midst."""
    other, place = rng.choice(others), rng.randint(start, end)
    begin = rng.randint(0, len(other)) if rng.random() < 0.5 else min(place, len(other))
    if rng.random() < 0.5:
        return data[:place] + other[begin:]
    length = rng.choice((8, 64, 512))
    return data[:place] + other[begin : begin + length] + data[place + length :]


_Change = Callable[[Random, bytes, int, int, Sequence[bytes]], bytes]
_GENTLE: tuple[_Change, ...] = (*(_flipped, _flipped, _replaced, _replaced), *(_integer,) * 4)
_ROUGH: tuple[_Change, ...] = (_cut, _without, _with, _block, _block, _blank, _spliced)


def _another_number(rng: Random, tokens: list[str], _: Sequence[str]) -> None:
    numbers = [i for i, token in enumerate(tokens) if token.lstrip("+-")[:1].isdigit()]
    if numbers:
        tokens[rng.choice(numbers)] = rng.choice(NUMBERS)


def _another_piece(rng: Random, tokens: list[str], _: Sequence[str]) -> None:
    tokens[rng.randrange(len(tokens))] = rng.choice(PIECES)


def _piece_between(rng: Random, tokens: list[str], _: Sequence[str]) -> None:
    tokens.insert(rng.randrange(len(tokens) + 1), rng.choice(PIECES))


def _repeated(rng: Random, tokens: list[str], _: Sequence[str]) -> None:
    place, length = rng.randrange(len(tokens)), rng.choice((1, 1, 2, 5, 30))
    tokens[place:place] = tokens[place : place + length] * rng.choice((1, 1, 2, 10, 300))


def _left_out(rng: Random, tokens: list[str], _: Sequence[str]) -> None:
    place = rng.randrange(len(tokens))
    del tokens[place : place + rng.choice((1, 1, 1, 2, 5, 30))]


def _swapped(rng: Random, tokens: list[str], _: Sequence[str]) -> None:
    i, j = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    tokens[i], tokens[j] = tokens[j], tokens[i]


def _of_another(rng: Random, tokens: list[str], others: Sequence[str]) -> None:
    other = _TOKENS.findall(rng.choice(others))
    place, begin, length = (
        rng.randrange(len(tokens)),
        rng.randrange(len(other)),
        rng.choice((1, 5, 99)),
    )
    tokens[place : place + rng.choice((0, length))] = other[begin : begin + length]


def _all_alike(rng: Random, tokens: list[str], _: Sequence[str]) -> None:
    """One mark of the text is another one everywhere: delimiters, quotes, line ends."""
    mark = rng.choice(tokens)
    instead = rng.choice((*PIECES, *tokens[:20]))
    if len(instead) * tokens.count(mark) < 100_000:
        tokens[:] = [instead if token == mark else token for token in tokens]


_TextChange = Callable[[Random, list[str], Sequence[str]], None]
_ONE_TOKEN: tuple[_TextChange, ...] = (
    *(_another_number,) * 6,
    *(_another_piece, _piece_between),
)
_TOKENS_MOVED: tuple[_TextChange, ...] = (
    *(_piece_between, _repeated, _left_out, _swapped, _of_another, _all_alike),
)
