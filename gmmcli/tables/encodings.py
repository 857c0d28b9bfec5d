"""Which codecs stand for a table in bytes: text of any length, read and written piece by piece."""

from __future__ import annotations

import codecs
import itertools
import string
from collections.abc import Callable, Iterator

from gmmcli.errors import UsageError, UserError

_PROBE = string.ascii_letters + string.digits + ',;|\t\r\n" .+-_'
_ESCAPES = rb"\u0041 \x41 +AEE-"


def require_text_encoding(name: str) -> None:
    """Raise UsageError unless a codec gives back what it has read, in whatever pieces, as those of
    host names and of source text do not.
    """
    try:
        is_sound = _keeps_text(name)
    except (LookupError, TypeError, ValueError):
        is_sound = False
    if not is_sound:
        raise UsageError(f"{name!r} is not a text encoding", "try utf-8, latin-1 or utf-16")


def _keeps_text(name: str) -> bool:
    mark = "".encode(name)
    pieces = [char.encode(name).removeprefix(mark) for char in _PROBE]
    decoder = codecs.getincrementaldecoder(name)()
    whole = mark + b"".join(pieces)
    read = "".join(decoder.decode(whole[i : i + 1]) for i in range(len(whole)))
    return (
        whole == _PROBE.encode(name)
        and read == _PROBE
        and len(set(map(len, pieces))) == 1
        and (len(pieces[0]) > 1 or len(_ESCAPES.decode(name, "replace")) == len(_ESCAPES))
    )


def to_utf8(
    blocks: Iterator[bytes], encoding: str, name: str, altered: Callable[[int], None]
) -> Iterator[bytes]:
    """The same text in UTF-8, block by block.

    `altered` is told the first line, if there is one, that the codec would not write as it was
    read: some have two codes for a character.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    encoder = codecs.getincrementalencoder(encoding)()
    line, unwritten, is_kept = 1, b"", True
    try:
        for block in itertools.chain(blocks, (b"",)):
            text = decoder.decode(block, not block)
            if is_kept:
                unwritten += block
                written = encoder.encode(text, not block)
                is_kept = unwritten.startswith(written)
                if not is_kept:
                    pairs = zip(unwritten, written, strict=False)
                    same = next((i for i, (a, b) in enumerate(pairs) if a != b), len(unwritten))
                    altered(line + written[:same].decode(encoding, "ignore").count("\n"))
                unwritten = unwritten[len(written) :]
            line += text.count("\n")
            yield text.encode("utf-8")
    except UnicodeDecodeError as error:
        text = error.object[: error.start].decode(encoding)
        yield text.encode("utf-8")
        raise UserError(
            f"{name}:{line + text.count(chr(10))}: not {encoding} text", "give another --encoding"
        ) from None
    finally:
        blocks.close()  # type: ignore[attr-defined]
