"""Gaussian mixture clustering: `fit`, `select_k`, `load` and `Model`.

    import gmmcli
    model = gmmcli.fit(frame, n_components=3, covariance="full")
    labels = model.predict(frame)

Importing it costs nothing: the parts are loaded when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Model", "__version__", "fit", "load", "select_k"]

if TYPE_CHECKING:
    from gmmcli.library import fit, select_k
    from gmmcli.models import Model, load


def __getattr__(name: str) -> Any:
    if name in ("fit", "select_k"):
        from gmmcli import library

        return getattr(library, name)
    if name in ("Model", "load"):
        from gmmcli import models

        return getattr(models, name)
    raise AttributeError(f"module 'gmmcli' has no attribute {name!r}")
