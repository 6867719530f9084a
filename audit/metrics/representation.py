"""How evenly people are represented, how far two distributions are apart, what a label tells."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.metrics.core import divide

FloatArray = npt.NDArray[np.float64]


def entropy(p: FloatArray) -> FloatArray:
    """-sum p ln p of distributions (..., G), in nats."""
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)
    return np.asarray(-terms.sum(axis=-1))


def effective_groups(sizes: FloatArray) -> FloatArray:
    """exp(H) of shares (..., G): as many equal groups have the same entropy, between 1 and G."""
    p = divide(sizes, sizes.sum(axis=-1, keepdims=True))
    return np.asarray(np.exp(entropy(p)) + 0.0 * p.sum(axis=-1))


def evenness(sizes: FloatArray) -> FloatArray:
    """Shannon evenness H / ln G of sizes (..., G): 1 for equal groups, NaN below two groups.

    Source: Pielou (1966), doi:10.1016/0022-5193(66)90013-0.
    """
    g = sizes.shape[-1]
    if g < 2:
        return np.full(sizes.shape[:-1], np.nan)
    return np.asarray(np.log(effective_groups(sizes)) / np.log(g))


def tv_distance(p: FloatArray, q: FloatArray) -> FloatArray:
    """1/2 sum |p - q| of two distributions (..., G): the share that would have to move.

    1 minus it is their overlap, sum min(p, q) (Inman and Bradley, 1989,
    doi:10.1080/03610928908830127).
    """
    return np.asarray(np.abs(p - q).sum(axis=-1) / 2)


def jensen_shannon(p: FloatArray, q: FloatArray) -> FloatArray:
    """Jensen-Shannon divergence of two distributions (..., G) in bits, between 0 and 1.

    Source: Lin (1991), doi:10.1109/18.61115.
    """
    mixed = entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2
    return np.asarray(np.maximum(mixed, 0.0) / np.log(2))


def chi_square(counts: FloatArray, expected: FloatArray) -> FloatArray:
    """Sum (observed - expected)^2 / expected; NaN where something occurs that is not expected."""
    impossible = (counts > 0) & (expected <= 0)
    terms = divide((counts - expected) ** 2, expected)
    found = np.where(expected > 0, terms, 0.0).sum(axis=-1)
    return np.where(impossible.any(axis=-1), np.nan, found)


def _phi(counts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """chi^2 / n of tables (..., G, K) against independence, n, and rows and columns in use."""
    rows, columns = counts.sum(axis=-1), counts.sum(axis=-2)
    n = rows.sum(axis=-1)
    product = rows[..., :, None] * columns[..., None, :]
    square = np.where(product > 0, counts**2 / np.where(product > 0, product, 1.0), 0.0)
    phi = np.maximum(square.sum(axis=(-2, -1)) - 1.0, 0.0)
    return phi, n, (rows > 0).sum(axis=-1), (columns > 0).sum(axis=-1)


def cramers_v(counts: FloatArray) -> FloatArray:
    """Cramer's V of tables (..., G, K): sqrt(phi^2 / min(G - 1, K - 1)), G and K those in use.

    0 where independent, 1 where each tells the other; biased upward in small tables; NaN below
    two rows or columns. Source: Cramer (1946).
    """
    phi, _, g, k = _phi(counts)
    return np.asarray(np.sqrt(divide(phi, np.minimum(g - 1, k - 1))))


def cramers_v_corrected(counts: FloatArray) -> FloatArray:
    """Cramer's V without the part that n independent faces show by chance; see ``cramers_v``.

    phi^2 - (G - 1)(K - 1)/(n - 1), at least 0, over the least of G' - 1 and K' - 1 with
    G' = G - (G - 1)^2/(n - 1). Source: Bergsma (2013), doi:10.1016/j.jkss.2012.10.002.
    """
    phi, n, g, k = _phi(counts)
    free = np.maximum(n - 1, 1.0)
    less = np.maximum(phi - (g - 1) * (k - 1) / free, 0.0)
    size = np.minimum(g - (g - 1) ** 2 / free, k - (k - 1) ** 2 / free) - 1
    return np.asarray(np.where(np.minimum(g, k) < 2, np.nan, np.sqrt(divide(less, size))))
