"""Gaussian mixture clustering: `fit`, `select_k`, `load`; what they give back is a `Model`
or a `Selection`.

    import gmmcli
    model = gmmcli.fit(frame, n_components=3, covariance="full")
    labels = model.predict(frame)

Importing it costs nothing: the parts are loaded when they are first used.
"""

__version__ = "0.1.0"
__all__ = ["Model", "Selection", "__version__", "fit", "load", "select_k"]

TYPE_CHECKING = False  # what typing calls so takes milliseconds to import
if TYPE_CHECKING:
    from typing import Any

    from gmmcli.library.fit import fit
    from gmmcli.library.select import Selection, select_k
    from gmmcli.models import Model, load

_HOMES = {
    "fit": "gmmcli.library.fit",
    "select_k": "gmmcli.library.select",
    "Selection": "gmmcli.library.select",
    "Model": "gmmcli.models",
    "load": "gmmcli.models",
}


def __getattr__(name: str) -> "Any":
    if name not in _HOMES:
        raise AttributeError(f"module 'gmmcli' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
