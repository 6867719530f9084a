"""Spread of a metric over many groups: one number for G values, shape (..., G).

All but ``tau2`` are at least 0 (or away from 1 on one side only), so noise alone moves them away
from parity, the more so the smaller and the more numerous the groups.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from audit.result import MetricSpec
from audit.rows import Better

FloatArray = npt.NDArray[np.float64]
ALPHA = 0.5


def sd_between(values: FloatArray) -> FloatArray:
    """Standard deviation over the groups, sqrt(sum_g (M_g - mean)^2 / (G - 1))."""
    return np.asarray(np.std(values, axis=-1, ddof=1))


def tau2(values: FloatArray, covariance: FloatArray) -> FloatArray:
    """Between-group variance less what sampling noise adds to it; may be negative.

    S^2 - (tr V - 1'V 1 / G) / (G - 1) with S the standard deviation over the groups and V the
    covariance (G, G) of their estimates; for groups without common persons this is the first
    correction of Lum, Zhang and Bower (2022), arXiv:2205.05770: S^2 - mean of se_g^2.

    Examples
    --------
    >>> float(tau2(np.array([2.0, 3.0, 4.0]), np.diag([0.09, 0.16, 0.25])).round(9))
    0.833333333
    """
    g = values.shape[-1]
    noise = (np.trace(covariance) - covariance.sum() / g) / (g - 1)
    return np.asarray(np.var(values, axis=-1, ddof=1) - noise)


def gini(values: FloatArray) -> FloatArray:
    """Gini coefficient G / (G - 1) sum_gh |M_g - M_h| / (2 G^2 mean), in [0, 1]; NaN at mean 0.

    With the factor G / (G - 1) a single group that bears everything has 1 (Howard et al., 2022,
    arXiv:2203.05051).

    Examples
    --------
    >>> float(gini(np.array([2.0, 3.0, 4.0])) * 9)
    2.0
    """
    g = values.shape[-1]
    order = 2 * np.arange(1, g + 1) - g - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (np.sort(values, axis=-1) * order).sum(axis=-1) / values.sum(axis=-1) / (g - 1)
    return np.where(values.sum(axis=-1) > 0, found, np.nan)


def gei_between(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Generalised entropy index (alpha 2) between groups: sum_g w_g ((M_g / mean)^2 - 1) / 2.

    ``weights`` (G,) are the faces of each group; the mean is weighted too. It is the part of the
    index over single faces that the groups explain (Speicher et al., 2018,
    doi:10.1145/3219819.3220046). NaN at mean 0.

    Examples
    --------
    >>> float(gei_between(np.array([1.0, 1.25, 0.75]), np.array([2.0, 4.0, 4.0])).round(12))
    0.025
    """
    share = weights / weights.sum()
    mean = (values * share).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (share * (values - mean[..., None]) ** 2).sum(axis=-1) / mean**2 / 2
    return np.where(mean > 0, found, np.nan)


def gei_total(mean: float, mean_square: float) -> float:
    """Generalised entropy index (alpha 2) over single faces: (E[b^2] / E[b]^2 - 1) / 2."""
    return (mean_square / mean**2 - 1) / 2 if mean > 0 else float("nan")


def garbe(a: FloatArray, b: FloatArray, alpha: float = ALPHA) -> FloatArray:
    """The mean alpha Gini(a) + (1 - alpha) Gini(b) over two error rates; 0 is parity.

    A rate that is 0 in every group is the same in every group and adds 0 (Howard et al., 2022).
    """
    parts = [np.where((x == 0).all(axis=-1), 0.0, gini(x)) for x in (a, b)]
    return np.asarray(alpha * parts[0] + (1 - alpha) * parts[1])


def fdr(a: FloatArray, b: FloatArray, alpha: float = ALPHA) -> FloatArray:
    """Fairness Discrepancy Rate 1 - (alpha max |da| + (1 - alpha) max |db|); 1 is parity.

    De Freitas Pereira and Marcel (2021), arXiv:2011.02395.
    """
    return np.asarray(1 - alpha * np.ptp(a, axis=-1) - (1 - alpha) * np.ptp(b, axis=-1))


def inequity(a: FloatArray, b: FloatArray, alpha: float = ALPHA) -> FloatArray:
    """Inequity rate (max a / min a)^alpha (max b / min b)^(1 - alpha); 1 is parity.

    NaN where a group has no error of a kind: ratios to 0 do not exist.
    """
    low = np.minimum(a.min(axis=-1), b.min(axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (a.max(axis=-1) / a.min(axis=-1)) ** alpha
        found = found * (b.max(axis=-1) / b.min(axis=-1)) ** (1 - alpha)
    return np.where(low > 0, found, np.nan)


def _spec(unit: str, better: Better, definition: str, source: str) -> MetricSpec:
    return MetricSpec(
        unit=unit,
        better=better,
        scale="identity",
        interval="none",
        definition=definition,
        source=source,
    )


_OF = "; of the error rate 1 - M for shares of which more is better"
_TWO = "of the one-vs-rest false positive and false negative rate, each with weight 1/2"


def spread_specs() -> Mapping[str, MetricSpec]:
    """What each kind of aggregate is, for the record."""
    return {
        "sd_between": _spec(
            "of the metric",
            "lower",
            "standard deviation of M_g over the groups, divisor G - 1",
            "standard",
        ),
        "tau2": _spec(
            "of the metric, squared",
            "lower",
            "variance of M_g over the groups less what sampling noise adds: mean 0 without true "
            "differences, and then negative half of the time",
            "Lum, Zhang and Bower (2022), arXiv:2205.05770",
        ),
        "gini": _spec(
            "index",
            "lower",
            f"G / (G - 1) sum_gh |M_g - M_h| / (2 G^2 mean){_OF}",
            "Howard et al. (2022), arXiv:2203.05051",
        ),
        "gei_between": _spec(
            "index",
            "lower",
            "sum_g share_g ((M_g / mean)^2 - 1) / 2, the part of the generalised entropy index "
            f"(alpha 2) of single faces that lies between the groups{_OF}",
            "Speicher et al. (2018), doi:10.1145/3219819.3220046",
        ),
        "garbe": _spec(
            "index", "lower", f"mean Gini {_TWO}", "Howard et al. (2022), arXiv:2203.05051"
        ),
        "fdr": _spec(
            "share",
            "higher",
            f"1 - mean largest difference {_TWO}",
            "de Freitas Pereira and Marcel (2021), arXiv:2011.02395",
        ),
        "inequity": _spec(
            "ratio",
            "lower",
            f"geometric mean of max / min {_TWO}",
            "Grother (NIST), as in Howard et al. (2022), arXiv:2203.05051",
        ),
    }
