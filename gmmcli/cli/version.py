"""`gmmcli --version`, and with -v what it stands on: for whoever tells of a defect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gmmcli import __version__

_ASKS = ("-V", "--version", "-Vv", "-vV")
_MORE = ("-v", "--verbose", "-Vv", "-vV")


def is_asked(args: Sequence[str]) -> bool:
    """Whether a command line asks for the version and nothing else."""
    return any(arg in _ASKS for arg in args) and all(arg in _ASKS + _MORE for arg in args)


def version_lines(args: Sequence[str]) -> Iterator[str]:
    """The version, and more where -v is among the arguments."""
    yield f"gmmcli {__version__}"
    if any(arg in _MORE for arg in args):
        from gmmcli.cli.limits import require_memory

        require_memory()
        yield from _foundations()


def _foundations() -> Iterator[str]:
    import platform

    import numpy as np
    import pyarrow as pa

    yield f"Python {platform.python_version()} ({platform.python_implementation()})"
    yield f"NumPy {np.__version__}"
    yield f"BLAS {_blas()}"
    yield f"pyarrow {pa.__version__}"
    yield f"platform {platform.platform()}"


def _blas() -> str:
    """The BLAS that NumPy has loaded, and the kernels that it has chosen for this processor."""
    import numpy as np
    from threadpoolctl import threadpool_info

    for library in threadpool_info():
        if library["user_api"] == "blas":
            facts = (library.get(key) for key in ("internal_api", "version", "architecture"))
            return " ".join(str(fact) for fact in facts if fact)
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{built['name']} {built['version']}"
