"""A grid analysed: what is planted is found, what is not is not, and what is lacking is said."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audit.compare import compare
from audit.errors import InputError
from audit.generality.cells import Cell, Trained
from audit.generality.record import Generality, SummaryRow
from audit.generality.run import generality
from audit.predictions import predictions_from_frame
from tests.audit.generality.grids import faces, grid, table_of

FRAME = faces()


def analysed(cells: dict[Cell, Trained], **options: Any) -> Generality:
    return generality(
        cells, "mean", **{"by": ["group"], "n_boot": 200, "metrics": ["mae"]} | options
    )


def everywhere(backbone: str, aggregator: str, group: np.ndarray) -> float:
    return 0.7 if aggregator == "sae" else 1.0


def once(backbone: str, aggregator: str, group: np.ndarray) -> float:
    return 0.6 if (backbone, aggregator) == ("b2", "sae") else 1.0


def gap_closes(backbone: str, aggregator: str, group: np.ndarray) -> np.ndarray:
    return np.where(group == "x", 1.0 if aggregator == "sae" else 2.0, 1.0)


@lru_cache(maxsize=1)
def planted() -> Generality:
    return analysed(grid(FRAME, everywhere))


def summary(found: Generality, aggregator: str, kind: str = "value") -> SummaryRow:
    rows = [r for r in found.summaries if (r.aggregator, r.kind) == (aggregator, kind)]
    return next(r for r in rows if not r.group)


def test_a_gain_on_every_backbone_is_found() -> None:
    row = summary(planted(), "sae")
    assert (row.verdict, row.n_better, row.n_worse, row.n_backbones) == ("better", 3, 0, 3)
    # E abs error 6 sqrt(2 / pi) = 4.79 years, less 30 %
    assert row.value == pytest.approx(-1.44, abs=0.35)
    assert row.low_new is not None
    assert row.low is not None
    assert row.low_new < row.low
    verdicts = [r.verdict for r in planted().gains if r.aggregator == "sae" and not r.group]
    assert verdicts == ["b better"] * 3
    by_group = [r for r in planted().summaries if r.aggregator == "sae" and r.group]
    assert len(by_group) == 3
    assert all(r.value is not None and r.value < -0.7 for r in by_group)


def test_no_gain_is_found_where_there_is_none() -> None:
    found = analysed(grid(FRAME))
    assert {r.verdict for r in found.summaries if r.p is not None} == {"inconclusive"}
    assert {r.verdict for r in found.gains} == {"inconclusive"}
    assert {r.verdict for r in found.gaps} == {"inconclusive"}


def test_a_gain_on_one_backbone_is_that_one_s_alone() -> None:
    found = analysed(grid(FRAME, once))
    row = summary(found, "sae")
    assert row.verdict == "inconclusive"
    assert row.tau is not None
    assert row.tau > 0.5
    verdicts = {r.backbone: r.verdict for r in found.gains if r.aggregator == "sae" and not r.group}
    assert verdicts == {"b1": "inconclusive", "b2": "b better", "b3": "inconclusive"}


def test_a_gap_that_closes_is_narrower_on_every_backbone() -> None:
    found = analysed(grid(FRAME, gap_closes))
    rows = [r for r in found.gaps if r.aggregator == "sae"]
    assert [r.verdict for r in rows] == ["narrower"] * 3
    assert {(*(r.a or {}).values(),) for r in found.gaps} == {("x",)}
    assert all(r.value_a is not None and r.value_a > 0 for r in rows)
    row = summary(found, "sae", "worst_minus_best")
    assert (row.verdict, row.n_better) == ("narrower", 3)
    assert summary(found, "max", "worst_minus_best").verdict == "inconclusive"
    control = next(r for r in found.concordance if r.aggregator == "mean")
    assert {w.group["group"] for w in control.worst} == {"x"}
    assert control.value is not None
    assert control.low is not None
    assert control.low <= control.value


def test_one_seed_is_the_paired_comparison() -> None:
    cells = grid(FRAME, everywhere, backbones=("b1",), aggregators=("mean", "sae"), seeds=(4,))
    found = analysed(cells, metrics=["mae", "cs5"])
    runs = {c.aggregator: t.predictions for c, t in cells.items() if t.predictions is not None}
    pair = compare(runs, by=["group"], n_boot=200)
    names = ("value", "low", "high", "p", "p_adjusted", "low_adjusted", "value_a", "n", "verdict")
    theirs = {(r.metric, str(r.group)): [getattr(r, x) for x in names] for r in pair.paired}
    for row in found.gains:
        assert [getattr(row, x) for x in names] == theirs[row.metric, str(row.group)]
        assert (row.n_seeds, row.sd_seeds) == (1, None)


def test_means_over_seeds_are_means_of_the_seeds() -> None:
    cells = grid(FRAME, everywhere)
    single = [
        analysed({c: t for c, t in cells.items() if c.seed == s}, metrics=["mae", "cs5"])
        for s in (0, 1)
    ]
    both = analysed(cells, metrics=["mae", "cs5"])
    for a, b, row in zip(*(found.gains for found in (*single, both)), strict=True):
        assert a.value is not None
        assert b.value is not None
        assert row.value == pytest.approx((a.value + b.value) / 2)
        assert row.sd_seeds == pytest.approx(abs(a.value - b.value) / np.sqrt(2))
        assert row.low is not None
        assert row.high is not None
        assert row.low < row.value < row.high
        # averaging takes out part of the chance that is a training's own
        assert a.low is not None
        assert a.high is not None
        assert row.high - row.low < 1.05 * (a.high - a.low)


def test_five_seeds_are_a_sample() -> None:
    cells = grid(FRAME, everywhere, backbones=("b1",), seeds=range(5))
    rows = analysed(cells).gains
    assert all(row.n_seeds == 5 and row.p_adjusted is not None for row in rows)
    row = next(r for r in rows if r.aggregator == "sae" and not r.group)
    four = analysed({c: t for c, t in cells.items() if c.seed < 4}).gains
    other = next(r for r in four if r.aggregator == "sae" and not r.group)
    assert row.low is not None
    assert row.high is not None
    assert other.low is not None
    assert other.high is not None
    assert row.high - row.low > other.high - other.low  # t with 4 df, and the seeds' own chance


def test_the_order_of_cells_does_not_matter() -> None:
    cells = grid(FRAME, everywhere)
    back = analysed(dict(reversed(list(cells.items()))))
    assert back.to_json() == planted().to_json()


def test_two_backbones_have_no_p() -> None:
    found = analysed(grid(FRAME, everywhere, backbones=("b1", "b2")))
    for row in found.summaries:
        assert (row.p, row.p_adjusted, row.low, row.low_new, row.verdict) == (None,) * 5
        assert row.note == "few_backbones"
        assert row.value is not None
    assert {row.p for row in found.concordance} == {None}


def test_one_backbone_has_no_summary_to_speak_of() -> None:
    found = analysed(grid(FRAME, everywhere, backbones=("b1",)))
    assert {row.note for row in found.summaries} == {"few_backbones"}
    assert {(row.value, row.note) for row in found.concordance} == {(None, "few_backbones")}


def test_failed_cells_are_told_and_the_rest_goes_on() -> None:
    lost = {Cell("b1", "sae", s): "out of memory" for s in (0, 1)} | {Cell("b2", "mean", 0): "nan"}
    found = analysed(grid(FRAME, everywhere, failed=lost))
    told = {(c.backbone, c.aggregator, c.seed): c.reason for c in found.cells}
    assert {Cell(*key): why for key, why in told.items() if why} == lost
    assert [w.code for w in found.warnings].count("cells_failed") == 1
    assert len({w.code for w in found.warnings}) == len(found.warnings)
    rows = {(r.backbone, r.aggregator): r for r in found.gains if not r.group}
    assert (rows["b1", "sae"].value, rows["b1", "sae"].note) == (None, "no_common_seed")
    assert rows["b2", "sae"].n_seeds == 1  # the seed whose control is lost is left out
    whole = {(r.backbone, r.aggregator): r for r in planted().gains if not r.group}
    assert rows["b3", "sae"].value == pytest.approx(whole["b3", "sae"].value)
    assert summary(found, "sae").n_backbones == 2
    assert summary(found, "max").n_backbones == 3


def test_a_face_that_one_cell_did_not_process_is_left_out_of_all() -> None:
    cells = grid(FRAME, everywhere)
    shown = FRAME["age"].to_numpy(copy=True)
    shown[7] = np.nan
    cells[Cell("b1", "max", 0)] = Trained(table_of(FRAME, shown))
    found = analysed(cells)
    assert {row.n for row in found.gains if not row.group} == {len(FRAME) - 1}
    assert [c.n_failed for c in found.cells if c.n_failed] == [1]


def test_shares_have_intervals_too() -> None:
    found = analysed(grid(FRAME, everywhere), metrics=["cs5"])
    row = summary(found, "sae")
    assert row.verdict == "better"
    assert row.value is not None
    assert row.value > 0.05
    assert {r.method for r in found.gains} == {"adjusted_t (paired)"}


def test_matched_controls_stand_beside_the_control() -> None:
    found = analysed(grid(FRAME, everywhere), matched={"sae": ["max"]})
    against = {(r.aggregator, r.against) for r in found.gains}
    assert against == {("max", "mean"), ("sae", "mean"), ("sae", "max")}
    assert found.spec.matched == {"sae": ["max"]}


def test_the_record_is_read_back_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "generality.json"
    planted().write(place)
    assert Generality.read(place) == planted()
    assert set(planted().to_frame("summaries")["aggregator"]) == {"sae", "max"}
    assert planted().schema_ == "hae-audit/generality/1"
    assert "NaN" not in place.read_text()


def test_small_groups_are_shown_and_not_tested() -> None:
    found = analysed(grid(FRAME, everywhere), min_n=200)
    rows = [r for r in found.gains if r.group]
    assert all(r.value is not None and r.p_adjusted is None for r in rows)
    assert {r.note for r in rows} == {"below_min_n"}
    assert found.gaps == []
    assert {r.note for r in found.summaries if r.group} == {"below_min_n"}
    assert {r.note for r in found.concordance} == {"single_group"}


def test_aggregators_that_agree_have_no_summary() -> None:
    cells = grid(FRAME)
    same = {c: cells[Cell(c.backbone, "mean", c.seed)] for c in cells}
    found = analysed(same)
    assert {(r.value, r.note) for r in found.summaries} == {(None, "runs_agree")}


def test_bad_input_is_refused() -> None:
    cells = grid(FRAME)
    with pytest.raises(InputError, match=r"control 'single' is not in the grid.*max, mean, sae"):
        generality(cells, "single")
    only = {c: t for c, t in cells.items() if c.aggregator == "mean"}
    with pytest.raises(InputError, match="only aggregator"):
        generality(only, "mean")
    with pytest.raises(InputError, match="matched control: no aggregator 'smae'"):
        generality(cells, "mean", matched={"sae": ["smae"]})
    with pytest.raises(InputError, match=r"metrics mea: no such metric.*mae"):
        analysed(cells, metrics=["mea"])
    with pytest.raises(InputError, match="metrics bias: no such metric with a better direction"):
        analysed(cells, metrics=["bias"])
    some = faces(290)
    other = grid(some)
    mixed = cells | {Cell("b1", "max", 1): other[Cell("b1", "max", 1)]}
    with pytest.raises(
        InputError, match=r"different test faces \(10 in one only, such as 'f00290'"
    ):
        analysed(mixed)
    bare = cells | {Cell("b1", "max", 1): Trained()}
    with pytest.raises(InputError, match="b1/max/1 must have either predictions or the reason"):
        analysed(bare)
    lost = {
        c: Trained(reason="diverged") if c.aggregator == "mean" else t for c, t in cells.items()
    }
    with pytest.raises(InputError, match="no backbone has an aggregator and its control"):
        analysed(lost)


def test_expressions_with_means_over_classes() -> None:
    frame = faces(400, ("x", "y")).drop(columns="age")
    rng = np.random.default_rng(5)
    classes = np.array(["anger", "fear", "joy"])
    truth = classes[rng.integers(0, 3, len(frame))]
    cells = {}
    for b in ("b1", "b2", "b3"):
        for a, right in (("mean", 0.5), ("sae", 0.8)):
            for s in (0, 1):
                wrong = classes[rng.integers(0, 3, len(frame))]
                said = np.where(rng.random(len(frame)) < right, truth, wrong)
                table = frame.assign(expression=truth, expression_pred=said)
                cells[Cell(b, a, s)] = Trained(predictions_from_frame(table, task="expression"))
    found = generality(cells, "mean", by=["group"], n_boot=100)
    assert found.spec.analysed == ["accuracy", "balanced_accuracy", "macro_f1"]
    for metric in found.spec.analysed:
        rows = [r for r in found.summaries if r.metric == metric and not r.group]
        whole = next(r for r in rows if r.kind == "value")
        assert whole.verdict == "better"
        # right by plan or by luck: 0.8 + 0.2 / 3 less 0.5 + 0.5 / 3
        assert whole.value == pytest.approx(0.2, abs=0.06)
        gap = next(r for r in rows if r.kind == "worst_minus_best")
        assert gap.verdict == "inconclusive"
        own = [r for r in found.gaps if r.metric == metric]
        assert [r.n for r in own] == [400] * 3
        assert all(r.low is not None and r.value_a is not None for r in own)
        # a is served worst: the best less the worst is not negative over the whole grid
        assert np.mean([(r.value_a or 0) + (r.value_b or 0) for r in own]) >= 0
