"""Calibration of predicted age distributions that no plain mean shows: spread, and the PIT.

Both are plug-in errors, biased upward, so they have no interval and no gap; each stands beside its
mean under calibration. Their formulas read the sums of ``distribution_curves``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import fdtrc, gammainc, gammaln

from audit.metrics.core import Array, Metric, Sums, divide
from audit.metrics.distribution_curves import PIT_BINS, SPREAD_BINS
from audit.metrics.distribution_features import DistributionPlan

FloatArray = npt.NDArray[np.float64]


def _ence(s: Sums) -> Array:
    expected, seen = (
        np.sqrt(divide(s[name], s["spread_w"])) for name in ("spread_s2", "spread_e2")
    )
    filled = s["spread_w"] > 0
    off = np.where(filled, np.abs(expected - seen), 0.0)
    ratio = np.where(filled, divide(off, np.where(filled, expected, 1.0)), 0.0)
    return divide(ratio.sum(axis=-1), filled.sum(axis=-1).astype(np.float64))


def _pit_distance(s: Sums) -> Array:
    share = divide(s["pit"], s["pit"].sum(axis=-1)[..., None])
    return np.asarray(np.abs(share - 1 / PIT_BINS).sum(axis=-1) / 2)


def calibration_of_distributions(plan: DistributionPlan) -> tuple[Metric, ...]:
    """The error of the predicted spread, and how far the PIT is from uniform."""
    ence = Metric(
        name="ence",
        interval="none",
        unit="share of the predicted spread",
        better="lower",
        definition=f"mean over {SPREAD_BINS} bins of predicted spread s, equally many faces of the "
        "table in each, of abs(RMV - RMSE) / RMV with RMV = sqrt(mean s^2)",
        source="expected normalised calibration error: Levi et al. (2022), doi:10.3390/s22155540",
        features=("spread_w", "spread_s2", "spread_e2"),
        formula=_ence,
        undefined="no_spread",
    )
    pit = Metric(
        name="pit_distance",
        interval="none",
        unit="share",
        better="lower",
        definition=f"share of faces in the wrong one of {PIT_BINS} bins of the probability "
        "integral transform: sum_b abs(share_b - 1/bins) / 2; p: Rao-Scott test by person that "
        "the transform is uniform",
        source="Dawid (1984); Czado, Gneiting and Held (2009); Rao and Scott (1984)",
        features=("pit",),
        formula=_pit_distance,
    )
    return (pit,) if plan.is_band else (ence, pit)


def expected_ence(s: Sums) -> FloatArray:
    """Mean of ``ence`` if every face's error came from its own distribution, independently.

    A bin's sum of squared errors is then about RMV^2 chi^2_nu / nu with the nu that matches its
    variance, and E|1 - sqrt(chi^2_nu / nu)| is exact.
    """
    filled = s["spread_w"] > 0
    safe = filled & (s["spread_v"] > 0)
    nu = np.where(safe, 2 * s["spread_s2"] ** 2 / np.where(safe, s["spread_v"], 1.0), 1.0)
    mean = np.exp(gammaln((nu + 1) / 2) - gammaln(nu / 2)) * np.sqrt(2 / nu)
    short = gammainc(nu / 2, nu / 2) - mean * gammainc((nu + 1) / 2, nu / 2)
    bins = np.where(safe, mean - 1 + 2 * short, 0.0)
    return np.asarray(divide(bins.sum(axis=-1), filled.sum(axis=-1).astype(np.float64)))


def uniformity(sums: FloatArray) -> tuple[float, float]:
    """Test that a histogram of persons' shares is uniform.

    Parameters
    ----------
    sums : array (m, B)
        Weight of every person in every bin.

    Returns
    -------
    p, expected
        P-value of the second-order corrected chi-square of Rao and Scott (1984,
        doi:10.1214/aos/1176346391) in its F form (Thomas and Rao, 1987,
        doi:10.1080/01621459.1987.10478482): the covariance of the shares is that of the persons,
        so photos of one person count for what they are worth. And the mean of ``pit_distance``
        under uniformity with this covariance. NaN with fewer than 2 persons or no variation.
    """
    m, bins = sums.shape
    total = sums.sum()
    if m < 2 or total <= 0:
        return np.nan, np.nan
    share = sums.sum(axis=0) / total
    residual = (sums - sums.sum(axis=1)[:, None] * share) / total
    covariance = residual.T @ residual * m / (m - 1)
    relative = covariance * bins
    first, second = float(np.trace(relative)), float((relative * relative.T).sum())
    expected = float(np.sqrt(2 * np.diag(covariance) / np.pi).sum() / 2)
    if first <= 1e-14:
        return np.nan, np.nan
    df = first * first / second
    statistic = float(((share - 1 / bins) ** 2).sum() * bins)
    return float(fdtrc(df, df * (m - 1), statistic / first)), expected
