"""Changes since a baseline on the same faces: by hand, beside the independent way, and refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import audit, predictions_from_frame
from audit.comparison import GapChange
from audit.findings import Finding, GateResult
from audit.paired_baseline import _size
from audit.policy_gate import Source, gate
from audit.result import FileHash
from tests.audit.gate_records import rule

MAE = 'metric = "mae"\nattribute = "gender"\n'
FILE = FileHash(name="audit.json", sha256="0" * 64, bytes=1)


def faces(seed: int = 0, n: int = 600, groups: str = "fm") -> pd.DataFrame:
    """One photo of each of n people; the first group is 2 years worse."""
    rng = np.random.default_rng(seed)
    group = np.array(list(groups))[np.arange(n) % len(groups)]
    age = rng.uniform(10, 70, n).round(2)
    error = rng.normal(0, 3, n) + np.where(group == groups[0], 4.0, 0.0)
    ids = [f"s{i}" for i in range(n)]
    return pd.DataFrame(
        {"sample_id": ids, "subject_id": ids, "gender": group, "age": age, "age_pred": age + error}
    )


def nudged(frame: pd.DataFrame, f: float = 0.0, noise: float = 0.2) -> pd.DataFrame:
    """The same faces by a model that is nearly the same, and off by ``f`` more for group f."""
    rng = np.random.default_rng(9)
    more = np.where(frame["gender"] == "f", f, 0.0) + rng.normal(0, noise, len(frame))
    return frame.assign(age_pred=frame["age_pred"] + more)


def source(frame: pd.DataFrame, *, table: bool = True, **options: Any) -> Source:
    predictions = predictions_from_frame(frame, task="age")
    options = {"by": ["gender"], "n_boot": 50, "min_n": 20} | options
    return Source(audit(predictions, **options), FILE, predictions if table else None)


def beside(folder: Path, text: str, new: Source, old: Source) -> GateResult:
    return gate(new, rule(folder, text), old)


def first(result: GateResult) -> Finding:
    return result.findings[0]


def test_the_size_of_a_signed_change_over_its_rectangle() -> None:
    """Against a fine grid of D = B - A and S = B + A: abs(B) - abs(A) in every point."""
    ends = (-2.0, -0.5, 0.3, 1.5)
    for d, s in itertools.product(itertools.combinations(ends, 2), repeat=2):
        grid_d, grid_s = np.meshgrid(np.linspace(*d, 401), np.linspace(*s, 401))
        sizes = np.abs((grid_s + grid_d) / 2) - np.abs((grid_s - grid_d) / 2)
        row = GapChange(
            metric="mae", attributes=["g"], kind="difference", run_a="a", run_b="b", family="mae/g",
            value=1.0, value_a=-1.0, value_b=3.0, n=9, n_subjects=9,
        )  # fmt: skip
        found = _size(row, d, s)
        assert found is not None
        assert found[0] == 2.0
        assert found[1:] == pytest.approx((sizes.min(), sizes.max()), abs=0.01)


def test_the_same_predictions_have_not_changed(tmp_path: Path) -> None:
    one = source(faces())
    for text in ("margin = 0.5", "limit = 2", 'margin = 0.5\nkind = "difference"'):
        result = beside(tmp_path, MAE + text, one, one)
        assert result.passed
        assert result.compared == ["paired"]
        for found in result.findings:
            if found.outcome != "passed":
                assert found.change is not None
                assert (found.change.value, found.change.low, found.change.high) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "text",
    [
        "margin = 0.5",
        'margin = 0.5\nkind = "difference"',
        'margin = 0.5\nkind = "vs_rest"',
        "limit = 3",
    ],
)
def test_a_small_growth_is_seen_on_the_same_faces_only(tmp_path: Path, text: str) -> None:
    frame = faces()
    old, new = source(frame), source(nudged(frame, f=0.4))
    paired = first(beside(tmp_path, MAE + text, new, old))
    assert paired.outcome == "failed"
    assert "worse than the baseline" in str(paired.reason)
    assert paired.change is not None
    assert paired.change.how == "paired"
    bare = Source(new.result, FILE)
    result = beside(tmp_path, MAE + text, bare, old)
    alone = first(result)
    assert alone.outcome == "warned"
    assert alone.change is not None
    assert (alone.change.how, result.compared) == ("independent", ["independent"])
    assert any("does not lie beside both records" in remark for remark in result.remarks)
    # the same number with an interval several times as wide
    assert paired.change.value == pytest.approx(alone.change.value)
    widths = [(c.high or 0) - (c.low or 0) for c in (paired.change, alone.change)]
    assert widths[1] > 3 * widths[0]


def test_what_got_better_is_excused(tmp_path: Path) -> None:
    frame = faces()
    result = beside(tmp_path, MAE + "margin = 0.5", source(nudged(frame, f=-0.4)), source(frame))
    assert first(result).outcome == "warned"
    change = first(result).change
    assert change is not None
    assert (change.high or 0) < 0
    assert any("training randomness is not included" in remark for remark in result.remarks)


def test_more_is_better(tmp_path: Path) -> None:
    frame = faces()
    text = 'metric = "cs5"\nattribute = "gender"\nlimit = 0.9'
    result = beside(tmp_path, text, source(nudged(frame, f=3.0)), source(frame))
    found = {str(one.a): one for one in result.findings}
    assert found["{'gender': 'f'}"].outcome == "failed"
    change = found["{'gender': 'f'}"].change
    assert change is not None
    assert (change.low or 0) > 0


def test_another_group_is_worst_now(tmp_path: Path) -> None:
    """a was 4 years off, now c is 7: the baseline's pair has not grown, the new one has."""
    frame = faces(groups="abc")
    worse = frame.assign(age_pred=frame["age_pred"] + np.where(frame["gender"] == "c", 7.0, 0.0))
    found = first(beside(tmp_path, MAE + "margin = 0.5", source(worse), source(frame)))
    assert found.outcome == "failed"
    assert found.change is not None
    assert {"gender": "c"} in (found.change.a, found.change.b)
    assert found.change.how == "paired"
    # a is mended and c as bad as a was: others are worst, nothing is worse
    turned = frame.assign(
        age_pred=frame["age_pred"] + frame["gender"].map({"a": -4.0, "b": 0.0, "c": 3.5})
    )
    found = first(beside(tmp_path, MAE + "margin = 0.5", source(turned), source(frame)))
    assert found.outcome == "warned"
    assert found.change is not None
    assert {"gender": "a"} in (found.change.a, found.change.b)


def test_ratios_are_compared_as_if_of_other_faces(tmp_path: Path) -> None:
    one = source(faces())
    result = beside(tmp_path, MAE + 'kind = "ratio"\nmargin = 1.1', one, one)
    assert result.compared == ["independent"]
    assert any("a ratio, or a gap that" in remark for remark in result.remarks)


def test_failed_faces(tmp_path: Path) -> None:
    frame = faces()
    failed = frame.assign(age_pred=frame["age_pred"].where(frame.index % 20 != 0))
    text = 'metric = "cs5"\nattribute = "gender"\nlimit = 0.95'
    result = beside(tmp_path, text, source(failed), source(frame))
    assert {one.metric for one in result.findings} == {"cs5_all"}
    # every failed face is of f
    assert [one.outcome for one in result.findings] == ["failed", "warned"]


@pytest.mark.parametrize("side", ["new", "old"])
def test_predictions_that_are_not_those_of_their_record(tmp_path: Path, side: str) -> None:
    frame = faces()
    sides = {"old": source(frame), "new": source(nudged(frame))}
    other = predictions_from_frame(nudged(frame, f=1.0), task="age")
    sides[side] = Source(sides[side].result, FILE, other)
    result = beside(tmp_path, MAE + "margin = 0.5", sides["new"], sides["old"])
    assert result.compared == ["independent"]
    name = {"new": "the record", "old": "the baseline"}[side]
    text = f"the predictions beside {name} do not give its numbers"
    assert any(text in remark for remark in result.remarks)


def test_other_faces_are_not_paired(tmp_path: Path) -> None:
    frame = faces()
    others = faces(3).assign(sample_id=lambda t: "x" + t["sample_id"])
    result = beside(tmp_path, MAE + "margin = 0.5", source(others), source(frame))
    assert result.compared == ["independent"]
    assert any("as if of other faces (" in remark for remark in result.remarks)


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    frame = faces()
    new = nudged(frame, f=0.4)
    one = beside(tmp_path, MAE + "margin = 0.5", source(new), source(frame))
    two = beside(tmp_path, MAE + "margin = 0.5", source(new[::-1]), source(frame))
    assert one.findings[0].change == two.findings[0].change
