"""Estimates as noise alone would make them, if all groups had the same true value.

Normal with the covariance of the data. Positive values close to 0 are drawn from the gamma
distribution of the same mean and variance, so that none is negative. Deterministic: the normal
numbers are hashes of (seed, position), and positions go by rank of variance, so that names and
order of the groups do not matter.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv, ndtr, ndtri

from audit.hashing import row_keys, uniforms

FloatArray = npt.NDArray[np.float64]
_DRAWN = 2**18
_FEWEST, _MOST = 200, 2000
_NORMAL_FROM = 16.0


def null_draws(
    centre: FloatArray, covariance: FloatArray, weights: FloatArray, seed: int, *, positive: bool
) -> FloatArray:
    """Estimates in a world without differences, shape (draws, P).

    Parameters
    ----------
    centre : array (P,)
        The true value of each estimate, the same for all groups.
    covariance : array (P, P)
        Covariance of the estimates.
    weights : array (P,)
        Break ties of the variance.
    positive : bool
        Whether no estimate can be below 0.
    """
    p = len(centre)
    var = np.diagonal(covariance)
    keys = [np.array([float(f"{x:.9e}") for x in part]) for part in (weights, var, centre)]
    rank = np.argsort(np.lexsort(keys), kind="stable")
    z = _normals(p, seed)[:, rank]
    if np.isnan(covariance).any():
        return np.full(z.shape, np.nan)
    if np.count_nonzero(covariance - np.diag(var)):
        root = np.sqrt(np.maximum(var, 0))
        z = z @ _root(scaled(covariance, np.ones(p))).T
    else:
        root = np.sqrt(var)
    found = centre + z * root
    with np.errstate(divide="ignore", invalid="ignore"):
        shape = np.where(var > 0, centre**2 / var, np.inf)
    for i in np.flatnonzero((shape < _NORMAL_FROM) & (centre > 0) & positive):
        found[:, i] = gammaincinv(shape[i], ndtr(z[:, i])) * centre[i] / shape[i]
    return np.asarray(found)


@lru_cache(maxsize=64)
def _normals(p: int, seed: int) -> FloatArray:
    """Standard normal numbers (draws, P) from a hash; their columns have mean 0, variance 1."""
    draws = int(np.clip(_DRAWN // p, _FEWEST, _MOST))
    z = ndtri(np.maximum(uniforms(row_keys(0, draws * p), seed, 0), 2.0**-54)).reshape(draws, p)
    return np.asarray((z - z.mean(axis=0)) / z.std(axis=0))


def _root(correlation: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(correlation)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T)


def scaled(covariance: FloatArray, var: FloatArray) -> FloatArray:
    """A covariance with other variances and the same correlations; none where there was no var."""
    scale = np.sqrt(np.diagonal(covariance))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.where(np.outer(scale, scale) > 0, covariance / np.outer(scale, scale), 0.0)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation * np.sqrt(np.outer(var, var)))
