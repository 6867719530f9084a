"""Fairness statistics of one attribute combination: their values and what chance alone would show.

An extreme over groups is biased away from parity by noise, the more so the smaller and the more
numerous the groups, and no interval of it holds near parity. So each stands beside its mean in a
world without differences, ``null_expected``. There every group has the pooled rate plus its noise:
the residuals of its persons from the pooled rate with random signs (the wild bootstrap with the
null imposed: Cameron, Gelbach and Miller, 2008, doi:10.1162/rest.90.3.414). Signs are by person and
the mix of true classes of each group is held, so clusters and mixes are those of the data. For
mutual information the groups are permuted among the persons.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, issparse

from audit.hashing import Keys, uniforms
from audit.metrics.fairness import accuracies, nmi, predicted_rates, row_rates
from audit.metrics.fairness_list import STATISTICS
from audit.units import GroupedSums, Values

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Rates = Mapping[str, FloatArray]
NULL_DRAWS = 100
_ROWS = 2**14
_BUDGET = 2**22


def rates_of(confusion: FloatArray) -> dict[str, FloatArray]:
    """What the statistics read, from the confusion sums of all groups (..., G, K, K)."""
    return {
        "rows": row_rates(confusion),
        "predicted": predicted_rates(confusion),
        "accuracy": accuracies(confusion),
    }


def values_of(rates: Rates) -> dict[str, FloatArray]:
    """Every statistic by name: (...,), or (..., K) of those that are by class."""
    return {item.name: item.value(rates[item.reads]) for item in STATISTICS}


def expected_values(
    grouped: GroupedSums, chosen: IntArray, columns: IntArray, k: int, seed: int
) -> dict[str, FloatArray]:
    """Mean of every statistic if the chosen groups did not differ; ``columns`` are the confusion's.

    Deterministic in the persons' keys: the order of rows and shards does not matter.
    """
    confusion = np.stack([_dense(grouped, g, columns).sum(axis=0) for g in chosen])
    confusion = confusion.reshape(-1, k, k)
    totals: dict[str, FloatArray] = {}
    for rates in _null_rates(grouped, chosen, columns, confusion, seed):
        for name, value in values_of(rates).items():
            totals[name] = totals.get(name, np.zeros(value.shape[1:])) + value.sum(axis=0)
    return {name: total / NULL_DRAWS for name, total in totals.items()}


def _null_rates(
    grouped: GroupedSums, chosen: IntArray, columns: IntArray, confusion: FloatArray, seed: int
) -> Iterator[dict[str, FloatArray]]:
    """Rates of worlds without differences, some draws at a time: (draws, G, ...)."""
    n_groups, k = len(chosen), confusion.shape[-1]
    pooled = rates_of(confusion.sum(axis=0, keepdims=True))
    known = {name: np.nan_to_num(rate[0]) for name, rate in pooled.items()}
    size = confusion.sum(axis=(1, 2))
    with np.errstate(divide="ignore"):
        inverse = np.where(confusion.sum(axis=2) > 0, 1 / confusion.sum(axis=2), np.nan)
    step = max(1, _BUDGET // (n_groups * max(k * k + k + 1, n_groups * k)))
    for start in range(0, NULL_DRAWS, step):
        draws = range(start, min(start + step, NULL_DRAWS))
        noise = np.zeros((len(draws), n_groups, k * k + k + 1))
        for i, g in enumerate(chosen):
            for signs, residual in _signed(grouped, g, columns, known, k, seed, draws):
                noise[:, i] += signs @ residual
        rows = noise[..., : k * k].reshape(len(draws), n_groups, k, k)
        yield {
            "rows": known["rows"] + rows * inverse[..., None],
            "predicted": known["predicted"] + noise[..., k * k : -1] / size[:, None],
            "accuracy": known["accuracy"] + noise[..., -1] / size,
        }


def _signed(
    grouped: GroupedSums,
    g: int,
    columns: IntArray,
    pooled: Rates,
    k: int,
    seed: int,
    draws: range,
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Signs (draws, persons) and residuals (persons, K K + K + 1) of one group, in parts."""
    units = grouped.unit[grouped.starts[g] : grouped.starts[g + 1]]
    for first in range(0, len(units), _ROWS):
        part = slice(first, first + _ROWS)
        counts = _dense(grouped, g, columns, part).reshape(-1, k, k)
        true, total = counts.sum(axis=2), counts.sum(axis=(1, 2))
        hits = np.diagonal(counts, axis1=1, axis2=2).sum(axis=1)
        residual = np.concatenate(
            [
                (counts - true[..., None] * pooled["rows"]).reshape(len(counts), -1),
                counts.sum(axis=1) - total[:, None] * pooled["predicted"],
                (hits - total * pooled["accuracy"])[:, None],
            ],
            axis=1,
        )
        keys = grouped.keys[units[part]]
        signs = np.stack([np.where(uniforms(keys, seed, d) < 0.5, -1.0, 1.0) for d in draws])
        yield signs, residual


def _dense(
    grouped: GroupedSums, g: int, columns: IntArray, part: slice = slice(None)
) -> FloatArray:
    found = grouped.of(int(g))[part][:, columns]
    return np.asarray(found.todense() if issparse(found) else found)


def expected_nmi(
    grouped: GroupedSums, known: npt.NDArray[np.bool_], counts: FloatArray, seed: int
) -> FloatArray:
    """Mean mutual information of group and each table of counts with the groups permuted.

    Parameters
    ----------
    counts : array (T, entries, K)
        Faces by class of every (person, group), T tables of them: true and predicted class.
    """
    used = np.flatnonzero(known[grouped.group] & (counts.sum(axis=(0, 2)) > 0))
    group, keys = grouped.group[used], grouped.keys[grouped.unit[used]]
    t, _, k = counts.shape
    stacked = np.moveaxis(counts[:, used], 0, 1).reshape(len(used), -1)
    total = np.zeros(t)
    for found in permuted(group, keys, stacked, grouped.n_groups, seed, NULL_DRAWS):
        total += nmi(np.moveaxis(found.reshape(-1, t, k), 1, 0))
    return total / NULL_DRAWS


def permuted(
    group: IntArray, keys: Keys, counts: Values, n_groups: int, seed: int, draws: int
) -> Iterator[FloatArray]:
    """Tables (G, C) with the groups permuted among the persons; each keeps its faces together.

    Parameters
    ----------
    group, keys : arrays (entries,)
        The group of every (person, group), and the person's key.
    counts : array (entries, C)
        Its faces by column, dense or sparse.
    """
    for draw in range(draws):
        order = np.argsort(uniforms(keys, seed, draw), kind="stable")
        shuffled = csr_array((np.ones(len(group)), (group, order)), shape=(n_groups, len(group)))
        found = shuffled @ counts
        yield np.asarray(found.todense() if issparse(found) else found)


def expected_nmi_of_many(persons: FloatArray, second: FloatArray) -> float:
    """The same of many persons, in closed form from their moments.

    Permuting the groups among M persons gives the chi-square of independence the mean (G - 1) M /
    (M - 1) sum_k S_k / (p_k N) with S_k the sum over persons of (c_k - p_k n)^2: c_k faces of class
    k among n. Mutual information is that over 2 N, to the order of 1 / N.

    Parameters
    ----------
    persons : array (G,)
        Persons of each group.
    second : array (K + 1, K)
        Second moment of the persons' faces by class over all groups; the last row are the totals.
    """
    moment, faces = second[:-1], second[-1]
    n, m = faces.sum(), persons.sum()
    moment = moment[np.ix_(faces > 0, faces > 0)]
    p, share = faces[faces > 0] / n, persons[persons > 0] / m
    entropy = -(p * np.log(p)).sum() - (share * np.log(share)).sum()
    if len(p) < 2 or len(share) < 2 or entropy <= 0:
        return float("nan")
    s = np.diagonal(moment) - 2 * p * moment.sum(axis=1) + p * p * moment.sum()
    information = (len(share) - 1) * m / (m - 1) * (s / p).sum() / (2 * n * n)
    return float(information / entropy)
