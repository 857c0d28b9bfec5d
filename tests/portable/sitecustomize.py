"""Hides what only Linux has: with this folder first on PYTHONPATH, Python is as elsewhere.

Python imports a module of this name when it starts, in the commands that the tests run as well.
"""

from __future__ import annotations

import builtins
import ctypes
import fcntl
import io
import mmap
import os
import resource
import select
import signal
import sys
import sysconfig
import time
from collections.abc import Callable
from typing import Any

NAMES: dict[Any, str] = {
    os: """
        copy_file_range eventfd fdatasync getrandom getresgid getresuid getxattr listxattr
        memfd_create pidfd_open pipe2 posix_fadvise posix_fallocate removexattr sched_getaffinity
        sched_getparam sched_getscheduler sched_setaffinity sched_setparam sched_setscheduler setns
        setresgid setresuid setxattr splice timerfd_create unshare waitid
        O_DIRECT O_LARGEFILE O_NOATIME O_PATH O_RSYNC O_TMPFILE
    """,
    fcntl: "F_ADD_SEALS F_GETPIPE_SZ F_GET_SEALS F_NOTIFY F_OFD_SETLK F_SETPIPE_SZ F_SETSIG",
    mmap: "MADV_DONTDUMP MADV_DONTFORK MADV_HUGEPAGE MADV_REMOVE MAP_POPULATE",
    resource: "RUSAGE_THREAD RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_SIGPENDING prlimit",
    select: "EPOLLIN EPOLLOUT epoll",
    signal: "SIGPOLL SIGPWR SIGRTMAX SIGRTMIN SIGSTKFLT pidfd_send_signal sigtimedwait sigwaitinfo",
    time: "CLOCK_BOOTTIME CLOCK_TAI pthread_getcpuclockid",
}


def without_proc(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, for which there are no /proc and /sys."""

    def hidden(path: Any, *args: Any, **settings: Any) -> Any:
        if isinstance(path, str | os.PathLike) and f"{path}/".startswith(("/proc/", "/sys/")):
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return function(path, *args, **settings)

    return hidden


def without_prctl(library: ctypes.CDLL, name: str, real: Any = ctypes.CDLL.__getattr__) -> Any:
    if name == "prctl":
        raise AttributeError(name)
    return real(library, name)


for module, names in NAMES.items():
    for name in names.split():
        vars(module).pop(name, None)
for function in ("open", "stat", "lstat", "listdir", "scandir", "access"):
    setattr(os, function, without_proc(getattr(os, function)))
builtins.open = io.open = without_proc(open)
ctypes.CDLL.__getattr__ = without_prctl  # type: ignore[method-assign]
sysconfig.get_config_vars()  # of what is, as long as it can be found
sys.modules["distributed"] = None  # type: ignore[assignment]  # its psutil is that of Linux
sys.platform = "freebsd14"  # Not darwin, where libraries load what only macOS has.
