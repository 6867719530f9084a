"""Where a model looked: columns, shares by group, mean maps, and what is hidden of few people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.errors import InputError
from audit.face_regions import BOXES, REGIONS, SIDE
from audit.predictions import predictions_from_frame, predictions_schema, write_predictions
from audit.publish import suppress
from audit.result import AuditResult
from audit.run import audit
from audit.stream import audit_file
from audit.where import cell_columns, region_columns
from tests.audit.compare import assert_same

MOUTH = REGIONS.index("mouth")


def table(sizes: dict[str, int], *, task: str = "age", seed: int = 0, photos: int = 2):
    """Dirichlet shares by photo; the cells of each face hold 1/49 each."""
    rng = np.random.default_rng(seed)
    people = [(name, i) for name, m in sizes.items() for i in range(m)]
    rows = [(name, f"{name}{i}") for name, i in people for _ in range(photos)]
    n = len(rows)
    frame = pd.DataFrame(rows, columns=["group", "subject_id"])
    frame["sample_id"] = [f"s{i}" for i in range(n)]
    if task == "age":
        frame["age"] = rng.uniform(5, 80, n)
        frame["age_pred"] = frame["age"] + rng.normal(0, 4, n)
    else:
        frame["expression"] = rng.choice(["happy", "sad"], n)
        frame["expression_pred"] = rng.choice(["happy", "sad"], n)
    shares = pd.DataFrame(rng.dirichlet(np.full(9, 4.0), n), columns=region_columns("gradcam"))
    cells = pd.DataFrame(np.full((n, SIDE**2), 1 / SIDE**2), columns=cell_columns("gradcam"))
    return pd.concat([frame, shares, cells], axis=1)


def shares_of(result: AuditResult, group: dict[str, str] | None = None):
    return {
        row.class_: row
        for row in result.metrics
        if row.metric == "where_gradcam" and row.group == (group or {})
    }


@pytest.mark.parametrize("task", ["age", "expression"])
def test_mean_shares_and_maps_by_hand(task: str) -> None:
    """By hand: means over faces whose look is known; 1 cell of 49 differs in one group."""
    frame = table({"a": 25, "b": 30}, task=task)
    b = frame["group"] == "b"
    corner, next_to_it = cell_columns("gradcam")[:2]
    frame.loc[b, corner], frame.loc[b, next_to_it] = 2 / 49, 0.0
    frame.loc[0, list(region_columns("gradcam") + cell_columns("gradcam"))] = np.nan
    frame["weight"] = np.where(b, 1.0, np.arange(len(frame)) % 3 + 1)
    result = audit(frame, task=task, by=["group"], n_boot=0)
    for group in ("a", "b"):
        own = frame[frame["group"] == group].iloc[int(group == "a") :]
        rows = shares_of(result, {"group": group})
        for region, name in zip(REGIONS, region_columns("gradcam"), strict=True):
            expected = np.average(own[name], weights=own["weight"])
            assert rows[region].value == pytest.approx(expected, abs=1e-12)
        assert rows["nose"].n == len(own)
        assert sum(row.value or 0 for row in rows.values()) == pytest.approx(1, abs=1e-12)
    maps = [row for row in result.curves if row.name == "where" and row.group == {"group": "b"}]
    assert [(row.x, row.y) for row in maps[:8]] == [*((k, 1) for k in range(1, 8)), (1, 2)]
    found = np.array([row.z for row in maps])
    assert found.tolist() == [0.041, 0.0, *[0.02] * 47]  # 2/49, 0, 1/49 to three digits
    assert {(row.n, row.n_subjects, row.class_) for row in maps} == {(60, 30, "gradcam")}
    a = next(row for row in result.curves if row.name == "where" and row.group == {"group": "a"})
    assert (a.n, a.n_subjects, a.z) == (49, 25, 0.02)


def test_a_difference_is_found_and_judged_by_its_margin() -> None:
    frame = table({"a": 60, "b": 60})
    b = (frame["group"] == "b").to_numpy()
    names = list(region_columns("gradcam"))
    values = frame[names].to_numpy().copy()
    values[b] *= 0.7
    values[b, MOUTH] += 0.3
    frame[names] = values
    margins = {"where_gradcam": 0.05}
    result = audit(frame, task="age", by=["group"], n_boot=200, margins=margins)
    pairs = {
        row.class_: row
        for row in result.gaps
        if row.metric == "where_gradcam" and row.kind == "difference"
    }
    assert pairs["mouth"].value == pytest.approx(-0.3 + 0.3 / 9, abs=0.03)
    assert pairs["mouth"].verdict == "gap"
    assert pairs["mouth"].p_adjusted < 0.01
    assert pairs["nose"].verdict == "no material gap"  # 0.3 of 1/9 is 0.033
    assert {row.family for row in pairs.values()} == {"where_gradcam/group/pairs"}
    plain = audit(frame, task="age", by=["group"], n_boot=0)
    row = next(r for r in plain.gaps if r.metric == "where_gradcam" and r.class_ == "mouth")
    assert (row.verdict, row.margin) == (None, None)
    assert row.low is not None


def test_fewer_than_20_people_are_not_shown() -> None:
    frame = table({"a": 40, "b": 19})
    result = audit(frame, task="age", by=["group"], n_boot=0, min_n=2)
    rows = shares_of(result, {"group": "b"}).values()
    assert {(row.value, row.low, row.note) for row in rows} == {(None, None, "below_20_people")}
    assert {row.n_subjects for row in rows} == {19}
    looks = [row for row in result.curves if row.name == "where"]
    (hidden,) = (row for row in looks if row.group == {"group": "b"})
    assert (hidden.x, hidden.y, hidden.z, hidden.note) == ("all", "all", None, "below_20_people")
    assert len([row for row in looks if row.group == {"group": "a"}]) == 49
    gaps = [g for g in result.gaps if g.metric == "where_gradcam" and g.n_subjects_a is not None]
    assert gaps
    assert {(g.value, g.low, g.p, g.note) for g in gaps} == {(None, None, None, "below_20_people")}
    # 20 are enough to be shown, and by default too few to be tested
    enough = audit(table({"a": 40, "b": 20}), task="age", by=["group"], n_boot=0)
    assert all(row.value is not None for row in shares_of(enough, {"group": "b"}).values())
    tested = [g for g in enough.gaps if g.metric == "where_gradcam" and g.kind == "difference"]
    assert {(g.p, g.note) for g in tested} == {(None, "below_min_n; no_margin")}


def test_a_face_enters_no_record_but_in_means(tmp_path: Path) -> None:
    """The table that is written keeps shares and leaves out maps, and gives the same numbers."""
    frame = table({"a": 30, "b": 30})
    read = predictions_from_frame(frame, task="age")
    write_predictions(read, tmp_path / "p.parquet")
    again = pd.read_parquet(tmp_path / "p.parquet")
    assert not set(cell_columns("gradcam")) & {*again.columns, *read.other.columns}
    assert set(region_columns("gradcam")) <= {*again.columns}
    first, second = (audit(x, task="age", by=["group"], n_boot=20) for x in (frame, again))
    assert [r for r in first.metrics if r.metric == "where_gradcam"] == [
        r for r in second.metrics if r.metric == "where_gradcam"
    ]
    assert {row.name for row in second.curves} == {row.name for row in first.curves} - {"where"}


def test_a_face_cannot_be_had_by_subtraction() -> None:
    """41 n_all z_all - 40 z_a is one face's map but for rounding, which is as large as its cells:
    up to 81 * 0.0005 = 0.04, where an even share is 0.02.
    """
    frame = table({"a": 40, "b": 1}, photos=1)
    cells = np.random.default_rng(2).dirichlet(np.ones(49), len(frame))
    frame[list(cell_columns("gradcam"))] = cells
    looks = [
        r for r in audit(frame, task="age", by=["group"], n_boot=0).curves if r.name == "where"
    ]
    everyone, a = (np.array([r.z for r in looks if r.group == g]) for g in ({}, {"group": "a"}))
    assert everyone == pytest.approx(cells.mean(axis=0), abs=0.0005 + 1e-12)
    error = 41 * everyone - 40 * a - cells[-1]
    assert np.abs(error).mean() > 0.5 / 49


def test_order_and_shards_do_not_matter() -> None:
    frame = table({"a": 35, "b": 31})
    whole = audit(frame, task="age", by=["group"], n_boot=50)
    mixed = audit(frame.sample(frac=1, random_state=1), task="age", by=["group"], n_boot=50)
    parts = audit([frame[:37], frame[37:]], task="age", by=["group"], n_boot=50)
    for other in (mixed, parts):
        assert_same(whole, other)
    assert any(row.metric == "where_gradcam" and row.p_adjusted for row in whole.gaps)


def test_the_record_survives_json_and_publication(tmp_path: Path) -> None:
    result = audit(table({"a": 30, "b": 23}), task="age", by=["group"], n_boot=0)
    result.write(tmp_path / "audit.json")
    assert AuditResult.read(tmp_path / "audit.json") == result
    published = suppress(result, 25)
    assert not any(row.name == "where" and row.group for row in published.curves)
    assert {row.note for row in shares_of(published, {"group": "b"}).values()} == {"suppressed"}


def test_regions_are_apart_and_mirrored() -> None:
    """Boxes do not overlap; left and right are mirror images, left on the viewer's left."""
    boxes = list(BOXES.values())
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1
        for u0, v0, u1, v1 in boxes[:i]:
            assert min(x1, u1) <= max(x0, u0) or min(y1, v1) <= max(y0, v0)
    for part in ("eye", "cheek"):
        x0, y0, x1, y1 = BOXES[f"left_{part}"]
        assert BOXES[f"right_{part}"] == pytest.approx((1 - x1, y0, 1 - x0, y1))
        assert x1 <= 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="where_gradcam_nose"), "no column 'where_gradcam_nose'"),
        (lambda f: f.drop(columns="where_gradcam_at_7_7"), "no column 'where_gradcam_at_7_7'"),
        (lambda f: f.assign(where_gradcam_nose=1.5), "row 1: where_gradcam_nose is 1.5, must be"),
        (lambda f: f.assign(where_gradcam_nose=0.0), r"row 1: where_gradcam_\* sum to 0\.\d+, mus"),
        (lambda f: f.assign(where_gradcam_nose=np.nan), "row 1: where_gradcam_nose is empty and"),
        (lambda f: f.assign(where_gradcam_at_1_1=1.0), "sum to 1.97959, must sum to at most 1"),
        (lambda f: f.assign(where_gradcam_at_1_1=None), "where_gradcam_at_1_1 is empty and others"),
        (lambda f: f.assign(where_gradcam_nose="x"), "must be a number"),
        (lambda f: f.drop(columns=list(region_columns("gradcam"))), "has no shares of regions"),
    ],
)
def test_bad_columns_are_refused(change, message: str) -> None:
    with pytest.raises(InputError, match=message):
        predictions_from_frame(change(table({"a": 2})), task="age", place="t.csv")


def test_shards_and_streams_that_differ_are_refused(tmp_path: Path) -> None:
    frame = table({"a": 4})
    bare = frame.drop(columns=list(region_columns("gradcam") + cell_columns("gradcam")))
    with pytest.raises(InputError, match="give the same to every shard"):
        audit([frame[:4], bare[4:]], task="age")
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"where_\*\) are not streamed"):
        audit_file(tmp_path / "t.parquet", task="age")


def test_the_schema_names_the_columns() -> None:
    patterns = json.dumps(predictions_schema()["patternProperties"])
    assert "^where_.+_(forehead|left_eye|" in patterns
    assert "^where_.+_at_" in patterns
