"""What a metric is: a vectorised formula of weighted sums, written once.

The same formula gives the point value, its gradient (hence the influence of every person and the
interval), the bootstrap replicates, the folds of the debiasing and the sums of merged shards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from audit.rows import Better

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
Sums = Mapping[str, Array]
Formula = Callable[..., Array]

Interval = Literal["log_t", "logit_t", "t", "fisher_t", "wilson", "percentile", "none"]
"""How the interval of a value is made; see ``audit.intervals``."""

_SCALES = {"log_t": "log", "logit_t": "logit", "fisher_t": "Fisher z", "wilson": "score"}
_STEP = 1e-30
_TINY = 1e-12


@dataclass(frozen=True)
class Layout:
    """Names and shapes of the features that stand side by side in one matrix of sums."""

    shapes: Mapping[str, tuple[int, ...]]

    @cached_property
    def _slices(self) -> dict[str, slice]:
        ends = np.cumsum([0, *(int(np.prod(shape)) for shape in self.shapes.values())]).tolist()
        return {name: slice(*pair) for name, pair in zip(self.shapes, pairwise(ends), strict=True)}

    @property
    def size(self) -> int:
        """Number of columns."""
        return max((part.stop for part in self._slices.values()), default=0)

    def columns(self, *names: str) -> npt.NDArray[np.int64]:
        """Columns of some features."""
        parts = [self._slices[name] for name in names]
        return np.array([i for part in parts for i in range(part.start, part.stop)], dtype=np.int64)

    def unpack(self, totals: Array) -> dict[str, Array]:
        """Sums of shape (..., F) as one array of shape (..., shape of the feature) for each."""
        lead = totals.shape[:-1]
        return {
            name: totals[..., self._slices[name]].reshape((*lead, *shape))
            for name, shape in self.shapes.items()
        }


@dataclass(frozen=True)
class Metric:
    """One metric, or one class of a per-class metric.

    Parameters
    ----------
    name, class_ : str
        The name in the record, and the class for per-class metrics.
    interval : {"log_t", "logit_t", "t", "fisher_t", "wilson", "percentile", "none"}
        The kind of interval that holds for this type of metric.
    features : tuple of str
        The sums that the formula reads.
    formula : callable
        Sums of shape (..., shape of the feature) to values (...,), NaN where undefined. Where
        ``masked``, it also takes ``classes``, the mask (..., K) of the classes in the mean.
    parts : callable, optional
        Sums to (numerator, denominator) of a ratio: gives each proportion its own persons.
    counts : callable, optional
        Sums to the number of faces that enter the value, where it is not all of the group.
    has_gaps : bool
        Whether groups are compared by it; a value that only explains another one need not be.
    bare : str
        The note of a metric whose ``interval`` is "none".
    rowwise : bool
        The value comes from sorted faces (``audit.calibrated``), not from the formula.
    """

    name: str
    interval: Interval
    unit: str
    better: Better
    definition: str
    source: str
    features: tuple[str, ...]
    formula: Formula
    class_: str | None = None
    parts: Callable[[Sums], tuple[Array, Array]] | None = None
    counts: Callable[[Sums], Array] | None = None
    masked: bool = False
    has_ratio: bool = False
    has_gaps: bool = True
    undefined: str = "empty_group"
    undefined_note: Callable[[Sums], str] | None = None
    quantile: float | None = None
    bare: str = "biased_small_n"
    rowwise: bool = False

    @property
    def scale(self) -> str:
        """The scale on which the interval is made."""
        return _SCALES.get(self.interval, "identity")

    @property
    def counts_failures(self) -> bool:
        """Whether faces that were not processed enter the value."""
        return any("failed" in name for name in self.features)

    @property
    def key(self) -> str:
        """Name with its class."""
        return self.name if self.class_ is None else f"{self.name}[{self.class_}]"


def divide(numerator: Array, denominator: Array) -> Array:
    """Elementwise ratio, NaN where the denominator is not positive; complex-safe."""
    good = denominator.real > 0
    return np.where(good, numerator / np.where(good, denominator, 1.0), np.nan)


def ratio_of(parts: Callable[[Sums], tuple[Array, Array]]) -> Formula:
    """The formula numerator / denominator."""
    return lambda sums: divide(*parts(sums))


def variance(first: Array, second: Array, weight: Array) -> Array:
    """Weighted population variance from centred raw sums; 0 where it is only rounding."""
    mean, square = divide(first, weight), divide(second, weight)
    found = square - mean * mean
    return np.where(found.real <= _TINY * square.real, 0.0, found)


def gradient(metric: Metric, layout: Layout, totals: FloatArray, **mask: Array) -> FloatArray:
    """Derivative of the formula by every sum, shape (..., F), by a complex step.

    Exact to rounding, since the step of 1e-30 is never subtracted (Squire and Trapp, 1998,
    doi:10.1137/S003614459631241X).
    """
    found = np.zeros_like(totals)
    for column in layout.columns(*metric.features):
        stepped = totals.astype(np.complex128)
        stepped[..., column] += 1j * _STEP
        found[..., column] = metric.formula(layout.unpack(stepped), **mask).imag / _STEP
    return found
