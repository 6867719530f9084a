"""Runs put on one list of faces; what contradicts is refused with the face and both values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import InputError, predictions_from_frame
from audit.align import align, processed_by_all
from audit.compare import compare
from tests.audit.frames import age_table, expression_table

FRAME = pd.DataFrame(
    {
        "sample_id": list("abcd"),
        "subject_id": ["p", "p", "q", "r"],
        "age": [20.0, 30.0, 40.0, 50.0],
        "age_pred": [21.0, 31.0, 41.0, 51.0],
        "gender": ["f", "f", "m", "m"],
        "weight": [1.0, 2.0, 1.0, 1.0],
    }
)


def ages(frame: pd.DataFrame, place: str = "table") -> Any:
    return predictions_from_frame(frame, task="age", place=place)


def changed(column: str, value: object, row: int = 2) -> pd.DataFrame:
    frame = FRAME.copy()
    frame[column] = frame[column].astype(object)
    frame.loc[row, column] = value
    return frame


def test_joined_by_id_whatever_the_order() -> None:
    found = align({"a": ages(FRAME), "b": ages(FRAME.iloc[::-1])}, ["gender"])
    assert list(found.runs["b"].sample_id) == list("abcd")
    assert found.runs["b"].estimate is not None
    assert found.runs["b"].estimate.low.tolist() == [21, 31, 41, 51]
    assert list(found.runs["a"].other.columns) == ["gender"]
    assert len(found) == 4


def test_a_face_that_a_table_lacks_is_not_processed_by_it() -> None:
    found = align({"a": ages(FRAME.iloc[1:]), "b": ages(FRAME.iloc[:3])}, ["gender"])
    first, second = found.runs.values()
    assert list(first.sample_id) == list("bcda")
    assert first.processed.tolist() == [True, True, True, False]
    assert second.processed.tolist() == [True, True, False, True]
    assert found.present["a"].tolist() == [True, True, True, False]
    # what the other table says of the face is known all the same
    assert first.labelled.all()
    assert first.other["gender"].tolist() == ["f", "m", "m", "f"]
    both = processed_by_all([first, second])
    assert [run.processed.tolist() for run in both] == [[True, True, False, False]] * 2


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (changed("age", 41.0), r"sample_id 'c': age is 40 in old.csv and 41 in new.csv; runs can"),
        (changed("gender", "f"), r"sample_id 'c': gender is 'm' in old.csv and 'f' in new.csv"),
        (changed("subject_id", "s"), r"sample_id 'c': subject_id is 'q' in old.csv and 's'"),
        (changed("weight", 3.0), r"sample_id 'c': weight is 1.0 in old.csv and 3.0 in new.csv"),
        (
            FRAME.drop(columns="sample_id"),
            r"new.csv: no column 'sample_id'; runs are compared face",
        ),
        (changed("sample_id", "z", 0).assign(age=[1, 30, 40, 50]), None),
        (FRAME.assign(sample_id=list("wxyz")), r"share 0 of 8 faces"),
        (FRAME.assign(sample_id=list("abyz")), r"share 2 of 6 faces \(by sample_id\)"),
    ],
)
def test_what_contradicts_is_refused(frame: pd.DataFrame, message: str | None) -> None:
    runs = {"old": ages(FRAME, "old.csv"), "new": ages(frame, "new.csv")}
    if message is None:
        assert len(align(runs, ["gender"])) == 5
        return
    with pytest.raises(InputError, match=message):
        align(runs, ["gender"])


def test_tables_of_one_name_are_told_by_the_run() -> None:
    with pytest.raises(InputError, match=r"age is 40 in old and 41 in new"):
        align({"old": ages(FRAME), "new": ages(changed("age", 41.0))}, [])


def test_a_silent_table_does_not_contradict() -> None:
    bare = FRAME.drop(columns=["gender", "subject_id", "weight"])
    for tables in ((FRAME, bare), (bare, FRAME)):
        found = align({str(i): ages(t) for i, t in enumerate(tables)}, ["gender"])
        for run in found.runs.values():
            assert run.other["gender"].tolist() == ["f", "f", "m", "m"]
            assert list(run.subject_id) == ["p", "p", "q", "r"]
            assert run.weight.tolist() == [1, 2, 1, 1]


def test_bands_contradict_by_name() -> None:
    first = FRAME.assign(age=["20-29", "30-39", "40-49", "50-59"])
    second = FRAME.assign(age=["20-29", "30-39", "50-59", "50-59"])
    with pytest.raises(InputError, match=r"age is '40-49' in a and '50-59' in b"):
        align({"a": ages(first), "b": ages(second)}, [])


def expression(frame: pd.DataFrame, **options: Any) -> Any:
    return predictions_from_frame(frame, task="expression", **options)


def test_tasks_and_classes_must_agree() -> None:
    table = expression_table(weights=False)
    with pytest.raises(InputError, match="only runs of one task can be compared"):
        compare({"a": expression(table), "b": ages(age_table())}, by=[], n_boot=0)
    other = table.rename(columns={"prob_sad": "prob_glum"}).replace("sad", "glum")
    with pytest.raises(InputError, match=r"classes .*glum differ from .*sad in"):
        compare({"a": expression(table), "b": expression(other)}, by=[], n_boot=0)


def test_the_order_of_classes_does_not_matter() -> None:
    table = expression_table(weights=False)
    names = [name for name in table.columns if name.startswith("prob_")]
    turned = table[[*(n for n in table.columns if n not in names), *reversed(names)]]
    result = compare({"a": expression(table), "b": expression(turned)}, by=[], n_boot=0)
    for row in result.paired:
        assert row.value is None or abs(row.value) < 1e-12, row


def test_without_scores_classes_may_be_those_that_occur() -> None:
    table = expression_table(weights=False, probabilities=False, failures=False)
    other = table.assign(expression_pred=table["expression_pred"].replace("sad", "calm"))
    result = compare({"a": expression(table), "b": expression(other)}, by=[], n_boot=0)
    assert set(result.spec.classes or ()) == {"angry", "calm", "happy", "neutral", "sad"}
    # scores of one run only: nothing is compared by them
    scored = expression_table(weights=False, failures=False)
    mixed = compare({"a": expression(scored), "b": expression(table)}, by=[], n_boot=0)
    brier = [row for row in mixed.paired if row.metric == "brier"]
    assert [(row.value, row.note) for row in brier] == [(None, "no_probabilities")]


def test_distributions_only_where_all_runs_have_one_form() -> None:
    frame = FRAME.assign(age_std=2.0)
    for second, there in ((frame, True), (FRAME, False)):
        runs = align({"a": ages(frame), "b": ages(second)}, []).runs
        assert [run.distribution is not None for run in runs.values()] == [there] * 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": "all"}, "--missing 'all': must be one of both, worst"),
        ({"baseline": "c"}, "--baseline c: no such run; choose one of a, b"),
        ({"margins": {"mea": 1}}, "--margin mea: no such metric"),
        ({"margins": {"mae": -1}}, "must be a number above 0"),
        ({"by": ["race"]}, "--by race: no such column; the table has gender"),
        ({"settings": {"s": ["a", "b"]}}, "--seeds-of s: 2 runs; at least 5 seeds"),
        ({"settings": {"s": ["a", "x"]}}, "--seeds-of s: no run 'x'; the runs are a, b"),
        ({"settings": {"a": ["a", "b"]}}, "--seeds-of a: a run is called so"),
        ({"n_boot": -1}, "--n-boot -1 must be at least 0"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        compare({"a": ages(FRAME), "b": ages(FRAME)}, **({"by": [], "n_boot": 0} | options))


def test_one_run_is_refused() -> None:
    with pytest.raises(InputError, match="1 run is given; give at least two"):
        compare({"a": ages(FRAME)}, by=[])


def test_photos_of_few_people_are_not_tested() -> None:
    """Ten people with a hundred photos each: shown, with the reason why not tested."""
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(10), 100)
    frame = pd.DataFrame({"sample_id": [f"s{i}" for i in range(1000)], "age": 40.0,
                          "subject_id": [f"p{i}" for i in person],
                          "age_pred": 40 + rng.normal(0, 3, 1000)})  # fmt: skip
    second = frame.assign(age_pred=40 + rng.normal(0, 4, 1000))
    result = compare({"a": ages(frame), "b": ages(second)}, by=[], margins={"mae": 50}, n_boot=100)
    row = next(row for row in result.paired if row.metric == "mae")
    assert (row.n, row.n_subjects, row.note) == (1000, 10, "below_min_n")
    assert row.p_adjusted is None
    assert row.verdict == "inconclusive"
