"""Recalibrate on one part of the people, and hand over the other part before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from audit.errors import InputError
from audit.files import write_text
from audit.hashing import in_part
from audit.predictions import Predictions, predictions_from_frame
from audit.recalibration import bias_by_age, conformal, isotonic, temperature
from audit.recalibration.core import Choice, Method, part_of
from audit.record import read_record, record_text
from audit.rows import Record, Task
from audit.units import person_keys, sample_keys

SCHEMA: Literal["hae-audit/recalibration/1"] = "hae-audit/recalibration/1"
MIN_PEOPLE = 30
METHODS: dict[Task, dict[str, Method]] = {
    "expression": {"temperature": temperature.CLASSES, "isotonic": isotonic.CLASSES},
    "age": {
        "temperature": temperature.AGES,
        "isotonic": isotonic.AGES,
        "bias-by-age": bias_by_age.AGES,
        "conformal": conformal.AGES,
    },
}


class Recalibration(Record):
    """What was fitted, on whom, and what it found; enough to apply it to another table."""

    schema_: Literal["hae-audit/recalibration/1"] = Field(default=SCHEMA, alias="schema")
    task: Task
    method: str
    definition: str
    source: str
    fit_share: float = Field(description="share of the people that was asked for the fit")
    seed: int
    n_fit: int = Field(description="faces that were fitted on")
    n_subjects_fit: int
    n_audit: int = Field(description="faces of the other people, which are audited")
    parameters: dict[str, Any]
    remarks: list[str] = Field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write ``recalibration.json`` whole or not at all."""
        write_text(path, record_text(self))

    @classmethod
    def read(cls, path: Path) -> Recalibration:
        """Read ``recalibration.json`` back.

        Raises
        ------
        InputError
            The file is missing, is no JSON, or does not follow the schema.
        """
        return read_record(cls, path, SCHEMA, "hae-audit recalibrate")


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """The record of a recalibration, and the audited people before and after it."""

    record: Recalibration
    before: Predictions
    after: Predictions


def recalibrate(
    predictions: Predictions,
    method: str,
    *,
    fit_share: float = 0.5,
    seed: int = 0,
    levels: Sequence[float] = (90.0,),
    groups: Sequence[str] = (),
    min_people: int = MIN_PEOPLE,
) -> Recalibrated:
    """Fit on one part of the people, apply to the other.

    Who belongs to which part is a hash of the person and the seed, so all photos of a person are
    on one side and the order of rows does not matter.

    Parameters
    ----------
    predictions : Predictions
        With the truth.
    method : str
        ``temperature`` or ``isotonic``; for ages also ``bias-by-age`` and ``conformal``.
    fit_share : float
        Share of the people to fit on, between 0 and 1.
    levels : sequence of float
        Levels of conformal intervals in percent.
    groups : sequence of str
        Attributes whose groups get conformal intervals of their own.
    min_people : int
        Fewer people than this are not fitted on.

    Raises
    ------
    InputError
        A method that the task does not have, too few people or only one class to fit on, nobody
        left to audit.
    """
    known = METHODS[predictions.task]
    if method not in known:
        raise InputError(
            f"--method {method}: must be one of {', '.join(known)} for {predictions.task} tables"
        )
    _check(fit_share, levels, groups, method)
    keys = person_keys(predictions, sample_keys(predictions, 0))
    fitting = in_part(keys, seed, fit_share)
    part = part_of(predictions, fitting)
    if part.n_persons < min_people:
        raise InputError(
            f"{predictions.place}: {part.n_persons} people to fit on, at least {min_people} are "
            "needed; raise --fit-share or give more people"
        )
    rest = _rows(predictions, ~fitting)
    left = part_of(predictions, ~fitting).n_persons
    if left < min_people:
        raise InputError(
            f"{predictions.place}: {left} people are left to audit, at least {min_people} are "
            "needed; lower --fit-share or give more people"
        )
    way = known[method]
    fitted = way.fit(part, Choice(tuple(levels), tuple(groups), min_people))
    record = Recalibration(
        task=predictions.task,
        method=method,
        definition=way.definition,
        source=way.source,
        fit_share=fit_share,
        seed=seed,
        n_fit=len(part.rows),
        n_subjects_fit=part.n_persons,
        n_audit=len(rest),
        parameters=dict(fitted.parameters),
        remarks=list(fitted.remarks),
    )
    before = way.before(rest, fitted.parameters)
    return Recalibrated(record, before, way.apply(rest, fitted.parameters))


def apply(record: Recalibration, predictions: Predictions) -> Predictions:
    """Apply a recalibration that was fitted before to another table of the same task.

    Raises
    ------
    InputError
        The table is of another task, has other classes, or lacks what was recalibrated.
    """
    if predictions.task != record.task:
        raise InputError(
            f"{predictions.place}: is of the task {predictions.task}, the recalibration of "
            f"{record.task}"
        )
    if predictions.task == "expression" and predictions.probabilities is None:
        raise InputError(f"{predictions.place}: no probabilities or logits to recalibrate")
    parameters: Mapping[str, Any] = record.parameters
    if (record.task, record.method) == ("expression", "isotonic"):
        odd = sorted({*predictions.classes} ^ {*parameters})
        if odd:
            raise InputError(
                f"{predictions.place}: its classes and those of the recalibration differ in "
                f"{odd[0]!r}; name them alike with --classes"
            )
    return METHODS[record.task][record.method].apply(predictions, parameters)


def _check(fit_share: float, levels: Sequence[float], groups: Sequence[str], method: str) -> None:
    if not 0 < fit_share < 1:
        raise InputError(f"--fit-share {fit_share:g}: must be between 0 and 1, such as 0.5")
    for level in levels:
        if not 0 < level < 100:
            raise InputError(f"--level {level:g}: must be a percentage between 0 and 100")
    if len(set(levels)) != len(levels) or not levels:
        raise InputError("--level: give each level once, and at least one")
    if groups and method != "conformal":
        raise InputError(f"--groups goes with --method conformal, not {method}")


def _rows(predictions: Predictions, chosen: npt.NDArray[np.bool_]) -> Predictions:
    """Some rows of a table, checked as a table of their own."""
    frame = predictions.to_frame()[chosen]
    if frame.empty:
        raise InputError(f"{predictions.place}: nobody is left to audit; lower --fit-share")
    return predictions_from_frame(
        frame,
        task=predictions.task,
        place=predictions.place,
        classes=predictions.classes or None,
    )
