"""Split conformal intervals of age: as wide as the errors of other people were."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.errors import InputError
from audit.groups import attribute
from audit.predictions import Predictions
from audit.recalibration.core import Choice, Fitted, Method, Part, exact_ages
from audit.stated_intervals import StatedIntervals

FloatArray = npt.NDArray[np.float64]
_SEPARATOR = " · "


def conformal_half_width(
    error: FloatArray, weight: FloatArray, n_persons: int, level: float
) -> float:
    """Half width of the interval that holds a new person's age with at least this probability.

    Of m persons with one face each it is the k-th smallest absolute error, k = ceil((m + 1) level).
    With several faces, or weights, it is the smallest error with weight k / m at or below it.

    Parameters
    ----------
    error : array (n,)
        Absolute errors, years.
    weight : array (n,)
        Weights of the faces.
    n_persons : int
        Persons m among them.
    level : float
        Nominal coverage in (0, 1).

    Returns
    -------
    float
        Years; infinite where m is too small to promise the level.

    Examples
    --------
    >>> errors = np.arange(1.0, 10.0)  # 9 persons: k = ceil(10 x 0.9) = 9
    >>> conformal_half_width(errors, np.ones(9), 9, 0.9), conformal_half_width(
    ...     errors[:8], np.ones(8), 8, 0.9)
    (9.0, inf)
    """
    rank = math.ceil((n_persons + 1) * level - 1e-9)
    if rank > n_persons:
        return math.inf
    order = np.argsort(error, kind="stable")
    reached = np.cumsum(weight[order])
    at = int(np.searchsorted(reached, (rank / n_persons - 1e-12) * reached[-1]))
    return float(error[order[min(at, len(order) - 1)]])


def _groups(table: Predictions, names: tuple[str, ...]) -> npt.NDArray[np.object_]:
    """The group of every face as text; ``None`` where an attribute is unknown."""
    found = [attribute(table, name, None) for name in names]
    texts = [np.array([*item.values, None], dtype=object)[item.codes] for item in found]
    rows = zip(*texts, strict=True)
    return np.array([None if None in row else _SEPARATOR.join(row) for row in rows], dtype=object)


def _fit(part: Part, choice: Choice) -> Fitted:
    if "age" in choice.groups:
        raise InputError(
            "--groups age: the true age is not known when an interval is made; choose attributes "
            "that are, such as gender"
        )
    y, guess = exact_ages(part, "conformal")
    error = np.abs(y - guess)
    overall = {}
    for level in choice.levels:
        overall[f"{level:g}"] = conformal_half_width(
            error, part.weight, part.n_persons, level / 100
        )
        if math.isinf(overall[f"{level:g}"]):
            least = math.ceil(level / (100 - level) - 1e-9)
            raise InputError(
                f"--level {level:g}: {part.n_persons} people cannot promise it, at least {least} "
                "are needed; raise --fit-share or lower the level"
            )
    if not choice.groups:
        return Fitted({"overall": overall, "groups": [], "by_group": {}})
    return _by_group(part, choice, error, overall)


def _by_group(
    part: Part, choice: Choice, error: FloatArray, overall: Mapping[str, float]
) -> Fitted:
    group = _groups(part.table, choice.groups)[part.rows]
    found, remarks = {}, []
    for name in sorted({*group} - {None}):
        on = group == name
        n = len(np.unique(part.persons[on]))
        widths = {
            f"{level:g}": conformal_half_width(error[on], part.weight[on], n, level / 100)
            for level in choice.levels
        }
        if n < choice.min_people or any(map(math.isinf, widths.values())):
            remarks.append(f"{name}: {n} people are too few, so the interval of everyone is used")
        else:
            found[name] = widths
    parameters = {"overall": dict(overall), "groups": list(choice.groups), "by_group": found}
    return Fitted(parameters, tuple(remarks))


def _apply(table: Predictions, parameters: Mapping[str, Any]) -> Predictions:
    assert table.estimate is not None
    levels = tuple(sorted(map(float, parameters["overall"])))
    half = np.column_stack(
        [np.full(len(table), parameters["overall"][f"{level:g}"]) for level in levels]
    )
    if parameters["groups"]:
        group = _groups(table, tuple(parameters["groups"]))
        for name, widths in parameters["by_group"].items():
            half[group == name] = [widths[f"{level:g}"] for level in levels]
    return _around(table, levels, half)


def _around(table: Predictions, levels: tuple[float, ...], half: FloatArray) -> Predictions:
    assert table.estimate is not None
    guess = table.estimate.low[:, None]
    # nobody is younger than 0; an estimate below it keeps an interval of its own
    low, high = np.maximum(guess - half, np.minimum(guess, 0.0)), guess + half
    return replace(table, intervals=StatedIntervals(levels, low, high))


def _before(table: Predictions, parameters: Mapping[str, Any]) -> Predictions:
    """Beside intervals by group stand those of everyone; else what the model itself predicts."""
    if parameters["groups"]:
        return _apply(table, {"overall": parameters["overall"], "groups": []})
    if table.distribution is None:
        return table
    levels = tuple(sorted(map(float, parameters["overall"])))
    tails = [(1 - level / 100) / 2 for level in levels]
    ends = table.distribution.quantiles([*tails, *(1 - tail for tail in tails)])
    stated = StatedIntervals(levels, ends[:, : len(levels)], ends[:, len(levels) :])
    return replace(table, intervals=stated)


AGES = Method(
    "estimate +- q, cut at 0 years; q is the k-th smallest absolute error of m fitting people, "
    "k = ceil((m + 1) level), over everyone or within each group (Mondrian). Holds a new person's "
    "age with at least that probability if people are exchangeable",
    "Papadopoulos et al. (2002), doi:10.1007/3-540-36755-1_29; Vovk et al. (2005)",
    _fit,
    _apply,
    _before,
)
