"""Cure metrics and the scores of unscaled logits: values by hand, gaps, borders, bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, InputError, audit, predictions_from_frame, read_predictions
from audit.predictions import write_predictions
from tests.audit.compare import close, numbers
from tests.audit.frames import CLASSES, CURE_COLUMNS, cured_table, gap, gaps, metric

TABLE: dict[str, Any] = {
    "expression": list("abababab"),
    "expression_pred": list("abababab"),
    "g": list("xxxxyyyy"),
    "importance": [0.5, 1.0, 0.0, None, 0.8, 0.6, 0.2, 0.4],
    "low_group": [0.0, 0.5, 1.0, 0.5, 0.0, 0.0, 0.1, 0.3],
    "relabelled": [1, 1, 1, 0, 0, 0, 1, 0],
    "flipped": [1, 1, 0, 1, 1, 0, 0, 0],
    "corrected": [1, 0, 0, 0, 0, 0, 0, 0],
}


def faces(**columns: Any) -> AuditResult:
    frame = pd.DataFrame({k: v for k, v in (TABLE | columns).items() if v is not None})
    return audit(frame, task="expression", by=["g"], n_boot=0, min_n=2)


@pytest.mark.parametrize(
    ("name", "everyone", "x", "y", "n_x"),
    [
        ("importance", 3.5 / 7, 1.5 / 3, 2.0 / 4, 3),  # the empty cell is left out
        ("low_group_share", 2.4 / 8, 2.0 / 4, 0.4 / 4, 4),
        ("relabel_rate", 4 / 8, 3 / 4, 1 / 4, 4),
        ("relabel_precision", 1 / 4, 1 / 3, 0 / 1, 3),
        ("relabel_recall", 1 / 4, 1 / 3, 0 / 1, 3),
        ("relabel_damage", 2 / 4, 1 / 1, 1 / 3, 1),
    ],
)
def test_values_by_hand(name: str, everyone: float, x: float, y: float, n_x: int) -> None:
    result = faces()
    assert metric(result, name).value == pytest.approx(everyone, abs=1e-15)
    assert metric(result, name, {"g": "x"}).value == pytest.approx(x, abs=1e-15)
    assert metric(result, name, {"g": "x"}).n == n_x
    assert metric(result, name, {"g": "y"}).value == pytest.approx(y, abs=1e-15)
    difference = gap(result, metric=name, kind="difference")
    assert difference.value == pytest.approx(x - y, abs=1e-15)


def test_metrics_are_there_when_their_columns_are() -> None:
    noise = {"relabel_precision", "relabel_recall", "relabel_damage"}
    every = {"importance", "low_group_share", "relabel_rate", *noise}
    have = set(faces().spec.metrics)
    assert every <= have
    assert every & set(faces(flipped=None, corrected=None).spec.metrics) == every - noise
    part = set(faces(corrected=None, importance=None).spec.metrics)
    assert every & part == {"low_group_share", "relabel_rate", "relabel_damage"}
    assert not every & set(faces(**dict.fromkeys(CURE_COLUMNS)).spec.metrics)
    assert not {name for name in have if name.endswith("_raw")}


def test_undefined_shares_say_why() -> None:
    nothing = [0] * 4
    result = faces(
        importance=[None] * 4 + [0.5] * 4,
        relabelled=[*nothing, 1, 1, 0, 0],
        flipped=[1, 1, 1, 1, *nothing],
        corrected=[0] * 8,
    )
    notes = {
        ("importance", "x"): "not_known",
        ("relabel_precision", "x"): "none_relabelled",
        ("relabel_recall", "y"): "none_flipped",
        ("relabel_damage", "x"): "all_flipped",
    }
    for (name, group), note in notes.items():
        row = metric(result, name, {"g": group})
        assert (row.value, row.note, row.n) == (None, note, 0)


def test_flipped_unknown_leaves_the_face_out_of_what_needs_it() -> None:
    # the second face, flipped and wrongly relabelled, is no longer known to be flipped
    result = faces(flipped=[1, None, 0, 1, 1, 0, 0, 0], corrected=[1, None, 0, 0, 0, 0, 0, 0])
    assert metric(result, "relabel_rate").value == 4 / 8
    assert metric(result, "relabel_precision").value == pytest.approx(1 / 3)
    assert metric(result, "relabel_recall").value == pytest.approx(1 / 3)
    assert metric(result, "relabel_damage").value == 2 / 4


def test_intervals_and_gaps_are_by_person() -> None:
    """Every face three times: values and intervals stay; by face they would be 0.58 as wide.

    Wilson's effective number of faces is at most the faces, which three times as many lift a bit.
    """
    table = cured_table(1, weights=False)
    again = pd.concat([table.assign(sample_id=table["sample_id"] + f"-{i}") for i in range(3)])
    one = audit(table, task="expression", by=["gender"], n_boot=60)
    many = audit(again, task="expression", by=["gender"], n_boot=60)
    for name in ("importance", "low_group_share", "relabel_rate", "relabel_precision"):
        for group in ({}, {"gender": "f"}):
            a, b = metric(one, name, group), metric(many, name, group)
            assert a.value == pytest.approx(b.value, abs=1e-12)
            ratio = (b.high - b.low) / (a.high - a.low)
            slack = 0.12 if a.method == "wilson_neff" else 1e-9
            assert 1 - slack <= ratio <= 1 + 1e-9, name
        assert gap(one, metric=name, attributes=["gender"], kind="vs_rest", a={"gender": "m"}).low
    assert gap(one, metric="relabel_rate", kind="max_minus_min").debiased is not None
    assert gap(one, metric="relabel_damage", kind="worst_minus_best").low is not None


def test_row_order_and_shards_do_not_matter() -> None:
    table = cured_table(2, 80)
    whole = audit(table, task="expression", by=["gender", "race"], n_boot=40, min_n=5)
    mixed = table.sample(frac=1, random_state=1)
    shards = [mixed.iloc[:50], mixed.iloc[50:]]
    parts = [predictions_from_frame(part, task="expression", classes=CLASSES) for part in shards]
    merged = audit(parts, by=["gender", "race"], n_boot=40, min_n=5)
    a, b = numbers(whole), numbers(merged)
    assert a.keys() == b.keys()
    for key, values in a.items():
        assert close(list(values.values()), list(b[key].values())), key


def test_raw_scores_are_the_scores_of_the_raw_logits() -> None:
    table = cured_table(3)
    names = {f"raw_logit_{name}": f"logit_{name}" for name in CLASSES}
    plain = table.drop(columns=[*names.values(), *CURE_COLUMNS]).rename(columns=names)
    result = audit(table, task="expression", by=["gender"], n_boot=50)
    other = audit(plain, task="expression", by=["gender"], n_boot=50)
    for name in ("nll", "brier", "ece", "classwise_ece", "mce"):
        for group in ({}, {"gender": "f"}, {"gender": "m"}):
            a, b = metric(result, f"{name}_raw", group), metric(other, name, group)
            assert (a.value, a.low, a.high, a.null_expected, a.n, a.note) == (
                *(b.value, b.low, b.high, b.null_expected, b.n, b.note),
            )
            assert a.value != metric(result, name, group).value
        assert len(gaps(result, metric=f"{name}_raw")) == len(gaps(other, metric=name))
    assert result.spec.metrics["ece_raw"].definition != result.spec.metrics["ece"].definition


FLOW: dict[str, Any] = {
    # of x: a to b, a to b, b to a, and one unknown; of y: one b to a
    "expression_given": ["a", "a", "b", None, "a", "b", "b", "b"],
    "expression_final": ["b", "b", "a", "b", "a", "b", "a", "b"],
}


def flows(result: AuditResult, group: dict[str, str]) -> dict[tuple[Any, Any], tuple[Any, int]]:
    rows = [r for r in result.curves if (r.name, r.group) == ("relabel_flow", group)]
    return {(row.x, row.y): (row.z, row.n) for row in rows}


def test_labels_before_and_after_by_group() -> None:
    result = faces(**FLOW, weight=[1, 2, 1, 1, 1, 1, 1, 0])
    assert flows(result, {"g": "x"}) == {
        ("a", "a"): (0, 2), ("a", "b"): (3, 2), ("b", "a"): (1, 1), ("b", "b"): (0, 1)
    }  # fmt: skip
    # a face of weight 0 is none
    assert flows(result, {"g": "y"}) == {
        ("a", "a"): (1, 1), ("a", "b"): (0, 1), ("b", "a"): (1, 2), ("b", "b"): (1, 2)
    }  # fmt: skip
    assert "label before" in result.spec.curves["relabel_flow"]
    assert not flows(faces(), {})
    assert not flows(faces(**FLOW, relabelled=None, corrected=None), {})


def test_labels_that_contradict_the_mark_are_refused() -> None:
    with pytest.raises(InputError, match=r"row 6: relabelled is 0 but .* are different"):
        faces(**FLOW | {"expression_final": [*"bbabaaab"]})
    with pytest.raises(InputError, match=r"row 1: relabelled is 1 but .* are the same"):
        faces(**FLOW | {"expression_final": [*"abababab"]})
    with pytest.raises(InputError, match="expression_final is 'wrath'"):
        faces(**FLOW | {"expression_final": ["wrath", *"babaaab"]}, logit_a=[1.0] * 8,
              logit_b=[0.0] * 8)  # fmt: skip


def test_labels_of_shards_with_other_classes_are_the_same_labels() -> None:
    frame = pd.DataFrame(TABLE | FLOW | {"sample_id": [*"12345678"]})
    whole = audit(frame, task="expression", by=["g"], n_boot=0, min_n=2)
    third = {"expression": "c", "expression_pred": "c", "g": "y", "sample_id": "9"}
    more = pd.concat([frame, pd.DataFrame([third])], ignore_index=True)
    parts = [
        predictions_from_frame(part, task="expression")
        for part in (more.iloc[[0, 3]], more.iloc[[1, 2, 4, 5, 6, 7, 8]])
    ]
    merged = audit(parts, by=["g"], n_boot=0, min_n=2)
    known = {key: value for key, value in flows(merged, {}).items() if "c" not in key}
    assert known == flows(whole, {})


def test_columns_survive_a_file(tmp_path: Path) -> None:
    table = predictions_from_frame(cured_table(4, 30), task="expression")
    write_predictions(table, tmp_path / "p.parquet")
    again = read_predictions(tmp_path / "p.parquet", task="expression")
    assert again.extras == table.extras == (*CURE_COLUMNS, "raw_logit_")
    for name in CURE_COLUMNS:
        np.testing.assert_array_equal(getattr(again.cure, name), getattr(table.cure, name))
    np.testing.assert_array_equal(again.raw.logits, table.raw.logits)
    both = predictions_from_frame(pd.DataFrame(TABLE | FLOW), task="expression")
    write_predictions(both, tmp_path / "f.parquet")
    labels = read_predictions(tmp_path / "f.parquet", task="expression").cure
    np.testing.assert_array_equal(labels.before, [0, 0, 1, -1, 0, 1, 1, 1])
    np.testing.assert_array_equal(labels.after, [1, 1, 0, 1, 0, 1, 0, 1])
    assert not {*CURE_COLUMNS, "raw_logit_sad"} & set(again.other.columns)


def test_an_age_table_may_use_the_names() -> None:
    frame = pd.DataFrame({"age": [20], "age_pred": [21], "importance": ["high"]})
    assert list(predictions_from_frame(frame, task="age").other.columns) == ["importance"]


SCORES = {"logit_a": [1.0] * 8, "logit_b": [0.0] * 8}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"importance": [0.5, 1.2, *[0.1] * 6]}, "row 2: importance is 1.2, must be between 0 and 1"),
    ({"low_group": [-0.1, *[0.1] * 7]}, "row 1: low_group is -0.1, must be between 0 and 1"),
    ({"relabelled": [0, 2, *[0] * 6]}, "row 2: relabelled is 2, must be 0 or 1"),
    ({"flipped": ["no", *[0] * 7]}, "row 1: flipped is 'no', must be a number"),
    ({"flipped": None}, "column 'corrected' needs 'flipped'"),
    ({"corrected": [1, 0, 1, *[0] * 5]}, "row 3: corrected is 1 but flipped is 0"),
    ({"corrected": [1, 0, 0, 1, *[0] * 4]}, "row 4: corrected is 1 but relabelled is 0"),
    ({"corrected": [1, None, *[0] * 6]}, "row 2: corrected is empty, must be 0 or 1"),
    ({**SCORES, "raw_logit_a": [1] * 8, "raw_logit_c": [1] * 8}, "row 1: .*a, c, must be .*a, b"),
    ({"raw_logit_a": [1] * 8, "raw_logit_b": [1] * 8}, "row 1: .*must be .*none given"),
    (
        {**SCORES, "raw_logit_a": [1] * 8, "raw_logit_b": [1, None, *[1] * 6]},
        "row 2: raw_logit_b is empty, must be a finite number",
    ),
]


@pytest.mark.parametrize(("columns", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_input_names_the_row_and_the_rule(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        faces(**columns)


def test_a_column_of_some_shards_is_refused() -> None:
    table = cured_table(5, 30)
    bare = table.iloc[40:].drop(columns="low_group")
    parts = [predictions_from_frame(t, task="expression") for t in (table.iloc[:40], bare)]
    with pytest.raises(InputError, match="'low_group' is in some shards only"):
        audit(parts, by=["gender"], n_boot=0)
