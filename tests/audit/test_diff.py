"""Diffs: what changed, nothing else, in an order that does not depend on anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from audit.changes import AuditDiff
from audit.diff import diff
from audit.errors import InputError
from audit.result import AuditResult
from tests.audit.gate_records import by_gender, gap, metric, record


def changed(result: AuditResult, path: str, **update: Any) -> AuditResult:
    part = getattr(result, path)
    return result.model_copy(update={path: part.model_copy(update=update)})


def test_a_record_and_itself(age_result: AuditResult) -> None:
    found = diff(age_result, age_result)
    assert found.same
    assert found.unchanged == {"metrics": len(age_result.metrics), "gaps": len(age_result.gaps)}
    lists = ("verdicts", "metrics", "gaps", "presence", "settings", "tables")
    assert not any(getattr(found, name) for name in lists)


def test_values_and_overlap() -> None:
    # f: 5.0 [4.9, 5.1] -> 5.1 [5.0, 5.2] overlaps; m: 4.0 -> 4.5 [4.4, 4.6] does not
    found = diff(by_gender("mae", 5.0, 4.0), by_gender("mae", 5.1, 4.5))
    rows = {str(row.group): row for row in found.metrics}
    f, m = rows["{'gender': 'f'}"], rows["{'gender': 'm'}"]
    assert (f.old, f.new, f.intervals_overlap) == (5.0, 5.1, True)
    assert f.change == pytest.approx(0.1)
    assert m.intervals_overlap is False
    assert len(found.metrics) == 3
    assert len(found.gaps) == 4
    assert "is not a test" in found.reading
    assert not found.same


def test_a_count_alone_is_a_change() -> None:
    old, new = (record([metric("mae", {}, 4.0, n=n)]) for n in (200, 201))
    row = diff(old, new).metrics[0]
    assert (row.change, row.n_old, row.n_new) == (0.0, 200, 201)


def test_undefined_values_have_no_change() -> None:
    old = record([metric("mae", {}, None, note="empty_group")])
    row = diff(old, record([metric("mae", {}, 4.0)])).metrics[0]
    assert (row.old, row.new, row.change, row.intervals_overlap) == (None, 4.0, None, None)
    assert row.note_old == "empty_group"


def test_verdicts_and_who_is_worst() -> None:
    rows = [metric("mae", {"gender": name}, 4.0) for name in "abc"]
    was = gap("mae", "a", "b", 1.0, kind="worst_minus_best", verdict="inconclusive", margin=0.5)
    now = gap("mae", "c", "b", 2.0, kind="worst_minus_best", verdict="gap", margin=0.5)
    found = diff(record(rows, [was]), record(rows, [now]))
    turned = found.verdicts[0]
    assert (turned.verdict_old, turned.verdict_new) == ("inconclusive", "gap")
    assert (turned.a, turned.a_old) == ({"gender": "c"}, {"gender": "a"})
    assert (turned.b, turned.b_old) == ({"gender": "b"}, {"gender": "b"})
    assert found.gaps == []
    assert found.presence == []


def test_what_only_one_record_has() -> None:
    concern = {"code": "failures", "severity": "warning", "message": "3 failed", "where": "x"}
    file = {"name": "t.csv", "sha256": "a" * 64, "bytes": 3}
    old = record([metric("mae", {}, 4.0), metric("mae", {"gender": "f"}, 4.0)], warnings=[concern])
    new = record(
        [metric("mae", {}, 4.0), metric("mae", {"gender": None}, 4.0), metric("rmse", {}, 5.0)],
        run={"model": "by hand", "seed": 0, "files": [file]},
    )
    found = [(row.what, row.only_in, row.name) for row in diff(old, new).presence]
    assert found == [
        ("metric", "new", "rmse"),
        ("group", "new", "gender=?"),
        ("group", "old", "gender='f'"),
        ("warning", "old", "failures (x): 3 failed"),
        ("file", "new", "t.csv"),
    ]
    assert diff(old, new).metrics == []


def test_a_row_that_is_gone_although_its_metric_and_group_are_there() -> None:
    rows = [metric(name, {"gender": g}, 4.0) for name in ("mae", "rmse") for g in "fm"]
    old = record(rows, [gap("mae", "f", "m", 1.0)])
    found = diff(old, record(rows[:3])).presence
    assert [(row.what, row.only_in, row.detail) for row in found] == [
        ("metric", "old", "rmse, gender='m'"),
        ("gap", "old", "mae by gender, difference, gender='f' against gender='m'"),
    ]


def test_settings_and_files() -> None:
    old = by_gender("mae", 5.0, 4.0)
    new = changed(changed(old, "spec", n_boot=200, margins={"mae": 0.5}), "run", model="next")
    found = {row.name: (row.old, row.new) for row in diff(old, new).settings}
    assert found == {
        "run.model": ("by hand", "next"),
        "spec.n_boot": (1000, 200),
        "spec.margins": ({}, None),
        "spec.margins.mae": (None, 0.5),
    }
    files = [[{"name": "t.csv", "sha256": mark * 64, "bytes": 3}] for mark in "ab"]
    one, two = (
        AuditResult.model_validate_json(
            json.dumps(json.loads(old.to_json()) | {"run": {"model": "m", "seed": 0, "files": f}})
        )
        for f in files
    )
    assert [row.name for row in diff(one, two).settings] == ["run.files.t.csv"]


def test_other_tables_are_told_by_name(age_result: AuditResult) -> None:
    found = diff(age_result, age_result.model_copy(update={"curves": age_result.curves[1:]}))
    assert found.tables == ["curves"]
    assert not found.same


def test_the_order_is_that_of_the_newer_record_and_json_comes_back(age_result: AuditResult) -> None:
    rows = [row.model_copy(update={"n": row.n + 1}) for row in age_result.metrics]
    found = diff(age_result, age_result.model_copy(update={"metrics": rows}))
    assert [(row.metric, row.group) for row in found.metrics] == [
        (row.metric, row.group) for row in rows
    ]
    text = found.model_dump_json(by_alias=True)
    assert AuditDiff.model_validate_json(text) == found
    assert diff(age_result, age_result.model_copy(update={"metrics": rows})) == found


def test_other_tasks_are_refused(age_result: AuditResult, expression_result: AuditResult) -> None:
    with pytest.raises(InputError, match="older record's task is age, the newer one's expression"):
        diff(age_result, expression_result)
