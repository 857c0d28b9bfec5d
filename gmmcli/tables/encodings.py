"""Which codecs stand for a table in bytes: text of any length, read and written piece by piece."""

from __future__ import annotations

import codecs
import string

from gmmcli.errors import UsageError

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
