"""Tables read from files that are made on the way."""

from __future__ import annotations

import numpy as np
import pytest

from gmmcli.errors import UserError
from gmmcli.tables import Features, Format, read_features


def read(folder, text, fmt=None, *, block_size=1 << 20, suffix=".csv", **options) -> Features:
    path = folder / f"data{suffix}"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_features([str(path)], fmt or Format(), block_size=block_size, **options)


def values(features: Features):
    d = len(features.columns)
    return np.concatenate([np.empty((d, 0)), *features.chunks], axis=1).T.tolist()


def failure(folder, text, fmt=None, **options) -> str:
    with pytest.raises(UserError) as caught:
        read(folder, text, fmt, **options)
    assert caught.value.code == 65
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(str(folder) + "/", "")
