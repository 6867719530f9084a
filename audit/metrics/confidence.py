"""Calibration that can be compared between groups: not moved by how many faces a group has.

Confidence bias is a mean. The squared calibration error of a bin is the square of a mean, and the
square of a noisy mean is too large by its variance; the product of the means of two halves of the
people is not, since their noise is independent. Both are sums, so people with many photos, weights,
replicates and shards are handled as everywhere else.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from audit.metrics.binning import MASS_RULE, N_COARSE
from audit.metrics.core import Array, Metric, Sums, divide, ratio_of


def _squared(s: Sums, suffix: str = "") -> Array:
    weight, gap = s[f"half_w{suffix}"], s[f"half_gap{suffix}"]
    product, share = weight[..., 0, :] * weight[..., 1, :], weight.sum(axis=-2)
    both = product.real > 0
    error = np.where(both, gap[..., 0, :] * gap[..., 1, :] / np.where(both, product, 1.0), 0.0)
    share = np.where(both, share, 0.0)
    return divide((share * error).sum(axis=-1), share.sum(axis=-1))


def _spiegelhalter(s: Sums, suffix: str = "") -> Array:
    spread = s[f"z_var{suffix}"]
    good = spread.real > 0
    return np.where(good, s[f"z_sum{suffix}"] / np.sqrt(np.where(good, spread, 1.0)), np.nan)


def confidence_metrics(suffix: str = "") -> tuple[Metric, ...]:
    """Signed confidence bias, debiased squared calibration error, and Spiegelhalter's z."""
    scaled = "; of the logits before they are scaled" if suffix else ""

    def parts(s: Sums) -> tuple[Array, Array]:
        return s[f"conf_gap{suffix}"], s["w"]

    return (
        Metric(
            name=f"confidence_bias{suffix}",
            interval="t",
            unit="probability",
            better="zero",
            definition="mean confidence - accuracy of the top class; above 0 is over-confident"
            + scaled,
            source="standard",
            features=(f"conf_gap{suffix}", "w"),
            formula=ratio_of(parts),
        ),
        Metric(
            name=f"squared_ce{suffix}",
            interval="t",
            unit="squared probability",
            better="lower",
            definition="sum_b share_b gap_b1 gap_b2, the debiased squared calibration error: "
            "gap_bh = mean (confidence - [top class right]) of half h of the people (by hash of "
            "the person) in bin b; its mean is 0 under perfect calibration at every n, so it may "
            f"be negative; {N_COARSE} equal-mass bins, {MASS_RULE}; bins without people of both "
            f"halves are left out{scaled}",
            source="debiasing after Kumar, Liang and Ma (2019), arXiv:1909.10155; by halves here, "
            "so that photos of one person do not bias it",
            features=(f"half_w{suffix}", f"half_gap{suffix}"),
            formula=partial(_squared, suffix=suffix),
            undefined="empty_half",
        ),
        Metric(
            name=f"spiegelhalter_z{suffix}",
            interval="none",
            unit="z",
            better="zero",
            definition="sum_i w_i (h_i - c_i)(1 - 2 c_i) / sqrt(sum_i w_i^2 (1 - 2 c_i)^2 c_i "
            "(1 - c_i)) with confidence c and h = [top class right]; about N(0, 1) if calibrated "
            f"and faces are independent, grows with n{scaled}",
            source="Spiegelhalter (1986), doi:10.1002/sim.4780050506",
            features=(f"z_sum{suffix}", f"z_var{suffix}"),
            formula=partial(_spiegelhalter, suffix=suffix),
            undefined="certain",
            bare="test_statistic",
        ),
    )
