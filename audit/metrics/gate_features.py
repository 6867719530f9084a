"""What every face adds to the sums of age gates.

The event of a gate is that a person passes: an estimate of at least the challenge age. A face that
was not processed does not pass. Ages known as bands count where the whole band is on one side of
the legal age; a band across it is left out and counted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from audit.gates import MAX_BUFFER, Gate
from audit.metrics.age_features import over
from audit.metrics.core import Array
from audit.metrics.pieces import Piece
from audit.predictions import Predictions

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FAR_YEARS = 3.0
BAND = (13.0, 17.0)
BELOW, ABOVE = (8.0, 13.0), (17.0, 23.0)
YEARS = 101
NIST_YEARS = tuple(range(18, 31))
BUFFERS = MAX_BUFFER + 1
_SIDES = ("minor", "adult")
_TOTALS = tuple(f"{side}_{kind}" for side in _SIDES for kind in ("w", "n", "failed_w", "failed_n"))
_PASSES = ("minor_pass", "adult_stop")
_SEVERITY = ("minor_pass_n", "severity", "far")
_TEENS = (
    *("teen_w", "teen_n", "teen_in", "teen_under", "teen_over"),
    *("below_w", "below_n", "below_in", "above_w", "above_n", "above_in"),
)


@dataclass(frozen=True)
class GatePlan:
    """The gates of a table.

    ``exact``: the truth is known in years. ``failures``: some faces were not processed.
    ``predicted_bands``: estimates are bands, so nobody is known to pass.
    """

    gates: tuple[Gate, ...]
    exact: bool
    failures: bool = False
    predicted_bands: bool = False

    @property
    def legal(self) -> tuple[float, ...]:
        """The distinct legal ages, rising."""
        return tuple(sorted({gate.legal for gate in self.gates}))


def gate_shapes(plan: GatePlan) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the features that the metrics read."""
    legal, gates = (len(plan.legal),), (len(plan.gates),)
    years = int(BAND[1] - BAND[0])
    return {
        **dict.fromkeys(_TOTALS, legal),
        **dict.fromkeys(_PASSES, gates),
        **dict.fromkeys(_SEVERITY, gates),
        **dict.fromkeys(_TEENS, ()),
        **dict.fromkeys(("teen_age_w", "teen_age_abs"), (years,)),
    }


def gate_features(predictions: Predictions, plan: GatePlan, weight: FloatArray) -> FloatArray:
    """Features of every face, shape (n, F), 0 where a row does not enter."""
    truth, estimate = predictions.truth, predictions.estimate
    assert truth is not None
    assert estimate is not None
    labelled, processed = predictions.labelled, predictions.processed
    age, pred = np.where(labelled, truth.low, 0.0), np.where(processed, estimate.low, -np.inf)
    counted = (weight > 0).astype(np.float64)
    found: dict[str, list[Array]] = {name: [] for name in (*_TOTALS, *_PASSES, *_SEVERITY)}
    by_age = {legal: sides(predictions, legal) for legal in plan.legal}
    for legal in plan.legal:
        for side, here in zip(_SIDES, by_age[legal], strict=True):
            found[f"{side}_w"].append(here * processed * weight)
            found[f"{side}_n"].append(here * processed * counted)
            found[f"{side}_failed_w"].append(here * ~processed * weight)
            found[f"{side}_failed_n"].append(here * ~processed * counted)
    for gate in plan.gates:
        minor, adult = by_age[gate.legal]
        passed = minor * (pred >= gate.challenge) * weight
        found["minor_pass"].append(passed)
        found["adult_stop"].append(adult * processed * (pred < gate.challenge) * weight)
        short = (gate.legal - age) * plan.exact
        found["minor_pass_n"].append(minor * (pred >= gate.challenge) * counted)
        found["severity"].append(passed * short)
        found["far"].append(passed * (short > FAR_YEARS))
    columns: dict[str, Array] = {name: np.stack(parts, axis=1) for name, parts in found.items()}
    columns |= _teens(age, pred, labelled & processed & plan.exact, weight, counted)
    return np.concatenate(
        [c[:, None] if (c := columns[name]).ndim == 1 else c for name in gate_shapes(plan)], axis=1
    )


def sides(predictions: Predictions, legal: float) -> tuple[FloatArray, FloatArray]:
    """1 where a face is known to be below, and where known to be at least, the legal age."""
    truth = predictions.truth
    assert truth is not None
    is_over = over(truth.low, truth.high, legal, is_band=truth.is_band)
    is_over = np.where(truth.known, is_over, np.nan)
    return (is_over == 0).astype(np.float64), (is_over == 1).astype(np.float64)


def straddling(predictions: Predictions, legal: float) -> int:
    """Labelled faces whose age band lies across a legal age."""
    minor, adult = sides(predictions, legal)
    return int((predictions.labelled & (minor + adult == 0)).sum())


def _teens(
    age: FloatArray,
    pred: FloatArray,
    used: npt.NDArray[np.bool_],
    weight: FloatArray,
    counted: FloatArray,
) -> dict[str, FloatArray]:
    def within(x: FloatArray, ends: tuple[float, float]) -> Array:
        return (x >= ends[0]) & (x < ends[1])

    found: dict[str, FloatArray] = {}
    for name, ends in (("teen", BAND), ("below", BELOW), ("above", ABOVE)):
        here = used & within(age, ends)
        found[f"{name}_w"], found[f"{name}_n"] = here * weight, here * counted
        found[f"{name}_in"] = here * within(pred, BAND) * weight
    teen = used & within(age, BAND)
    found["teen_under"] = teen * within(pred, BELOW) * weight
    found["teen_over"] = teen * within(pred, ABOVE) * weight
    years = BAND[0] + np.arange(int(BAND[1] - BAND[0]))
    at_year = (teen[:, None] & (np.floor(age)[:, None] == years)) * weight[:, None]
    error = np.abs(np.where(teen, pred, 0.0) - np.where(teen, age, 0.0))
    return found | {"teen_age_w": at_year, "teen_age_abs": at_year * error[:, None]}


def gate_curve_shapes(plan: GatePlan) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the sums of the curves: by challenge age, and by single year of age."""
    legal, wide = (len(plan.legal),), (len(plan.legal), BUFFERS)
    found: dict[str, tuple[int, ...]] = dict.fromkeys(
        ("gate_minor_w", "gate_minor_n", "gate_adult_w", "gate_adult_n"), legal
    )
    found |= {"gate_minor_pass": wide, "gate_adult_stop": wide}
    if plan.exact:
        found |= {"year_w": (YEARS,), "year_n": (YEARS,), "year_error": (len(plan.gates), YEARS)}
        found |= dict.fromkeys(("nist_w", "nist_n", "nist_abs"), (len(NIST_YEARS),))
    return found


def gate_pieces(predictions: Predictions, plan: GatePlan, weight: FloatArray) -> list[Piece]:
    """Sparse sums of the curves; a face that was not processed is one that does not pass."""
    truth, estimate = predictions.truth, predictions.estimate
    assert truth is not None
    assert estimate is not None
    pred = np.where(predictions.processed, estimate.low, -np.inf)
    counted = (weight > 0).astype(np.float64)
    found: list[Piece] = []
    for k, legal in enumerate(plan.legal):
        both = dict(zip(_SIDES, sides(predictions, legal), strict=True))
        for side, here in both.items():
            rows = np.flatnonzero(here)
            found += [(rows, f"gate_{side}_w", k, weight[rows])]
            found += [(rows, f"gate_{side}_n", k, counted[rows])]
        for b in range(BUFFERS):
            passed = np.flatnonzero((both["minor"] == 1) & (pred >= legal + b))
            stopped = np.flatnonzero((both["adult"] == 1) & (pred < legal + b))
            found += [(passed, "gate_minor_pass", k * BUFFERS + b, weight[passed])]
            found += [(stopped, "gate_adult_stop", k * BUFFERS + b, weight[stopped])]
    return found + (_by_year(predictions, plan, pred, weight, counted) if plan.exact else [])


def _by_year(
    predictions: Predictions,
    plan: GatePlan,
    pred: FloatArray,
    weight: FloatArray,
    counted: FloatArray,
) -> list[Piece]:
    truth = predictions.truth
    assert truth is not None
    rows = np.flatnonzero(predictions.labelled)
    year = np.minimum(np.floor(truth.low[rows]), YEARS - 1).astype(np.int64)
    found: list[Piece] = [
        (rows, "year_w", year, weight[rows]),
        (rows, "year_n", year, counted[rows]),
    ]
    for k, gate in enumerate(plan.gates):
        passed = pred[rows] >= gate.challenge
        wrong = np.where(truth.low[rows] < gate.legal, passed, ~passed)
        found.append((rows[wrong], "year_error", k * YEARS + year[wrong], weight[rows[wrong]]))
    at = np.flatnonzero(predictions.processed[rows] & np.isin(year, NIST_YEARS))
    error = np.abs(pred[rows[at]] - truth.low[rows[at]])
    place = year[at] - NIST_YEARS[0]
    found += [(rows[at], "nist_w", place, weight[rows[at]])]
    found += [(rows[at], "nist_n", place, counted[rows[at]])]
    found += [(rows[at], "nist_abs", place, weight[rows[at]] * error)]
    return found
