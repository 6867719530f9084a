"""A predicted distribution of age for every face: normal, or probabilities of fixed ages.

A table gives it as ``age_std`` (normal with mean ``age_pred``) or as ``prob_age_<centre>`` columns:
P(age = centre), all of the mass on the centres, none between or beyond them. Where a table has
both, the probabilities are taken: they say more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr, ndtri

from audit.classes import SUM_TOLERANCE
from audit.columns import MAX_ESTIMATE, AgeColumn, as_number
from audit.errors import InputError

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
STD, PROB_AGE = "age_std", "prob_age_"
MIN_STD = 1e-6
_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class NormalAges:
    """A normal distribution for every face; ``mean`` and ``std`` (n,) in years."""

    mean: FloatArray
    std: FloatArray

    kind = "normal"
    centres: tuple[float, ...] = ()

    def take(self, rows: npt.NDArray[np.int64]) -> NormalAges:
        """Some of the faces."""
        return NormalAges(self.mean[rows], self.std[rows])

    @property
    def spread_of_square(self) -> FloatArray:
        """Variance of the squared deviation from the mean, (n,): 2 s^4."""
        return np.asarray(2.0 * self.std**4)

    def below(self, edges: FloatArray) -> FloatArray:
        """P(Y < edge), shape (n, E)."""
        z = (np.asarray(edges)[None, :] - self.mean[:, None]) / self.std[:, None]
        return np.asarray(ndtr(z))

    def cdf(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """P(Y < y) and P(Y <= y) at one age per face, (n,) each."""
        found = np.asarray(ndtr((y - self.mean) / self.std))
        return found, found

    def columns(self) -> dict[str, FloatArray]:
        """As columns of a table."""
        return {STD: self.std}

    def quantiles(self, levels: Sequence[float]) -> FloatArray:
        """Quantiles, shape (n, Q)."""
        return np.asarray(self.mean[:, None] + self.std[:, None] * ndtri(np.asarray(levels)))

    def crps(self, y: FloatArray) -> FloatArray:
        """CRPS, (n,): s (z (2 Phi(z) - 1) + 2 phi(z) - pi^-1/2), z = (y - mean) / s."""
        z = (y - self.mean) / self.std
        density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
        return np.asarray(self.std * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / math.sqrt(math.pi)))


@dataclass(frozen=True, eq=False)
class GridAges:
    """Probabilities (n, K) of the ages ``centres`` (K,), rising; every row sums to 1."""

    centres: tuple[float, ...]
    proba: FloatArray

    kind = "grid"

    def take(self, rows: npt.NDArray[np.int64]) -> GridAges:
        """Some of the faces."""
        return GridAges(self.centres, self.proba[rows])

    @property
    def mean(self) -> FloatArray:
        """Expected age, (n,)."""
        return np.asarray(self.proba @ np.asarray(self.centres))

    @property
    def std(self) -> FloatArray:
        """Standard deviation, (n,); exactly 0 where all of the mass is on one centre."""
        return np.asarray(np.sqrt(self._moment(2)))

    @property
    def spread_of_square(self) -> FloatArray:
        """Variance of the squared deviation from the mean, (n,): m_4 - s^4."""
        return np.maximum(self._moment(4) - self._moment(2) ** 2, 0.0)

    def _moment(self, power: int) -> FloatArray:
        off = np.asarray(self.centres)[None, :] - self.mean[:, None]
        found = (self.proba * off**power).sum(axis=1)
        return np.where(self.proba.max(axis=1) >= 1 - _TINY, 0.0, found)

    def _steps(self) -> FloatArray:
        """P(Y <= centre) with a 0 before the first, shape (n, K + 1)."""
        found = np.zeros((len(self.proba), self.proba.shape[1] + 1))
        np.cumsum(self.proba, axis=1, out=found[:, 1:])
        found[:, -1] = 1.0
        return found

    def below(self, edges: FloatArray) -> FloatArray:
        """P(Y < edge), shape (n, E)."""
        return np.asarray(self._steps()[:, np.searchsorted(self.centres, edges, side="left")])

    def cdf(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """P(Y < y) and P(Y <= y) at one age per face, (n,) each."""
        steps, rows = self._steps(), np.arange(len(y))
        at = [np.searchsorted(self.centres, y, side=side) for side in ("left", "right")]
        return steps[rows, at[0]], steps[rows, at[1]]

    def columns(self) -> dict[str, FloatArray]:
        """As columns of a table."""
        texts = [f"{c:g}" if float(f"{c:g}") == c else repr(c) for c in self.centres]
        return {f"{PROB_AGE}{text}": self.proba[:, k] for k, text in enumerate(texts)}

    def quantiles(self, levels: Sequence[float]) -> FloatArray:
        """The smallest centre with P(Y <= centre) >= level, shape (n, Q)."""
        steps, centres = self._steps()[:, 1:], np.asarray(self.centres)
        at = [(steps < level - _TINY).sum(axis=1) for level in levels]
        return np.asarray(np.stack([centres[np.minimum(k, len(centres) - 1)] for k in at], axis=1))

    def crps(self, y: FloatArray) -> FloatArray:
        """CRPS, (n,): E|Y - y| - E|Y - Y'| / 2, exact for any y, on a centre or not."""
        centres = np.asarray(self.centres)
        steps = self._steps()[:, 1:-1]
        apart = (steps * (1 - steps)) @ np.diff(centres)
        return np.asarray((self.proba * np.abs(centres[None, :] - y[:, None])).sum(axis=1) - apart)


AgeDistribution = NormalAges | GridAges


def read_distribution(
    frame: pd.DataFrame, estimate: AgeColumn, place: str
) -> tuple[AgeDistribution | None, list[str]]:
    """The predicted distribution of an age table, checked, and the columns that held it.

    A column without a single value counts as absent. Where the face was not processed the
    distribution is not looked at.

    Raises
    ------
    InputError
        ``age_std`` is not above 0 and finite where the face was processed, or ages are predicted as
        bands; a centre is no number, occurs twice or does not rise; probabilities are negative,
        missing or do not sum to 1.
    """
    columns = [name for name in map(str, frame.columns) if name.startswith(PROB_AGE)]
    grid = _grid(frame, columns, estimate.known, place) if columns else None
    if STD not in frame.columns:
        return grid, columns
    std = as_number(frame[STD], place)
    if grid is not None or np.isnan(std).all():
        return grid, columns
    if estimate.is_band:
        raise InputError(
            f"{place}: age_std goes with age_pred in years, but ages are predicted as bands; "
            "give age_pred in years or leave age_std out"
        )
    wrong = estimate.known & ~((std >= MIN_STD) & (std <= MAX_ESTIMATE))
    if wrong.any():
        row = int(wrong.argmax())
        shown = "empty or not finite" if np.isnan(std[row]) else f"{std[row]:g}"
        raise InputError(
            f"{place} row {row + 1}: age_std is {shown}, must be above 0 ({MIN_STD:g} to "
            f"{MAX_ESTIMATE:g} years) where the face was processed; empty age_pred if it failed, "
            "or leave the column out"
        )
    return NormalAges(estimate.low, std), [STD]


def _grid(
    frame: pd.DataFrame, columns: list[str], processed: BoolArray, place: str
) -> GridAges | None:
    centres = _centres(columns, place)
    proba = np.column_stack([as_number(frame[name], place) for name in columns])
    if np.isnan(proba).all():
        return None
    total = proba.sum(axis=1)
    outside = (proba < 0).any(axis=1) | (proba > 1 + SUM_TOLERANCE).any(axis=1)
    wrong = processed & (outside | ~(np.abs(total - 1) <= SUM_TOLERANCE))
    if wrong.any():
        row = int(wrong.argmax())
        found = (
            "are empty in part or not finite"
            if np.isnan(total[row])
            else f"sum to {total[row]:.4g} (smallest {proba[row].min():.4g})"
        )
        raise InputError(
            f"{place} row {row + 1}: {PROB_AGE}* {found}, must be probabilities that sum to "
            f"1 +- {SUM_TOLERANCE} where the face was processed; empty age_pred if it failed"
        )
    return GridAges(centres, proba / np.where(total > 0, total, np.nan)[:, None])


def _centres(columns: list[str], place: str) -> tuple[float, ...]:
    found: list[float] = []
    for name in columns:
        text = name.removeprefix(PROB_AGE)
        try:
            age = float(text)
        except ValueError:
            age = math.nan
        if not math.isfinite(age):
            raise InputError(
                f"{place}: column {name!r}: {text!r} is no age in years; name the columns "
                f"{PROB_AGE}0, {PROB_AGE}1, ..."
            )
        if found and age <= found[-1]:
            raise InputError(
                f"{place}: column {name!r} comes after {PROB_AGE}{found[-1]:g}; the ages must "
                "rise from column to column, each once; put them in order"
            )
        found.append(age)
    if len(found) < 2:
        raise InputError(
            f"{place}: {columns[0]!r} is the only {PROB_AGE}* column; a distribution needs at "
            "least two ages"
        )
    return tuple(found)
