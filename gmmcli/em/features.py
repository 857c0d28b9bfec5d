"""Pooled features φ(x) = [x, 1, products], and the room in which a thread works on them.

The products are x_i x_j (i ≤ j) for full covariances, x_i² for axis-aligned ones, Σ x_i² for round
ones, and none where one covariance serves all components. Pairs are ordered by i − j modulo d, so
that one multiplication of overlapping windows makes them all.

A tile is (slabs, features, SLAB rows). Slabs are short since OpenBLAS multiplies small matrices
without packing them first, at up to twice the speed of middling ones; a tile has many, since
between two calls of NumPy a thread needs the interpreter, and so may wait for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, cached_property

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from gmmcli.em.batches import LONGEST_BLOCK, SLAB, Batch
from gmmcli.mixture.covariances import Array, Covariances
from gmmcli.mixture.families import Moment

TILE_DOUBLES = 640 * 1024
"""Doubles of a tile, where one slab does not have more: a share of the third-level cache."""
SMALL_PRODUCT = 1_000_000
"""Multiplications of a matrix product up to which OpenBLAS works without packing."""
SMALL_RESULT = 1200
"""Entries of the result up to which it does so for A Bᵀ."""


class FeatureMap:
    """φ(x) = [x, 1] of rows of d features: what components that share one covariance need."""

    n_products = 0
    lead = 0
    """Rows before φ: the last features again, which the windows of products reach back to."""

    def __init__(self, d: int) -> None:
        self.d = d

    @classmethod
    def of(cls, moment: Moment, d: int) -> FeatureMap:
        """The features that tell these second moments."""
        return FEATURE_MAPS[moment](d)

    @property
    def n_phi(self) -> int:
        """P, how many features there are."""
        return self.d + 1 + self.n_products

    def suit(self, covariances: Covariances) -> bool:
        """Whether log densities with these covariances are linear in the features. They may not be
        where a model of another family is the start.
        """
        numbers = covariances.numbers
        return covariances.any_moment == "full" and bool((numbers == numbers[:1]).all())

    def quadratic(self, precisions: Array) -> Array:
        """The coefficients of the products in −½ xᵀ precisions x, (K, products)."""
        return np.empty((len(precisions), 0))

    def unpacked(self, products: Array) -> Array:
        """Σ r times the products, (K, products), as second moments."""
        return np.zeros((1, 1, 1))

    def products(self, buffer: Array) -> list[Callable[[], object]]:
        """What fills the products, of a buffer (slabs, lead + P, rows) whose x are there."""
        return []

    def tile_shape(self, n_components: int, n_rows: int) -> tuple[int, int]:
        """Slabs of a tile and rows of a slab, for batches of so many rows: a function of the
        problem's shape alone.
        """
        if n_rows < SLAB:
            return 1, n_rows
        doubles = (self.lead + self.n_phi + n_components) * SLAB
        most = min(LONGEST_BLOCK, n_rows) // SLAB
        slabs = 1
        while 2 * slabs <= most and 2 * slabs * doubles <= TILE_DOUBLES:
            slabs *= 2
        return slabs, SLAB

    def theta(self, constants: Array, linear: Array, precisions: Array) -> Array:
        """Θ (K, P), with Θ φ(x) = constants + linear x − ½ xᵀ precisions x.

        Precisions are (K, d, d), or (K, d) where covariances are axis-aligned.
        """
        quadratic = self.quadratic(precisions)
        return np.ascontiguousarray(np.hstack([linear, constants[:, None], quadratic]))

    def unpack(self, sums: Array) -> tuple[Array, Array, Array]:
        """Σ r φᵀ (K, P) as counts (K,), first (K, d) and second moments in the moment's shape."""
        d = self.d
        return sums[:, d], sums[:, :d], self.unpacked(sums[:, d + 1 :])


class Squares(FeatureMap):
    """φ(x) = [x, 1, x_i²], for axis-aligned covariances."""

    def __init__(self, d: int) -> None:
        super().__init__(d)
        self.n_products = d

    def suit(self, covariances: Covariances) -> bool:
        """Whether log densities with these covariances are linear in the features."""
        return covariances.any_moment == "diagonal"

    def quadratic(self, precisions: Array) -> Array:
        """The coefficients of the products in −½ xᵀ precisions x, (K, products)."""
        return -0.5 * precisions[:, : self.n_products]

    def unpacked(self, products: Array) -> Array:
        """Σ r times the products, (K, products), as second moments."""
        return products

    def products(self, buffer: Array) -> list[Callable[[], object]]:
        """What fills the products, of a buffer (slabs, P, rows) whose x are there."""
        x, squares = buffer[:, : self.d], buffer[:, self.d + 1 :]
        return [lambda: np.multiply(x, x, out=squares)]


class Norm(Squares):
    """φ(x) = [x, 1, Σ x_i²], for round covariances."""

    def __init__(self, d: int) -> None:
        super().__init__(d)
        self.n_products = 1

    def suit(self, covariances: Covariances) -> bool:
        """Whether log densities with these covariances are linear in the features."""
        numbers = covariances.numbers
        return super().suit(covariances) and bool((numbers == numbers[:, :1]).all())

    def products(self, buffer: Array) -> list[Callable[[], object]]:
        """What fills the product, of a buffer (slabs, P, rows) whose x are there."""
        x, norm = buffer[:, : self.d], buffer[:, self.d + 1]
        return [lambda: np.einsum("sij,sij->sj", x, x, out=norm)]


class Products(FeatureMap):
    """φ(x) = [x, 1, x_i x_j (i ≤ j)], for covariances with any orientation."""

    def __init__(self, d: int) -> None:
        super().__init__(d)
        self.n_products = d * (d + 1) // 2
        self.lead = d // 2

    @cached_property
    def pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """i and j of the products, in their order."""
        i = np.tile(np.arange(self.d), self.lead + 1)[: self.n_products]
        offsets = np.repeat(np.arange(self.lead + 1), self.d)[: self.n_products]
        return i, (i - offsets) % self.d

    def suit(self, covariances: Covariances) -> bool:
        """Whether log densities with these covariances are linear in the features."""
        return covariances.any_moment == "full"

    def quadratic(self, precisions: Array) -> Array:
        """The coefficients of the products in −½ xᵀ precisions x, (K, products)."""
        i, j = self.pairs
        return np.asarray(np.where(i == j, -0.5, -1.0) * precisions[:, i, j])

    def unpacked(self, products: Array) -> Array:
        """Σ r times the products, (K, products), as second moments (K, d, d)."""
        i, j = self.pairs
        second = np.empty((len(products), self.d, self.d))
        second[:, i, j] = products
        second[:, j, i] = products
        return second

    def products(self, buffer: Array) -> list[Callable[[], object]]:
        """What fills the products, of a buffer (slabs, lead + P, rows) whose x are there."""
        d, lead = self.d, self.lead
        x, products = buffer[:, lead : lead + d], buffer[:, lead + d + 1 :]
        slabs, _, rows = buffer.shape
        slab, feature, row = buffer.strides
        offsets = (d + 1) // 2  # those that have a pair for each i; d even: half of them one more
        shape = (slabs, offsets, d, rows)
        ahead = as_strided(x, shape, (slab, 0, feature, row))
        behind = as_strided(x, shape, (slab, -feature, feature, row))
        out = as_strided(products, shape, (slab, d * feature, feature, row))
        fill: list[Callable[[], object]] = [
            lambda: np.copyto(buffer[:, :lead], x[:, d - lead :]),
            lambda: np.multiply(ahead, behind, out=out),
        ]
        if d % 2 == 0:
            last = products[:, offsets * d :]
            fill.append(lambda: np.multiply(x[:, :lead], buffer[:, :lead], out=last))
        return fill


FEATURE_MAPS: dict[Moment, Callable[[int], FeatureMap]] = {
    "full": Products,
    "pooled": FeatureMap,
    "diagonal": Squares,
    "trace": Norm,
}


class Tile:
    """Some slabs of a room, as the steps of a kernel see them.

    `phi` (slabs, P, rows) · `joint` (slabs, K, rows): log joint densities, then densities, then
    responsibilities · `total`, `scale` (slabs, rows) · `weights` (slabs, rows), or 1.0 for all ·
    `background` (slabs, rows), log densities, or None.
    """

    def __init__(self, features: FeatureMap, buffer: Array, joint: Array, totals: Array) -> None:
        lead, d = features.lead, features.d
        self.x = buffer[:, lead : lead + d]
        self.phi = buffer[:, lead:]
        self.joint, (self.total, self.scale) = joint, totals
        self.weights: Array | float = 1.0
        self.background: Array | None = None
        self._products = features.products(buffer)
        s, K, rows = joint.shape
        P = features.n_phi
        width, self._components = _shape_of_densities(K, P, rows)
        parts = rows // width
        self._phi = self.phi.reshape(s, P, parts, width).transpose(0, 2, 1, 3)
        self._joint = joint.reshape(s, K, parts, width).transpose(0, 2, 1, 3)
        self._sums = np.empty((s, K, P))
        self._sum_steps = []
        for some, phis, pieces in _blocks_of_sums(K, P):
            out = self._sums[:, some, phis]
            k, p = out.shape[1], out.shape[2] // pieces
            step = (
                joint[:, None, some],
                self.phi[:, phis].reshape(s, pieces, p, rows).transpose(0, 1, 3, 2),
                out.reshape(s, k, pieces, p).transpose(0, 2, 1, 3),
            )
            self._sum_steps.append(step)

    def load(self, batch: Batch, first: int, background: Array | None) -> None:
        """φ of the slabs of a batch from this one on; what is beyond its last row has weight 0."""
        s, rows = self.total.shape
        np.copyto(self.x, batch.slabs[first : first + s])
        for multiply in self._products:
            multiply()
        start, n = first * rows, min(batch.n_rows - first * rows, s * rows)
        self.weights = 1.0
        if batch.sample_weight is not None or n < s * rows:
            w = np.zeros(s * rows)
            w[:n] = 1.0 if batch.sample_weight is None else batch.sample_weight[start : start + n]
            self.weights = w.reshape(s, rows)
        self.background = None
        if background is not None:
            padded = np.zeros(s * rows)
            padded[:n] = background[start : start + n]
            self.background = padded.reshape(s, rows)

    def multiply(self, theta: Array) -> None:
        """`joint` becomes Θ φ, for Θ (K, P)."""
        K = len(theta)
        for start in range(0, K, self._components):
            some = slice(start, min(start + self._components, K))
            np.matmul(theta[some], self._phi, out=self._joint[:, :, some])

    def log_likelihood(self) -> float:
        """Σ w total."""
        if isinstance(self.weights, float):
            return float(np.add.reduce(self.total, axis=None))
        return float(np.vdot(self.weights, self.total))

    def sums(self) -> Array:
        """`joint` φᵀ, (K, P)."""
        for joint, phi, out in self._sum_steps:
            np.matmul(joint, phi, out=out)
        return np.asarray(np.add.reduce(self._sums, axis=0))


class Room:
    """Memory for a tile, which a thread keeps: fresh memory is cleared page by page."""

    def __init__(self, features: FeatureMap, n_components: int, slabs: int, rows: int) -> None:
        self._features = features
        self._buffer = np.empty((slabs, features.lead + features.n_phi, rows))
        self._buffer[:, features.lead + features.d] = 1.0
        self._joint = np.empty((slabs, n_components, rows))
        self._totals = np.empty((2, slabs, rows))
        self._tiles: dict[int, Tile] = {}

    @property
    def slabs(self) -> int:
        """How many slabs there is room for."""
        return len(self._buffer)

    def tiles(self, batch: Batch, background: Array | None, most: int) -> Iterator[Tile]:
        """The batch in tiles of so many slabs at most, each loaded over the one before."""
        for first in range(0, len(batch.slabs), most):
            slabs = min(most, len(batch.slabs) - first)
            if slabs not in self._tiles:
                memory = (self._buffer[:slabs], self._joint[:slabs], self._totals[:, :slabs])
                self._tiles[slabs] = Tile(self._features, *memory)
            tile = self._tiles[slabs]
            tile.load(batch, first, background)
            yield tile


@cache
def _small_is_quick() -> bool:
    """Whether OpenBLAS has its kernels for small products here: those for AVX-512."""
    known = np.show_config(mode="dicts") or {}
    found = known.get("SIMD Extensions", {}).get("found", [])
    return "X86_V4" in found or "AVX512_SKX" in found


def _shape_of_densities(K: int, P: int, rows: int) -> tuple[int, int]:
    """How many rows and components a product Θ φ takes at once, so that it is a small one."""
    if not _small_is_quick():
        return rows, K
    for width in (rows, 168, 72, 56):
        if rows % width == 0 and K * P * width <= SMALL_PRODUCT:
            return width, K
    components = SMALL_PRODUCT // (56 * P)
    if rows % 56 == 0 and K < 32 and components >= 4:
        return 56, -(-K // -(-K // components))
    return rows, K


def _blocks_of_sums(K: int, P: int) -> list[tuple[slice, slice, int]]:
    """Blocks of r φᵀ (K, P): components, features, and in how many equal pieces these are taken,
    so that each product is a small one.
    """
    if not _small_is_quick():
        return [(slice(0, K), slice(0, P), 1)]
    blocks = []
    parts = -(-K // 64)
    for part in range(parts):
        some = slice(K * part // parts, K * (part + 1) // parts)
        at_once = max(SMALL_RESULT // (some.stop - some.start), 1)
        pieces, rest = divmod(P, min(at_once, P))
        if pieces > 1:  # equal ones, rather than a short last one
            at_once = P // (pieces + (rest > 0))
            pieces, rest = divmod(P, at_once)
        blocks.append((some, slice(0, P - rest), pieces))
        if rest:
            blocks.append((some, slice(P - rest, P), 1))
    return blocks
