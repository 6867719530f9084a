"""What every way of recalibration is: a fit on some people, and a change of the predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.errors import InputError
from audit.predictions import Predictions
from audit.units import person_keys, sample_keys

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """The faces of the fitting people that can be fitted on: known truth, processed, some weight.

    Parameters
    ----------
    table : Predictions
        The table that holds them.
    rows, weight : array (n,)
        Where they stand in it, and their weights.
    persons : array (n,)
        Their persons, numbered from 0.
    """

    table: Predictions
    rows: IntArray
    weight: FloatArray
    persons: IntArray

    @property
    def n_persons(self) -> int:
        """Distinct persons."""
        return int(self.persons.max()) + 1 if len(self.persons) else 0


@dataclass(frozen=True)
class Fitted:
    """What a fit found: parameters as plain numbers, and what a reader should know of them."""

    parameters: Mapping[str, Any]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choice:
    """What the user chose beyond the method: levels in percent, and attributes for groups."""

    levels: tuple[float, ...] = (90.0,)
    groups: tuple[str, ...] = ()
    min_people: int = 30


@dataclass(frozen=True)
class Method:
    """One way of recalibration for one task.

    ``apply`` takes the whole table and the parameters; ``before`` is what stands beside the result
    where the table itself says nothing to compare it with.
    """

    definition: str
    source: str
    fit: Callable[[Part, Choice], Fitted]
    apply: Callable[[Predictions, Mapping[str, Any]], Predictions]
    before: Callable[[Predictions, Mapping[str, Any]], Predictions] = field(
        default=lambda table, _: table
    )


def part_of(table: Predictions, chosen: npt.NDArray[np.bool_]) -> Part:
    """The chosen faces that a fit can use."""
    weight = np.ones(len(table)) if table.weight is None else table.weight
    rows = np.flatnonzero(chosen & table.labelled & table.processed & (weight > 0))
    keys = person_keys(table, sample_keys(table, 0))[rows]
    _, persons = np.unique(keys, return_inverse=True)
    return Part(table, rows, weight[rows], persons.astype(np.int64))


def exact_ages(part: Part, method: str) -> tuple[FloatArray, FloatArray]:
    """True age and estimate of the faces of a part, in years.

    Raises
    ------
    InputError
        Ages are known or predicted as bands only.
    """
    truth, estimate = part.table.truth, part.table.estimate
    assert truth is not None
    assert estimate is not None
    if truth.is_band or estimate.is_band:
        which = "known" if truth.is_band else "predicted"
        raise InputError(
            f"--method {method}: ages are {which} as bands only, and it needs years; "
            "use --method temperature, or a table with ages in years"
        )
    return truth.low[part.rows], estimate.low[part.rows]


def check_varied(values: Sequence[Any], what: str) -> None:
    """Refuse a calibration part in which everything is the same.

    Raises
    ------
    InputError
        With the one value.
    """
    distinct = sorted(set(values))
    if len(distinct) < 2:
        raise InputError(
            f"the calibration part holds one {what} only ({distinct[0]}), so nothing can be "
            "fitted; raise --fit-share, try another --seed, or give more faces"
        )
