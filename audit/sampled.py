"""Quantiles compared through their joint replicates: they have no influence to linearise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.intervals import Contrast, Estimates, order_p
from audit.values import percentile_limits

FloatArray = npt.NDArray[np.float64]


def sampled_estimates(value: FloatArray, replicates: FloatArray) -> Estimates:
    """Values (G,) with the variance of their replicates (B, G); NaN without two of them."""
    var, far = sampled_covariance(replicates, replicates), np.full(len(value), np.inf)
    return Estimates(value, var, far, far, np.zeros(len(value), dtype=np.bool_), far, far)


def sampled_covariance(a: FloatArray, b: FloatArray) -> FloatArray:
    """Covariance column by column of two sides' replicates (B, m); NaN without two of them."""
    good = ~(np.isnan(a) | np.isnan(b))
    n = good.sum(axis=0)
    off = [
        np.where(good, x - np.where(good, x, 0.0).sum(axis=0) / np.maximum(n, 1), 0.0)
        for x in (a, b)
    ]
    return np.where(n > 1, (off[0] * off[1]).sum(axis=0) / np.maximum(n - 1, 1), np.nan)


def sampled_contrasts(
    a: FloatArray, b: FloatArray, value_a: FloatArray, value_b: FloatArray
) -> tuple[Contrast, Contrast]:
    """Difference and ratio of quantiles from their replicates (B, m)."""
    found = []
    with np.errstate(divide="ignore", invalid="ignore"):
        cases = ((a - b, value_a - value_b), (np.log(a / b), np.log(value_a / value_b)))
    for samples, value in cases:
        value = np.where(np.isfinite(value), value, np.nan)
        samples = np.where(np.isfinite(samples), samples, np.nan)
        low, high, low_90, high_90 = percentile_limits(samples)
        p = np.array(
            [
                order_p(s[~np.isnan(s)]) if not np.isnan(x) else np.nan
                for s, x in zip(samples.T, low, strict=True)
            ]
        )
        found.append(Contrast(value, low, high, low_90, high_90, p))
    return found[0], exponential(found[1], value_a, value_b)


def exponential(c: Contrast, a: FloatArray, b: FloatArray) -> Contrast:
    """A log ratio as a ratio; a numerator of 0 keeps its value but has no interval."""
    value = np.where((a == 0) & (b > 0), 0.0, np.exp(c.value))
    return Contrast(value, np.exp(c.low), np.exp(c.high), np.exp(c.low_90), np.exp(c.high_90), c.p)
