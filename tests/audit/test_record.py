"""The audit record: to JSON and back, as frames, its schema, and files whole or not at all."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from audit import AuditResult, InputError
from audit.metrics.spread import spread_specs
from audit.mix_rows import ADJUSTMENTS
from audit.notes import NOTES, WARNING_CODES
from audit.predictions import predictions_schema
from audit.result import write_text
from audit.rows import AdjustedGap, AggregateGap, Concern, MetricRow, PairGap, RangeGap, RestGap

RESULTS = ["age_result", "expression_result"]


@pytest.fixture(params=RESULTS)
def result(request: pytest.FixtureRequest) -> AuditResult:
    """An age and an expression audit."""
    found: AuditResult = request.getfixturevalue(request.param)
    return found


def test_json_and_back(result: AuditResult, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "audit.json"
    result.write(path)
    again = AuditResult.read(path)
    assert again == result
    assert again.to_json() == result.to_json() == path.read_text(encoding="utf-8")
    assert list(path.parent.iterdir()) == [path]


def test_json_holds_no_bare_nan_and_the_contracts_names(result: AuditResult) -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    content = json.loads(result.to_json(), parse_constant=refuse)
    assert content["schema"] == "hae-audit/audit/1"
    assert {"run", "task", "spec", "metrics", "gaps", "curves", "warnings"} <= set(content)
    fields = "metric class group value low high low_90 high_90 method n n_subjects m_eff n_failed"
    assert {*fields.split(), "n_unlabelled", "note"} <= set(content["metrics"][0])
    fields = (
        "metric class attributes kind a b value low high low_90 high_90 method p p_adjusted "
        "p_permutation family margin verdict min_detectable n_a n_b n_subjects_a n_subjects_b note"
    )
    for gap in content["gaps"]:
        assert set(fields.split()) <= set(gap), gap
    assert {row["group"] == {} for row in content["metrics"]} == {True, False}


def test_notes_codes_and_units_are_of_the_closed_lists(result: AuditResult) -> None:
    for row in [*result.metrics, *result.gaps]:
        for note in row.note.split("; ") if row.note else ():
            assert note.split(":")[0] in NOTES
    assert {w.code for w in result.warnings} <= set(WARNING_CODES)
    assert {row.metric for row in result.metrics} == set(result.spec.metrics)
    assert {row.name for row in result.curves} == set(result.spec.curves)
    for spec in result.spec.metrics.values():
        assert spec.definition
        assert spec.unit
        assert spec.source


def test_gaps_are_a_union_by_kind(result: AuditResult) -> None:
    again = AuditResult.model_validate_json(result.to_json())
    kinds: dict[str, type[Any]] = {
        "difference": PairGap,
        "ratio": PairGap,
        "vs_rest": RestGap,
        "worst_minus_best": RangeGap,
        "max_minus_min": RangeGap,
        **dict.fromkeys(spread_specs(), AggregateGap),
        **dict.fromkeys(ADJUSTMENTS, AdjustedGap),
    }
    adjusted = {row.kind for row in again.gaps if isinstance(row, AdjustedGap)}
    assert adjusted == set(again.spec.adjustments)
    assert {row.kind for row in again.gaps} <= set(kinds)
    for row in again.gaps:
        assert type(row) is kinds[row.kind]
        own = f"/{row.kind}" if isinstance(row, AdjustedGap) else ""
        assert row.family.startswith(f"{row.metric}/{','.join(row.attributes)}{own}")
    if result.task == "age":
        ranges = {row.metric: row.kind for row in again.gaps if isinstance(row, RangeGap)}
        assert ranges["bias"] == ranges["slope"] == "max_minus_min"
        assert ranges["mae"] == ranges["cs5"] == "worst_minus_best"


def test_no_gap_holds_an_unknown_group(result: AuditResult) -> None:
    assert any(None in row.group.values() for row in result.metrics)
    for row in result.gaps:
        for side in (row.a, row.b):
            assert side is None or None not in side.values()


def test_frames(result: AuditResult) -> None:
    frame = result.to_frame()
    assert len(frame) == len(result.metrics)
    names = {"metric", "class", "value", "low", "high", "method", "n", "n_subjects", "note"}
    assert names | {"group.gender", "group.race"} <= set(frame.columns)
    everyone = frame[frame["group.gender"].isna() & frame["group.race"].isna()]
    assert set(everyone["metric"]) == set(result.spec.metrics)
    gaps = result.to_frame("gaps")
    assert len(gaps) == len(result.gaps)
    assert {"kind", "a.gender", "b.gender", "a.race", "attributes", "p"} <= set(gaps.columns)
    assert len(result.to_frame("curves")) == len(result.curves)
    assert len(result.to_frame("warnings")) == len(result.warnings)


@pytest.mark.parametrize("schema", ["audit", "predictions"])
def test_schema_is_valid_and_describes_the_record(
    schema: str, age_result: AuditResult, expression_result: AuditResult
) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    if schema == "predictions":
        jsonschema.Draft202012Validator.check_schema(predictions_schema())
        return
    content = AuditResult.model_json_schema(by_alias=True)
    jsonschema.Draft202012Validator.check_schema(content)
    for result in (age_result, expression_result):
        record = json.loads(result.to_json())
        record["gaps"] = record["gaps"][::7]  # every kind of many alike: the validator is slow
        jsonschema.validate(record, content)


def test_schema_names_every_field() -> None:
    schema = AuditResult.model_json_schema(by_alias=True)
    assert "class" in schema["$defs"]["MetricRow"]["properties"]
    text = json.dumps(schema)
    closed = (
        "difference ratio vs_rest worst_minus_best max_minus_min sd_between tau2 gini garbe fdr"
    )
    for kind in [*closed.split(), "inequity", "gei_between", "kitagawa_mix", "kitagawa_rate"]:
        assert f'"{kind}"' in text
    json.dumps(schema, allow_nan=False)
    json.dumps(predictions_schema(), allow_nan=False)


ROW = {"metric": "mae", "group": {}, "n": 3, "n_subjects": 3, "n_failed": 0, "n_unlabelled": 0}


def test_rows_refuse_what_is_not_in_the_lists() -> None:
    with pytest.raises(ValidationError, match="unknown note"):
        MetricRow(**ROW, value=None, note="because")
    with pytest.raises(ValidationError, match="unknown warning code"):
        Concern(code="odd", severity="info", message="?")
    with pytest.raises(ValidationError, match="Extra inputs"):
        MetricRow(**ROW, value=1.0, colour="red")
    with pytest.raises(ValidationError, match="Input should be"):
        AggregateGap(
            kind="sum",
            metric="mae",
            attributes=["g"],
            family="mae/g",
            value=1.0,  # type: ignore[arg-type]
        )
    assert (
        RestGap(kind="vs_rest", metric="mae", attributes=[], family="f", value=1.0, a={}).b is None
    )


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_number_is_null(value: float) -> None:
    row = MetricRow(**ROW, value=value, low=value, note="empty_group")
    assert (row.value, row.low) == (None, None)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no complete JSON"),
        ("{", "no complete JSON"),
        ("[]", "schema is None"),
        ("{}", "schema is None"),
        ("7", "schema is None"),
        ('{"schema": "hae-audit/audit/2"}', "must be 'hae-audit/audit/1'"),
        ('{"schema": "hae-audit/audit/0"}', "use the hae-audit version that wrote it, or run"),
        ('{"schema": "hae-audit/comparison/1"}', "give an audit.json, as `hae-audit evaluate`"),
        ('{"schema": ["x"], "results": []}', "give an audit.json, as `hae-audit evaluate`"),
        ('{"$schema": "https://x", "version": "2.1.0"}', "schema is None.* give an audit.json"),
        ('{"schema": "hae-audit/audit/1"}', "task"),
        ("\udcff", "cannot be read"),
    ],
)
def test_broken_records(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "audit.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=part) as caught:
        AuditResult.read(path)
    assert "audit.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated_record(age_result: AuditResult, tmp_path: Path, share: float) -> None:
    text = age_result.to_json()
    path = tmp_path / "audit.json"
    path.write_text(text[: int(share * len(text))], encoding="utf-8")
    with pytest.raises(InputError, match=r"line \d+: is no complete JSON .* again"):
        AuditResult.read(path)


def test_changed_record(age_result: AuditResult, tmp_path: Path) -> None:
    content = json.loads(age_result.to_json())
    content["gaps"][0]["kind"] = "quotient"
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=r"gaps\.0: .*schema audit"):
        AuditResult.read(path)
    with pytest.raises(InputError, match=r"none\.json: cannot be read"):
        AuditResult.read(tmp_path / "none.json")


def test_files_are_whole_or_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "audit.json"
    write_text(path, "old")
    plain = Path.write_bytes

    def broken(self: Path, content: bytes) -> int:
        plain(self, content[:2])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", broken)
    with pytest.raises(OSError, match="no space"):
        write_text(path, "new text")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
