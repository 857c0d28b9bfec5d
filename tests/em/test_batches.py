from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gmmcli.em.batches import block_rows, cut


@settings(max_examples=30)
@given(st.lists(st.integers(0, 70_000), min_size=1, max_size=5), st.booleans())
def test_blocks_do_not_depend_on_the_pieces(lengths: list[int], weighted: bool) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3, sum(lengths) + 1))
    w = rng.uniform(size=X.shape[1]) if weighted else None
    pieces = np.split(X, np.cumsum(lengths), axis=1)
    whole, parts = cut([X], 3, w), cut(pieces, 3, w)
    assert [b.copied().shape for b in whole] == [b.copied().shape for b in parts]
    assert all(b.n_rows == block_rows(3) == 32_256 for b in whole[:-1])
    for one, other in zip(whole, parts, strict=True):
        assert (one.copied() == other.copied()).all()
        if weighted:
            assert (one.sample_weight == other.sample_weight).all()


def test_blocks_of_wide_tables_are_short() -> None:
    assert block_rows(1) == block_rows(8) == 32_256
    assert block_rows(16) == 16_128
    assert block_rows(100) == 2016
    assert block_rows(1000) == block_rows(100_000) == 504
