"""Gaps on equal terms: direct standardisation, and Kitagawa's split into mix and rate.

Groups differ in what they are made of, in age above all. With strata a, a group's value is
M_g = sum_a q_ga m_ga: its mix q and its values m. Standardised, both groups have the mix w of a
reference: D = sum_a w_a (m_ia - m_ja). Kitagawa (1955, doi:10.1080/01621459.1955.10501299) splits
the plain difference: mix = sum_a (q_ia - q_ja)(m_ia + m_ja) / 2, and
rate = sum_a (m_ia - m_ja)(q_ia + q_ja) / 2, which add up to it exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.metrics.core import Array, divide

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
_STEP = 1e-30
MAX_EXCLUDED = 0.10
"""More of a reference's weight than this outside the common strata, and there is no comparison."""


@dataclass(frozen=True, eq=False)
class Strata:
    """Sums of a mean's numerator and denominator by group and stratum, (..., A) each.

    ``pool`` is the denominator of everyone, for the mix of the pooled table.
    """

    top_a: Array
    bottom_a: Array
    top_b: Array
    bottom_b: Array
    pool: Array


Contrast = Callable[[Strata], Array]
_NAMES = ("top_a", "bottom_a", "top_b", "bottom_b", "pool")


def standardised(common: BoolArray, weights: FloatArray | None = None) -> Contrast:
    """The difference at equal mix, over the strata that both groups have.

    Parameters
    ----------
    common : array of bool (..., A)
        Strata that enter; the weights are scaled to sum to 1 over them.
    weights : array (A,), optional
        The mix of a reference, held fixed; by default that of everyone, which varies with the
        sample.
    """

    def value(s: Strata) -> Array:
        w = np.where(common, s.pool if weights is None else weights, 0.0)
        gap = divide(s.top_a, s.bottom_a) - divide(s.top_b, s.bottom_b)
        total = w.sum(axis=-1)
        return divide(np.where(common, w * gap, 0.0).sum(axis=-1), total)

    return value


def _parts(s: Strata) -> tuple[Array, Array, Array, Array]:
    """Means and shares of both groups; a stratum that neither has counts 0."""
    empty = (s.bottom_a.real <= 0) & (s.bottom_b.real <= 0)
    means = (divide(s.top_a, s.bottom_a), divide(s.top_b, s.bottom_b))
    m_a, m_b = (np.where(empty, 0.0, m) for m in means)
    q_a, q_b = (b / b.sum(axis=-1)[..., None] for b in (s.bottom_a, s.bottom_b))
    return m_a, m_b, q_a, q_b


def kitagawa_mix(s: Strata) -> Array:
    """The part of the difference that comes from the mix; NaN where a stratum has one side only."""
    m_a, m_b, q_a, q_b = _parts(s)
    return np.asarray(((q_a - q_b) * (m_a + m_b) / 2).sum(axis=-1))


def kitagawa_rate(s: Strata) -> Array:
    """The part that comes from the values in the strata; NaN as for the mix."""
    m_a, m_b, q_a, q_b = _parts(s)
    return np.asarray(((m_a - m_b) * (q_a + q_b) / 2).sum(axis=-1))


def slopes(contrast: Contrast, s: Strata) -> dict[str, FloatArray]:
    """Derivative of a contrast by every sum, by a complex step; shapes as the sums'."""
    found = {}
    for name in _NAMES:
        part = getattr(s, name)
        out = np.zeros(part.shape)
        for a in range(part.shape[-1]):
            stepped = {n: getattr(s, n).astype(np.complex128) for n in _NAMES}
            stepped[name][..., a] += 1j * _STEP
            out[..., a] = contrast(Strata(**stepped)).imag / _STEP
        found[name] = np.nan_to_num(out)
    return found
