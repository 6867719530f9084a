"""Tables to sums: attributes, cells and features of every shard, merged by addition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.age_plan import AgePlan, plan_curves, plan_features, plan_splines
from audit.bands import Band, parse_band
from audit.classes import observed_classes
from audit.columns import AgeColumn, as_bands
from audit.cure import BEFORE, COLUMNS, FLOW, RAW
from audit.errors import InputError
from audit.groups import attribute, cells_of, check_cells
from audit.hashing import Keys, halves
from audit.metrics.age_features import is_exact, truth_bands
from audit.metrics.binning import Bins, Edges, edges_of
from audit.metrics.expression import expression_features
from audit.metrics.where import map_features
from audit.predictions import Predictions
from audit.units import (
    Rows,
    UnitSums,
    Values,
    bucketed,
    collect,
    merge,
    person_keys,
    person_weight,
    sample_keys,
)

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Collected:
    """The sums of the whole table and what its attributes are.

    ``edges`` are those of the bins of confidence (see ``Bins``). Where there are any, ``curves``
    are the sparse sums of the curves by the same persons and cells, and ``splines`` those of the
    regression on age by resampled unit and cell. ``looks`` are the sums of the maps of where the
    model looked.
    """

    sums: UnitSums
    attributes: tuple[str, ...]
    order: dict[str, dict[str, int]]
    n_unknown: dict[str, int]
    edges: Mapping[str, Mapping[int, FloatArray]]
    curves: UnitSums | None = None
    splines: UnitSums | None = None
    looks: UnitSums | None = None


def common_form(shards: Sequence[Predictions]) -> list[Predictions]:
    """Shards as parts of one table: the same classes, and bands everywhere if anywhere.

    Raises
    ------
    InputError
        The shards name different classes for their scores, or only some have scores or a column.
    """
    first = shards[0]
    _check_looks(shards)
    if first.task == "age":
        return _common_ages(shards)
    scored = [shard for shard in shards if shard.probabilities is not None]
    if scored and len(scored) < len(shards):
        bare = next(shard for shard in shards if shard.probabilities is None)
        raise InputError(
            f"{bare.place}: some shards have class probabilities and this one has none; "
            "give them to all or to none"
        )
    for name in (*COLUMNS, FLOW, RAW):
        odd = next((s for s in shards if (name in s.extras) != (name in first.extras)), None)
        if odd is not None:
            column = BEFORE if name == FLOW else name
            raise InputError(
                f"{odd.place}: column {column!r} is in some shards only; give it to all or to none"
            )
    if all(shard.classes == first.classes for shard in shards):
        return list(shards)
    if scored:
        other = next(shard for shard in shards if shard.classes != first.classes)
        raise InputError(
            f"{other.place}: classes {', '.join(other.classes)} differ from "
            f"{', '.join(first.classes)} in {first.place}; set them with --classes"
        )
    names = observed_classes(*(pd.Series(shard.classes, dtype=object) for shard in shards))
    return [_recoded(shard, names) for shard in shards]


def _check_looks(shards: Sequence[Predictions]) -> None:
    def given(shard: Predictions) -> tuple[list[str], list[str]]:
        where = shard.where
        return ([], []) if where is None else (sorted(where.shares), sorted(where.maps))

    odd = next((shard for shard in shards if given(shard) != given(shards[0])), None)
    if odd is not None:
        raise InputError(
            f"{odd.place}: its columns of where the model looked (where_*) are not those of "
            f"{shards[0].place}; give the same to every shard"
        )


def _common_ages(shards: Sequence[Predictions]) -> list[Predictions]:
    _check_distributions(shards)
    truths = _as_one([shard.truth for shard in shards], shards)
    estimates = _as_one([shard.estimate for shard in shards], shards)
    return [
        replace(shard, truth=truth, estimate=estimate)
        for shard, truth, estimate in zip(shards, truths, estimates, strict=True)
    ]


def _check_distributions(shards: Sequence[Predictions]) -> None:
    first, levels = shards[0].distribution, _levels(shards[0])
    for shard in shards[1:]:
        if _levels(shard) != levels:
            raise InputError(
                f"{shard.place}: its intervals (interval_<percent>_low and _high) are of other "
                f"levels than those of {shards[0].place}; give the same to every shard"
            )
        other = shard.distribution
        if (other is None) != (first is None):
            raise InputError(
                f"{shard.place}: only some shards have a predicted distribution (age_std or "
                "prob_age_*); give it to all or to none"
            )
        if first is None or other is None:
            continue
        if (other.kind, other.centres) != (first.kind, first.centres):
            raise InputError(
                f"{shard.place}: its predicted distributions have other ages than those of "
                f"{shards[0].place}; give every shard the same prob_age_* columns, or age_std"
            )


def _levels(shard: Predictions) -> tuple[float, ...]:
    return () if shard.intervals is None else shard.intervals.levels


def _as_one(
    columns: Sequence[AgeColumn | None], shards: Sequence[Predictions]
) -> Sequence[AgeColumn | None]:
    if not any(ages is not None and ages.is_band for ages in columns):
        return columns
    return [
        None if ages is None else as_bands(ages, shard.place)
        for ages, shard in zip(columns, shards, strict=True)
    ]


def _recoded(shard: Predictions, names: tuple[str, ...]) -> Predictions:
    lookup = np.array([*(names.index(name) for name in shard.classes), -1], dtype=np.int64)
    assert shard.y_true is not None
    assert shard.y_pred is not None
    return replace(
        shard,
        classes=names,
        y_true=lookup[shard.y_true],
        y_pred=lookup[shard.y_pred],
        cure=None if shard.cure is None else shard.cure.recoded(lookup),
    )


def table_bands(shards: Sequence[Predictions], edges: tuple[float, ...]) -> tuple[Band, ...]:
    """The bands of the band metrics over all shards."""
    if shards[0].task != "age":
        return ()
    return tuple(sorted({band for shard in shards for band in truth_bands(shard, edges)}))


def collect_table(
    shards: Sequence[Predictions],
    names: tuple[str, ...],
    edges: Sequence[float] | None,
    bands: tuple[Band, ...],
    estimand: str,
    max_cells: int,
    plan: AgePlan | None = None,
    mass_edges: Edges | None = None,
) -> Collected:
    """Sums of all shards by person and cell of the named attributes.

    The cells of an age table are also cut by age, for its curves, unless there would be too many.
    ``plan`` says what an age table adds up; by default what every age table has. ``mass_edges`` of
    the confidences are those of the whole table; by default these shards are the whole.
    """
    plan = plan or AgePlan(bands)
    keys, start = [], 0
    for shard in shards:
        samples = sample_keys(shard, start)
        keys.append((samples, person_keys(shard, samples)))
        start += len(shard)
    weights = _weights(shards, [units for _, units in keys], estimand)
    found = [[attribute(shard, name, edges) for name in names] for shard in shards]
    cut = [cells_of(row, len(shard)) for row, shard in zip(found, shards, strict=True)]
    n_cells = len({cell for cells, _ in cut for cell in cells})
    check_cells({item.name: len(item.values) for item in found[0]}, n_cells, max_cells)
    if shards[0].task == "age" and "age" not in names and n_cells * len(bands) <= max_cells:
        names = (*names, "age")
        ages = [attribute(shard, "age", edges) for shard in shards]
        found = [[*row, age] for row, age in zip(found, ages, strict=True)]
        cut = [cells_of(row, len(shard)) for row, shard in zip(found, shards, strict=True)]
    mass = edges_of(shards, weights) if mass_edges is None else mass_edges
    binned = [Bins(halves(units), mass) for _, units in keys]
    parts, curves, splines, looks = [], [], [], []
    for shard, (samples, units), weight, (cells, cell), bins in zip(
        shards, keys, weights, cut, binned, strict=True
    ):
        values = _features(shard, plan, weight, bins)
        rows = _rows(shard, samples, units, cell, weight)
        parts.append(collect(cells, cell, values, rows, units))
        drawn = plan_curves(shard, plan, weight) if shard.task == "age" else None
        if drawn is not None:
            curves.append(collect(cells, cell, drawn, None, units))
        fitted = plan_splines(shard, plan, weight) if shard.task == "age" else None
        if fitted is not None:
            splines.append(collect(cells, cell, fitted, None, units))
        looked = map_features(shard, weight)
        if looked is not None:
            looks.append(collect(cells, cell, looked, None, units))
    by_name = {name: [row[i] for row in found] for i, name in enumerate(names)}
    return Collected(
        merge(parts),
        names,
        {
            name: order_of(name, [value for item in items for value in item.values])
            for name, items in by_name.items()
        },
        {name: sum(int((a.codes < 0).sum()) for a in items) for name, items in by_name.items()},
        mass,
        merge(curves) if curves else None,
        bucketed(merge(splines)) if splines else None,
        merge(looks) if looks else None,
    )


def order_of(name: str, found: Iterable[str]) -> dict[str, int]:
    """The distinct values of an attribute in reading order: bands by age, all else as text."""
    values = dict.fromkeys(found)
    bands = {value: parse_band(value) for value in values} if name == "age" else {}
    if bands and all(bands.values()):
        return {
            value: i for i, value in enumerate(sorted(values, key=lambda v: bands[v] or (0, 0)))
        }
    return {value: i for i, value in enumerate(sorted(values))}


def part_weights(shards: Sequence[Predictions], estimand: str) -> list[FloatArray]:
    """The weights of faces that bring their keys, of whole persons."""
    units = [person_keys(shard, sample_keys(shard, 0)) for shard in shards]
    return _weights(shards, units, estimand)


def _weights(
    shards: Sequence[Predictions], units: Sequence[Keys], estimand: str
) -> list[FloatArray]:
    plain = [np.ones(len(shard)) if shard.weight is None else shard.weight for shard in shards]
    if estimand == "image":
        return plain
    labelled = np.concatenate([shard.labelled for shard in shards])
    share = person_weight(np.concatenate(units), labelled, np.concatenate(plain))
    return np.split(share, np.cumsum([len(shard) for shard in shards])[:-1])


def _features(shard: Predictions, plan: AgePlan, weight: FloatArray, bins: Bins) -> Values:
    if shard.task == "age":
        return plan_features(shard, plan, weight)
    return expression_features(shard, weight, bins)


def _rows(
    shard: Predictions, samples: Keys, units: Keys, cell: npt.NDArray[np.int64], weight: FloatArray
) -> Rows:
    used = shard.labelled & shard.processed
    rows = Rows(unit=units[used], cell=cell[used], weight=weight[used])
    if shard.task == "expression":
        scores = shard.probabilities
        if scores is None:
            return rows
        assert shard.y_true is not None
        return replace(
            rows,
            sample=samples[used],
            y=shard.y_true[used],
            proba=scores.proba[used],
            raw=None if shard.raw is None else shard.raw.proba[used],
        )
    assert shard.truth is not None
    assert shard.estimate is not None
    if not is_exact(shard):
        return rows
    return replace(rows, abs_error=np.abs(shard.estimate.low - shard.truth.low)[used])
