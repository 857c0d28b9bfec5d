"""Inputs that cannot be opened."""

from __future__ import annotations

import os

import pytest

from gmmcli.errors import InputNotFoundError
from gmmcli.tables import Format, read_features


@pytest.mark.contract("exit-66-unreadable")
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "a.csv").chmod(0)
    with pytest.raises(InputNotFoundError, match="cannot open: permission denied"):
        read_features([str(tmp_path / "a.csv")], Format())
