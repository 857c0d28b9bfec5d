"""What the system grants this process. The numerical libraries end a process that gets too little
memory, in words of their own: so that is looked at before they are loaded.
"""

from __future__ import annotations

import errno

from gmmcli.machine import BASE_BYTES, limit_of

_MIB = 1 << 20
_NEEDED = {"RLIMIT_AS": (BASE_BYTES, "v"), "RLIMIT_DATA": (192 * _MIB, "d")}
_NO_MEMORY = ("cannot allocate memory", "failed to map segment")
_NO_THREAD = ("can't start new thread", "failed to launch worker thread")


def require_memory() -> None:
    """Raise MemoryError where a limit leaves no room for the numerical libraries."""
    for name, (needed, letter) in _NEEDED.items():
        limit = limit_of(name)
        if limit is not None and limit < needed:
            raise MemoryError(
                f"the limit is {limit // _MIB} MiB (ulimit -{letter}), "
                f"at least {needed // _MIB} are needed"
            )


def refused(error: BaseException) -> str | None:
    """What the system refused, where an error comes of that and of nothing else."""
    text = str(error).lower()
    no_memory = getattr(error, "errno", None) == errno.ENOMEM
    if isinstance(error, MemoryError):
        return f"out of memory: {error}" if text.startswith("the limit is") else "out of memory"
    if no_memory or any(words in text for words in _NO_MEMORY):
        return "out of memory"
    if any(words in text for words in _NO_THREAD):
        return "no thread could be started; raise ulimit -u or -v"
    return None
