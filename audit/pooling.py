"""Partial pooling of intersections: each group's value drawn towards what its attributes say.

A group of few persons has a noisy value. Its pooled value is a compromise between that and an
additive prediction from the single attributes (man, dark -> man + dark), by how noisy the one is
and how well the other describes groups:

    y_g | theta_g ~ N(theta_g, V_g),   theta_g ~ N(x_g' beta, A)

with beta and A unknown, both integrated over flat priors (A by quadrature), so that the interval
knows that A is estimated: Morris (1983, doi:10.1080/01621459.1983.10477920) with the exact
posterior of Lindley and Smith's model instead of his approximation. y is on a scale on which noise
is nearly normal and V_g nearly free of theta_g; V_g borrows from the other groups.

Over many groups the pooled values are closer to the truth than the raw ones, and the intervals hold
95 % of the truths on average. Not of every group: one that truly stands apart is drawn towards the
others, the more so the smaller it is, and its interval misses more often. So the raw value stands
beside it, and every test and verdict is of the raw values. Persons in several groups are taken as
different persons.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import digamma, expit, logit, ndtri, polygamma

from audit.block import RANGE_LIMITED, Block
from audit.intervals import Estimates, photo_excess
from audit.metrics.core import Metric

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
POOLING = (
    "pooled values of groups where attributes meet: empirical Bayes towards an additive prediction "
    "from the single attributes, flat prior on the variance that it leaves; scale log, arcsine or "
    "logit (shares), Fisher z or identity; needs 3 groups more than effects, at most 1,000 groups"
)
_PERSONS_BORROWED = 10.0
_LEAST_FREE = 3
_MOST_GROUPS = 1000
_NODES = 96
_Z = float(ndtri(0.975))


@dataclass(frozen=True, eq=False)
class Pooled:
    """Pooled values and their 95 % limits, (G,); NaN where there is none."""

    value: FloatArray
    low: FloatArray
    high: FloatArray

    def of(self, group: int) -> dict[str, float]:
        """The fields of a group's row."""
        names = ("pooled", "pooled_low", "pooled_high")
        values = (self.value, self.low, self.high)
        return {name: float(x[group]) for name, x in zip(names, values, strict=True)}


def pooled_values(block: Block, metric: Metric) -> Pooled | None:
    """Pooled values of a metric in the groups of an intersection; ``None`` where it has none.

    Only of metrics that are the same quantity in every group: not of means over the classes that a
    group happens to have, of quantiles, or of correlations within bands of the true age.
    """
    by_age = metric.name in RANGE_LIMITED and "age" in block.grouping.names
    if len(block.grouping.names) < 2 or metric.key not in block.estimates:
        return None
    if metric.masked or metric.interval == "none" or by_age:
        return None
    e = block.estimates[metric.key]
    y, v = on_scale(metric, e, block.grouping.known)
    used = np.flatnonzero(block.grouping.known & np.isfinite(y) & np.isfinite(v) & (v > 0))
    design = additive([block.grouping.groups[g] for g in used])
    if design is None:
        return None
    mean, sd = posterior(y[used], v[used], design)
    found = np.full((3, len(y)), np.nan)
    for row, z in enumerate((0.0, -_Z, _Z)):
        found[row, used] = _back(metric, mean + z * sd)
    return Pooled(*found)


def on_scale(metric: Metric, e: Estimates, known: BoolArray) -> tuple[FloatArray, FloatArray]:
    """The estimates where noise is nearly normal, and their variances, both (G,).

    Shares: arcsine of Anscombe (1948, doi:10.1093/biomet/35.3-4.246), with one correlation between
    photos of a person for all groups. Positive errors: the log, bias and variance as of a gamma
    mean. The variance of a single person's value is the group's own and 10 persons' worth of all
    groups'.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if metric.interval == "wilson":
            n = e.n / (1 + (e.n / e.m_eff - 1) * _photo_correlation(e, known))
            y = 2 * np.arcsin(np.sqrt((e.value * n + 3 / 8) / (n + 3 / 4)))
            return np.where(e.m_eff > 0, y, np.nan), 1 / (n + 0.5)
        if metric.interval == "log_t":
            value = np.where(e.value > 0, e.value, np.nan)
            shape = 1 / _borrowed(e.var / value**2, e, known)
            return np.log(value) - digamma(shape) + np.log(shape), polygamma(1, shape)
        if metric.interval == "logit_t":
            spread = e.value * (1 - e.value)
            return logit(e.value), _borrowed(e.var / spread**2, e, known)
        if metric.interval == "fisher_t":
            value = np.where(np.abs(e.value) < 1, e.value, np.nan)
            return np.arctanh(value), _borrowed(e.var / (1 - value**2) ** 2, e, known)
    return e.value, _borrowed(e.var, e, known)


def _back(metric: Metric, y: FloatArray) -> FloatArray:
    if metric.interval == "wilson":
        return np.asarray(np.sin(np.clip(y / 2, 0, np.pi / 2)) ** 2)
    if metric.interval == "log_t":
        return np.exp(y)
    if metric.interval == "logit_t":
        return np.asarray(expit(y))
    if metric.interval == "fisher_t":
        return np.tanh(y)
    return np.clip(y, -1.0, 1.0) if metric.unit == "coefficient" else y


def _photo_correlation(e: Estimates, known: BoolArray) -> float:
    excess, room = photo_excess(e)
    total = room[known].sum()
    return float(np.clip(excess[known].sum() / total, 0, 1)) if total > 1e-9 else 0.0


def _borrowed(var: FloatArray, e: Estimates, known: BoolArray) -> FloatArray:
    """Variances (G,) of which small groups take a part from all groups."""
    own = var * e.m_eff
    df = np.where(known & np.isfinite(own) & np.isfinite(e.df), e.df, 0.0)
    own = np.where(df > 0, own, 0.0)
    common = (df * own).sum() / max(df.sum(), 1e-300)
    persons = np.where(e.m_eff > 0, e.m_eff, np.nan)
    return np.asarray((df * own + _PERSONS_BORROWED * common) / (df + _PERSONS_BORROWED) / persons)


def additive(groups: list[tuple[str | None, ...]]) -> FloatArray | None:
    """Orthonormal columns (G, p) that span the sums of one effect per attribute value.

    ``None`` with fewer than 3 groups more than effects, or over 1,000 groups.
    """
    columns = [np.ones(len(groups))]
    for values in zip(*groups, strict=True):
        for level in sorted(set(values), key=str)[1:]:
            columns.append(np.array([value == level for value in values], dtype=np.float64))
    if not _LEAST_FREE < len(groups) <= _MOST_GROUPS:
        return None
    left, size, _ = np.linalg.svd(np.stack(columns, axis=1), full_matrices=False)
    left = left[:, size > 1e-9 * size[0]]
    return left if len(groups) - left.shape[1] >= _LEAST_FREE else None


def posterior(y: FloatArray, v: FloatArray, design: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of every theta_g, (G,), over the unknown beta and A.

    The posterior of A is integrated over A = s t / (1 - t), t in (0, 1), s the harmonic mean of V.
    """
    t, weight = np.polynomial.legendre.leggauss(_NODES)
    t = (t + 1) / 2
    scale = len(v) / (1 / v).sum()
    a = scale * t / (1 - t)  # (q,)
    w = 1 / (v + a[:, None])  # (q, g)
    root, log_det = _inverse(np.einsum("qg,gi,gj->qij", w, design, design, optimize=True))
    beta = np.einsum("qij,qj->qi", root, (w * y) @ design)
    fit = beta @ design.T
    log_likelihood = 0.5 * (np.log(w).sum(axis=1) - log_det - (w * (y - fit) ** 2).sum(axis=1))
    mass = weight * np.exp(log_likelihood - log_likelihood.max()) / (1 - t) ** 2
    mass = mass / mass.sum()
    shrink = v * w
    means = y + shrink * (fit - y)
    leverage = np.einsum("gi,qij,gj->qg", design, root, design, optimize=True)
    variances = (1 - shrink) * v + shrink**2 * leverage
    mean = mass @ means
    return mean, np.sqrt(mass @ (variances + (means - mean) ** 2))


def _inverse(matrices: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.asarray(np.linalg.inv(matrices)), np.asarray(np.linalg.slogdet(matrices)[1])
