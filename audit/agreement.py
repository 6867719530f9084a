"""Two runs face by face: who failed, who was right, and how often both said the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from audit.comparison import Agreement
from audit.groups import Grouping, attribute, cells_of, grouping
from audit.metrics.age_features import age_features, age_layout
from audit.paired_sums import Reading, RunSums
from audit.predictions import Predictions

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
RIGHT = {"expression": "accuracy", "age": "within_band_accuracy"}


def agreement_rows(
    names: tuple[str, str], runs: tuple[RunSums, RunSums], reading: Reading
) -> list[Agreement]:
    """Counts of labelled faces over everyone and in every group; weights do not count here."""
    first, second = (run.table for run in runs)
    used = first.labelled
    done = [table.processed & used for table in (first, second)]
    both = done[0] & done[1]
    right = [_right(table, reading) & both for table in (first, second)]
    same, apart = _same(first, second) & both, _apart(first, second)
    masks = {
        "n": used,
        "n_both": both,
        "failed_a": done[1] & ~done[0],
        "failed_b": done[0] & ~done[1],
        "failed_both": used & ~done[0] & ~done[1],
        "same": same,
        "both_right": right[0] & right[1],
        "only_a": right[0] & ~right[1],
        "only_b": right[1] & ~right[0],
        "both_wrong": both & ~right[0] & ~right[1],
    }
    rows = []
    for item, cell in _groupings(runs[0], reading):
        group, size = item.of_cell[cell], len(item.groups)
        counts = {name: np.bincount(group[mask], minlength=size) for name, mask in masks.items()}
        far = None if apart is None else np.bincount(group[both], apart[both], size)
        for g in range(size):
            n_both = int(counts["n_both"][g])
            rows.append(
                Agreement(
                    run_a=names[0],
                    run_b=names[1],
                    group=item.label(g),
                    right=RIGHT[first.task],
                    mean_abs_difference=None if far is None or not n_both else far[g] / n_both,
                    **{name: int(count[g]) for name, count in counts.items()},
                )
            )
    return rows


def _groupings(run: RunSums, reading: Reading) -> list[tuple[Grouping, IntArray]]:
    """Everyone and the combinations, with the cell of every face."""
    table = run.table
    found = [attribute(table, name, reading.edges) for name in reading.names]
    cells, cell = cells_of(found, len(table))
    return [
        (grouping(cells, reading.names, names, run.persons.order), cell)
        for names in ((), *reading.combinations)
    ]


def _right(table: Predictions, reading: Reading) -> BoolArray:
    if table.task == "expression":
        return np.asarray(table.y_true == table.y_pred, dtype=np.bool_)
    found = age_features(table, reading.plan.bands, np.ones(len(table)))
    return np.asarray(found[:, age_layout().columns("within")[0]] > 0, dtype=np.bool_)


def _same(first: Predictions, second: Predictions) -> BoolArray:
    if first.task == "expression":
        return np.asarray(first.y_pred == second.y_pred, dtype=np.bool_)
    assert first.estimate is not None
    assert second.estimate is not None
    low, high = (
        getattr(first.estimate, end) == getattr(second.estimate, end) for end in ("low", "high")
    )
    return np.asarray(low & high, dtype=np.bool_)


def _apart(first: Predictions, second: Predictions) -> FloatArray | None:
    """How far two estimates in years lie from each other, (n,)."""
    if first.task == "expression":
        return None
    assert first.estimate is not None
    assert second.estimate is not None
    if first.estimate.is_band or second.estimate.is_band:
        return None
    return np.abs(second.estimate.low - first.estimate.low)
