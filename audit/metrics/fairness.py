"""Statistics of how predictions and labels differ between the groups of an attribute.

Every one is written once, as a function of the weighted confusion sums of all groups, shape
(..., G, K, K) with [group, true, predicted], or of rates made from them. Sums are additive over
persons and shards. A group without a face of a class has no recall of it and is left out there; a
class that fewer than two groups have is left out of means over classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from audit.metrics.core import divide
from audit.metrics.representation import entropy, tv_distance

FloatArray = npt.NDArray[np.float64]


def row_rates(confusion: FloatArray) -> FloatArray:
    """P(predicted = l given true = k, group), (..., G, K, K); NaN rows without a face."""
    return np.asarray(divide(confusion, confusion.sum(axis=-1, keepdims=True)))


def predicted_rates(confusion: FloatArray) -> FloatArray:
    """P(predicted = k given group), shape (..., G, K)."""
    predicted = confusion.sum(axis=-2)
    return np.asarray(divide(predicted, predicted.sum(axis=-1, keepdims=True)))


def accuracies(confusion: FloatArray) -> FloatArray:
    """P(predicted = true given group), shape (..., G)."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1).sum(axis=-1)
    return np.asarray(divide(hits, confusion.sum(axis=(-2, -1))))


def recalls(rows: FloatArray) -> FloatArray:
    """The diagonal of row rates, shape (..., G, K)."""
    return np.asarray(np.diagonal(rows, axis1=-2, axis2=-1))


def spread(rates: FloatArray, axis: int = -2) -> FloatArray:
    """max_g - min_g over the groups that have a rate; NaN where fewer than two do."""
    few = (~np.isnan(rates)).sum(axis=axis) < 2
    found = _quiet(np.nanmax, rates, axis) - _quiet(np.nanmin, rates, axis)
    return np.where(few, np.nan, found)


def _quiet(of: Callable[..., FloatArray], values: FloatArray, axis: int) -> FloatArray:
    """A ``nan`` function that gives NaN for nothing, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(of(values, axis=axis))


def equal_opportunity(rows: FloatArray) -> FloatArray:
    """Recall gap of each class, max_g R_kg - min_g R_kg, shape (..., K); 0 is parity.

    Source: Putzel and Lee (2022), arXiv:2201.04461; for two classes Hardt et al. (2016).
    """
    return spread(recalls(rows))


def equalized_odds(rows: FloatArray) -> FloatArray:
    """Mean over the K x K cells of max_g - min_g of the row rates; 0 is parity.

    Source: Putzel and Lee (2022), arXiv:2201.04461, term by term.
    """
    return class_mean(spread(rows, axis=-3).reshape(*rows.shape[:-3], -1))


def overall_disparity(rows: FloatArray) -> FloatArray:
    """mean_k of 1 / (G - 1) sum_g (1 - R_kg / max_g R_kg), between 0 and 1; 0 is parity.

    A class that no group ever gets right is left out. Source: arXiv:2205.10049.
    """
    found = recalls(rows)
    have = (~np.isnan(found)).sum(axis=-2)
    best = _quiet(np.nanmax, found, -2)[..., None, :]
    good = best > 0
    lack = np.where(good, 1 - found / np.where(good, best, 1.0), np.nan)
    total = np.where(good[..., 0, :], np.nansum(lack, axis=-2), np.nan)
    return class_mean(np.where(have < 2, np.nan, total / np.maximum(have - 1, 1)))


def demographic_parity(predicted: FloatArray) -> FloatArray:
    """max_g - min_g of P(predicted = k given group), shape (..., K); 0 is parity.

    Watch: groups that truly show other expressions differ too. Source: Dwork et al. (2012),
    doi:10.1145/2090236.2090255; for several classes holisticai ``multiclass_statistical_parity``.
    """
    return spread(predicted)


def total_variation(predicted: FloatArray) -> FloatArray:
    """1/2 sum_k |P(k given g) - P(k given h)| of every pair of groups, shape (..., pairs)."""
    first, second = np.triu_indices(predicted.shape[-2], 1)
    return tv_distance(predicted[..., first, :], predicted[..., second, :])


def accuracy_ratio(accuracy: FloatArray) -> FloatArray:
    """min_g / max_g accuracy; 1 is parity, NaN where every group is at 0.

    Source: Xu et al. (2020), arXiv:2007.10075.
    """
    found = divide(_quiet(np.nanmin, accuracy, -1), _quiet(np.nanmax, accuracy, -1))
    return np.where((~np.isnan(accuracy)).sum(axis=-1) < 2, np.nan, found)


def class_mean(values: FloatArray) -> FloatArray:
    """Mean over the classes that have a value."""
    return _quiet(np.nanmean, values, -1)


def class_max(values: FloatArray) -> FloatArray:
    """Maximum over the classes that have a value."""
    return _quiet(np.nanmax, values, -1)


def nsd(sizes: FloatArray) -> FloatArray:
    """Normalised standard deviation of shares p_g of G groups, (..., G) to (...,).

    sd(p, ddof 0) G / sqrt(G - 1): 0 for equal groups, 1 when all faces are of one; NaN below two.
    Source: Dominguez-Catena, Paternain and Galar (2023), arXiv:2303.15889.
    """
    g = sizes.shape[-1]
    share = divide(sizes, sizes.sum(axis=-1, keepdims=True))
    if g < 2:
        return np.full(sizes.shape[:-1], np.nan)
    return np.asarray(share.std(axis=-1) * g / np.sqrt(g - 1))


def npmi(counts: FloatArray) -> FloatArray:
    """Normalised pointwise mutual information of group and class, counts (..., G, K) to the same.

    ln(p_gk / (p_g p_k)) / -ln p_gk: 0 where independent, 1 where they occur only together, -1 where
    never; NaN for a group or a class without a face, and where all faces are in one cell.
    Source: Bouma (2009); for stereotypes arXiv:2303.15889.
    """
    p = divide(counts, counts.sum(axis=(-2, -1), keepdims=True))
    product = p.sum(axis=-1, keepdims=True) * p.sum(axis=-2, keepdims=True)
    both = (p > 0) & (p < 1)
    inside = np.where(both, p, 0.5)
    ratio = inside / np.where(product > 0, product, 1.0)
    found = np.where(both, np.log(ratio) / -np.log(inside), -1.0)
    return np.where((product > 0) & ~(p >= 1), found, np.nan)


def nmi(counts: FloatArray) -> FloatArray:
    """Normalised mutual information I(G; K) / H(G, K) of counts (..., G, K), between 0 and 1.

    0 where group and class are independent, 1 where each tells the other; NaN where all faces are
    in one cell. Biased upward in small tables. Source: arXiv:2303.15889.
    """
    p = divide(counts, counts.sum(axis=(-2, -1), keepdims=True))
    joint = entropy(p.reshape(*counts.shape[:-2], -1))
    mutual = entropy(p.sum(axis=-1)) + entropy(p.sum(axis=-2)) - joint
    return np.asarray(divide(np.maximum(mutual, 0.0), np.where(joint > 1e-12, joint, 0.0)))
