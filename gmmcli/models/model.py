"""A mixture, the columns that it speaks of, and what the fit said about itself."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO

import numpy as np

from gmmcli.bounds import RANGES, shown
from gmmcli.errors import BadArgumentError, BadDataError
from gmmcli.frames import Frame, frame_of, values_of
from gmmcli.mixture.covariances import Array
from gmmcli.mixture.families import NAMES, family
from gmmcli.mixture.mixture import Mixture, log_sum_exp
from gmmcli.mixture.transforms import FUNCTIONS, Transform
from gmmcli.models.document import ARRAYS, FORMAT, KEYS, Document, plain, version_of
from gmmcli.models.domain import outside
from gmmcli.models.storage import decode, decode_file, encode
from gmmcli.models.views import components, facts_of, line
from gmmcli.output import open_output

DRAWN_AT_ONCE = 8192
"""Fixed: the draws of a block depend on its length."""


def _read_only(array: Array) -> Array:
    view = array.view()
    view.flags.writeable = False
    return view


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A Gaussian mixture of the columns of a table, in their units or transformed, with the names
    of the columns and the summary of its fit.

    `covariance` is the family's name (one of NAMES), `columns` (d,) the names of the
    features in their order, `summary` everything else that the document carries: plain JSON values
    under any name but those of `KEYS`, kept as they are. Where it has `clusters`, the components of
    each, these are what rows belong to, and else the components are. Where it has a `transform`,
    the name of a function for some columns, weights, means and covariances are those of the
    transformed columns; rows, densities and samples are in the units of the data all the same.

    Raises ValueError where the parts do not belong together.
    """

    mixture: Mixture
    covariance: str
    columns: tuple[str, ...]
    summary: Mapping[str, Any]

    def __post_init__(self) -> None:
        if len(self.columns) != self.mixture.n_features:
            raise ValueError(f"{len(self.columns)} columns, {self.mixture.n_features} features")
        if self.covariance not in NAMES:
            raise ValueError(f"no covariance family is named {self.covariance!r}")
        if not isinstance(self.mixture.covariances, family(self.covariance).storage):
            raise ValueError(f"{self.covariance} covariances have another shape")
        transform = self.summary.get("transform", {})
        if transform.keys() - set(self.columns) or set(transform.values()) - set(FUNCTIONS):
            raise ValueError("the transform is of other columns, or of functions unknown")
        if taken := self.summary.keys() & set(KEYS):
            raise ValueError(f"not for a summary: {', '.join(sorted(taken))}")

    def __repr__(self) -> str:
        return line("Model", facts_of(self))

    def _repr_html_(self) -> str:
        return components(self)

    def __eq__(self, other: object) -> bool:
        """The same mixture to the last bit, of the same columns, with the same summary, whether
        fitted or loaded.
        """
        if not isinstance(other, Model):
            return NotImplemented
        one, two = to_document(self), to_document(other)
        arrays = (np.array_equal(one.pop(key), two.pop(key)) for key in ARRAYS)
        return all([*arrays, one == two])

    def __hash__(self) -> int:
        return hash((self.covariance, self.columns, self.weights.tobytes()))

    @property
    def weights(self) -> Array:
        """π_k (K,), read-only."""
        return _read_only(self.mixture.weights)

    @property
    def means(self) -> Array:
        """μ_k (K, d), read-only."""
        return _read_only(self.mixture.means)

    @property
    def medians(self) -> Array:
        """The median of each column in each component (K, d), in the units of the data: the mean,
        where a column is not transformed.
        """
        return self.transform.inverse(self.means)

    @cached_property
    def transform(self) -> Transform:
        """Which columns the mixture sees transformed."""
        return Transform.of(self.columns, self.summary.get("transform", {}))

    @property
    def covariances(self) -> Array:
        """Σ_k as the file has them, read-only: (K, d, d) of full and tied, of tied K times the
        same; variances (K, d) of diag and spherical.
        """
        return _read_only(self.mixture.covariances.numbers)

    @property
    def log_likelihood(self) -> float | None:
        """That of the rows of the fit, in nats; None where nothing is known of it."""
        return self.summary.get("log_likelihood")

    @property
    def bic(self) -> float | None:
        """The Bayesian information criterion of the fit: lower is better; None where unknown."""
        return self.summary.get("bic")

    @property
    def aic(self) -> float | None:
        """Akaike's information criterion of the fit: lower is better; None where unknown."""
        return self.summary.get("aic")

    @property
    def converged(self) -> bool | None:
        """Whether the fit has; None where unknown."""
        return self.summary.get("converged")

    @property
    def n_components(self) -> int:
        """K."""
        return self.mixture.n_components

    @property
    def clusters(self) -> list[list[int]] | None:
        """The components of each cluster, where components are merged; else None."""
        return self.summary.get("clusters")

    @property
    def n_clusters(self) -> int:
        """How many clusters rows may belong to: K unless components are merged."""
        return self.n_components if self.clusters is None else len(self.clusters)

    @property
    def numbers(self) -> list[int]:
        """What each cluster is called (C,), in rising order: 0 to C − 1, unless numbers are kept
        from an earlier model.
        """
        return self.summary.get("numbers") or list(range(self.n_clusters))

    @property
    def component_numbers(self) -> list[int]:
        """What each component is called (K,): as its cluster, unless clusters have several."""
        return self.numbers if self.clusters is None else list(range(self.n_components))

    @property
    def n_features(self) -> int:
        """d."""
        return self.mixture.n_features

    @property
    def n_parameters(self) -> int:
        """The free parameters of its family; K d + 1 of k-means, as all weights are equal there and
        all variances one.
        """
        K, d = self.n_components, self.n_features
        if self.summary.get("algorithm") == "kmeans":
            return K * d + 1
        return family(self.covariance).n_parameters(K, d)

    def by_cluster(self, log_joint: Array, log_prob: Array) -> Array:
        """The log joint densities (n, C) of the clusters from those of the components (n, K) and
        their log sum (n,), which none exceeds.
        """
        if self.clusters is None:
            return log_joint
        merged = [log_sum_exp(log_joint[:, members].T) for members in self.clusters]
        return np.minimum(np.stack(merged, axis=1), log_prob[:, None])

    def predict(self, data: Any) -> Any:
        """The number of the most probable cluster of each row (see `numbers`).

        Of an array (n, d): an integer array (n,). Of a table with named columns (pandas, pyarrow,
        polars, whatever hands out an Arrow stream), which are found by name in any order: a table
        of the same kind with `cluster` and `probability`. Raises BadDataError for rows that cannot
        be judged.
        """
        frame, X = self._rows(data)
        if self.clusters is None:
            judgement = self.mixture.judge(X)
            labels, probability = judgement.labels, judgement.probability
        else:
            proba = self._proba(X)
            labels, probability = proba.argmax(axis=1).astype(np.int64), proba.max(axis=1)
        labels = np.array(self.numbers, np.int64)[labels]
        if frame is None:
            return labels
        return frame.answer({"cluster": labels, "probability": probability})

    def predict_proba(self, data: Any) -> Any:
        """The probability of each cluster: of an array (n, d) an array (n, C), of a table a table
        of `p0` … `p{C-1}` (see `numbers`), C = `n_clusters`. Each row sums to 1. Raises
        BadDataError for rows that cannot be judged.
        """
        frame, X = self._rows(data)
        proba = self._proba(X)
        if frame is None:
            return proba
        columns = enumerate(self.numbers)
        return frame.answer({f"p{number}": proba[:, c].copy() for c, number in columns})

    def _proba(self, X: Array) -> Array:
        log_joint = self.mixture.log_joint(X)
        log_prob = log_sum_exp(log_joint.T)
        return np.exp(self.by_cluster(log_joint, log_prob) - log_prob[:, None])

    def score_samples(self, data: Any) -> Any:
        """log p(x) of each row in nats: (n,), or a table of `log_density`."""
        frame, X = self._rows(data)
        log_prob = self._log_prob(X)
        return log_prob if frame is None else frame.answer({"log_density": log_prob})

    def score(self, data: Any) -> float:
        """The mean log-likelihood of the rows, in nats a row."""
        return float(np.mean(self._log_prob(self._rows(data)[1])))

    def _log_prob(self, Z: Array) -> Array:
        """log p(x) (n,) of rows from their transform."""
        return self.mixture.log_prob(Z) + self.transform.log_jacobian(Z)

    def _rows(self, data: Any) -> tuple[Frame | None, Array]:
        """The values (n, d) of the model's columns, found by name where there are names, as the
        mixture sees them.
        """
        frame = frame_of(data)
        if frame is None:
            X = values_of(data)
            if X.ndim != 2 or X.shape[1] != self.n_features:
                raise BadDataError(
                    f"data of shape {X.shape}", f"the model wants rows × {self.n_features} columns"
                )
        else:
            X = np.stack([frame.numbers(name) for name in self.columns], axis=1)
        if not np.isfinite(X).all():
            row, feature = np.argwhere(~np.isfinite(X))[0]
            raise BadDataError(
                f"row {row + 1}, column {self.columns[feature]!r}: {X[row, feature]} is not a "
                "finite number",
                "drop such rows or fill them in",
            )
        for row, feature in np.argwhere(self.transform.outside(X))[:1].tolist():
            column = self.columns[feature]
            function = self.summary["transform"][column]
            error = outside(f"row {row + 1}", column, X[row, feature], function)
            raise BadDataError(error.message, error.mend)
        return frame, self.transform.apply(X)

    def sample(self, n: int, seed: int = 0) -> Array:
        """Draw rows (n, d), the same as `gmmcli sample` with the same seed. Raises
        BadArgumentError.
        """
        for name, value in (("n", n), ("seed", seed)):
            if RANGES[name].taken(value) is None:
                raise BadArgumentError(f"{name}={shown(value)}", f"give {RANGES[name]}")
        return np.concatenate([np.empty((0, self.n_features)), *self.draws(n, seed)])

    def draws(self, n: int, seed: int) -> Iterator[Array]:
        """The rows of `sample`, some at a time."""
        rng = np.random.default_rng(seed)
        for start in range(0, n, DRAWN_AT_ONCE):
            rows = self.mixture.sample(min(DRAWN_AT_ONCE, n - start), rng)[0]
            yield self.transform.inverse(rows)

    def save(self, path: str) -> None:
        """Write the model to a .json or .npz file, whole or not at all.

        Raises CannotCreateError or InputOutputError.
        """
        save(self, path)


def to_document(model: Model) -> Document:
    """The document of a model: the arrays as arrays, NaN and infinities of the summary as None."""
    return {
        "format": FORMAT,
        "format_version": version_of(model.summary),
        "covariance": model.covariance,
        "columns": list(model.columns),
        "weights": model.weights,
        "means": model.means,
        "covariances": model.covariances,
        **{key: plain(value) for key, value in model.summary.items()},
    }


def dumps(model: Model, *, as_npz: bool, name: str = "the model") -> bytes:
    """The bytes of a model file that messages call `name`. Raises CannotCreateError for a model
    that could not be read back.
    """
    return encode(to_document(model), as_npz=as_npz, name=name)


def loads(data: bytes, name: str) -> Model:
    """The model of the bytes of a file that messages call `name`. Raises UserError."""
    return read(io.BytesIO(data), name)


def save(model: Model, path: str) -> None:
    """Save a model, as NPZ where the name ends in .npz and as JSON elsewhere; whole or not at all.

    Raises CannotCreateError, InputOutputError.
    """
    data = dumps(model, as_npz=path.lower().endswith(".npz"), name=path)
    with open_output(path) as out:
        out.write(data)


def load(path: str) -> Model:
    """The model of a file.

    Raises InputNotFoundError where there is none, UserError where it is not a sound model.
    """
    return Model(*decode_file(path))


def read(file: BinaryIO, name: str) -> Model:
    """The model of an open file or pipe that messages call `name`. Raises UserError where it is not
    a sound model, InputOutputError where it cannot be read.
    """
    return Model(*decode(file, name))
