"""A streamed file gives the record of the table in memory, whatever the batches and the order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from audit import AuditResult, InputError, audit, units
from audit.predictions import read_predictions
from audit.stream import audit_file
from tests.audit.frames import BY, age_table, expression_table, interval_table

OPTIONS: dict[str, Any] = {"by": BY, "n_boot": 60, "min_n": 5}
ROWWISE = {"brier_", "ecce_"}
ADJUSTED = ("standardised_difference", "adjusted_difference", "kitagawa_mix", "kitagawa_rate")
PERMUTATION = {"varies_within_subject", "no_permutation"}


def bare_table(seed: int) -> pd.DataFrame:
    """Faces without persons."""
    return age_table(seed).drop(columns="subject_id")


def labels_only(seed: int) -> pd.DataFrame:
    """Classes that only the rows name, no scores."""
    table = expression_table(seed)
    table["expression_pred"] = table["expression"].sample(frac=1, random_state=seed).to_numpy()
    return table[[name for name in table if not name.startswith(("logit_", "prob_"))]]


TABLES: dict[str, tuple[str, Callable[[int], pd.DataFrame]]] = {
    "ages": ("age", age_table),
    "faces": ("age", bare_table),
    "bands": ("age", interval_table),
    "classes": ("expression", labels_only),
}


def rows(result: AuditResult, table: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """Rows of a table of the record by what they are about."""
    found = {}
    for row in getattr(result, table):
        if table == "gaps" and row.kind in ADJUSTED:
            continue
        content = row.model_dump(by_alias=True)
        if "p_permutation" in content:  # left out of a stream
            del content["p_permutation"]
            told = str(content["note"] or "").split("; ")
            content["note"] = "; ".join(x for x in told if x not in PERMUTATION) or None
        names = ("metric", "name", "class", "kind", "group", "attributes", "a", "b")
        key = [str(content.get(name)) for name in names]
        if table == "curves":
            key += [str(content["x"]), str(content["y"])] if isinstance(content["x"], str) else []
            key += [] if isinstance(content["x"], str) else [f"{content['x']:.9f}"]
        found[tuple(key)] = content
    return found


def assert_same(ours: AuditResult, other: AuditResult) -> None:
    """Every number within 1e-9, all else equal; the warning of the stream aside."""
    for table in ("metrics", "gaps", "fairness", "curves"):
        first, second = rows(ours, table), rows(other, table)
        assert first.keys() == second.keys()
        for key, content in first.items():
            for name, value in content.items():
                expected = second[key][name]
                if isinstance(value, float) and isinstance(expected, float):
                    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9), (key, name)
                else:
                    assert value == expected, (key, name)
    same = {name: getattr(ours.spec, name) for name in ("slices", "adjustments")}
    spec = other.spec.model_copy(update=same)
    assert ours.spec == spec
    told = {(w.code, w.message) for w in ours.warnings if w.code != "not_streamed"}
    assert told == {(w.code, w.message) for w in other.warnings}


@pytest.mark.parametrize("name", TABLES)
def test_a_streamed_file_is_the_table_in_memory(name: str, tmp_path: Path) -> None:
    """Batches of 61 rows: persons lie in several of them, and some lack values of others."""
    task, make = TABLES[name]
    path = tmp_path / "table.parquet"
    make(3).to_parquet(path, index=False)
    options = OPTIONS | ({"by": [*BY, "age", "age,gender"]} if task == "age" else {})
    whole = audit(read_predictions(path, task=task), slices=False, **options)
    assert_same(audit_file(path, task=task, batch=61, **options), whole)


@pytest.mark.parametrize("name", ["ages", "classes"])
def test_buckets_of_a_streamed_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More persons than are resampled one by one; any batches, any order of the rows."""
    monkeypatch.setattr(units, "MAX_UNITS", 40)
    monkeypatch.setattr(units, "BUCKETS", 32)
    task, make = TABLES[name]
    table = make(5)
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    table.to_parquet(paths[0], index=False)
    table.sample(frac=1, random_state=1).to_parquet(paths[1], index=False)
    whole = audit(read_predictions(paths[0], task=task), slices=False, **OPTIONS)
    assert_same(audit_file(paths[0], task=task, batch=10_000, **OPTIONS), whole)
    again = audit_file(paths[1], task=task, batch=97, **OPTIONS)
    told = [w.model_copy(update={"where": "a.parquet"}) if w.where else w for w in again.warnings]
    assert_same(again.model_copy(update={"warnings": told}), whole)


def test_persons_as_the_estimand(tmp_path: Path) -> None:
    """Weights of a person's photos need all of them, in whichever batch they are."""
    table = age_table(4)
    table.to_parquet(tmp_path / "t.parquet", index=False)
    options = OPTIONS | {"estimand": "subject"}
    whole = audit(table, task="age", slices=False, **options)
    streamed = audit_file(tmp_path / "t.parquet", task="age", batch=50, **options)
    mine, theirs = rows(streamed, "metrics"), rows(whole, "metrics")
    for key, row in mine.items():
        for field in ("value", "low", "high", "m_eff"):
            if row[field] is None:
                assert theirs[key][field] is None
            else:
                assert row[field] == pytest.approx(theirs[key][field], rel=1e-9, abs=1e-9)


def test_a_csv_is_streamed_as_it_is_read(tmp_path: Path) -> None:
    age_table(6).to_csv(tmp_path / "t.csv", index=False)
    whole = audit(read_predictions(tmp_path / "t.csv", task="age"), slices=False, **OPTIONS)
    assert_same(audit_file(tmp_path / "t.csv", task="age", batch=80, **OPTIONS), whole)


def test_what_needs_all_rows_is_left_out_and_named(tmp_path: Path) -> None:
    """With scores: sums agree, statistics of all rows are null with a note."""
    table = expression_table(2)
    table.to_parquet(tmp_path / "t.parquet", index=False)
    streamed = audit_file(tmp_path / "t.parquet", task="expression", batch=64, **OPTIONS)
    whole = audit(table, task="expression", slices=False, **OPTIONS)
    mine, theirs = rows(streamed, "metrics"), rows(whole, "metrics")
    assert mine.keys() == theirs.keys()
    out = 0
    for key, row in mine.items():
        if row["note"] == "not_streamed":
            out += 1
            assert row["value"] is None
            assert any(key[0].startswith(prefix) for prefix in ROWWISE)
            continue
        for field in ("value", "low", "high", "n", "n_subjects", "note"):
            expected = theirs[key][field]
            if isinstance(expected, float):
                assert row[field] == pytest.approx(expected, rel=1e-9, abs=1e-9), key
            else:
                assert row[field] == expected, (key, field)
    assert out > 0
    (told,) = [w for w in streamed.warnings if w.code == "not_streamed"]
    assert "isotonic" in told.message
    assert "slices" in told.message


def test_ages_of_an_expression_table_are_read_as_one_column(tmp_path: Path) -> None:
    """Bands in one batch and single years in another; or texts that are no ages at all."""
    for ages in (["20-29", "30", "30-39", "25"], ["20-29", "old", "30-39", "25"]):
        table = labels_only(7)
        table["age"] = [ages[i * 4 // len(table)] for i in range(len(table))]
        table.to_parquet(tmp_path / "t.parquet", index=False)
        options = OPTIONS | {"by": ["age"]}
        whole = audit(table, task="expression", slices=False, **options)
        streamed = audit_file(tmp_path / "t.parquet", task="expression", batch=40, **options)
        assert rows(streamed, "gaps").keys() == rows(whole, "gaps").keys()
        assert streamed.spec.attributes == whole.spec.attributes


def test_single_years_among_bands_of_another_batch(tmp_path: Path) -> None:
    ages = ["20"] * 30 + ["30-39"] * 30
    table = pd.DataFrame({"sample_id": range(60), "age": ages, "age_pred": np.linspace(15, 45, 60)})
    table.to_csv(tmp_path / "t.csv", index=False)
    streamed = audit_file(tmp_path / "t.csv", task="age", batch=10, by=[], n_boot=0)
    whole = audit(read_predictions(tmp_path / "t.csv", task="age"), by=[], n_boot=0)
    assert_same(streamed, whole)
    table.loc[3, "age"] = "20.5"
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(InputError, match=r"t\.csv row 4: age is 20\.5, must be a whole year"):
        audit_file(tmp_path / "t.csv", task="age", batch=10, by=[], n_boot=0)


def test_bad_rows_are_told_by_their_place_in_the_file(tmp_path: Path) -> None:
    table = age_table(1, weights=False)
    n = len(table)
    far = table.assign(age=table["age"].where(np.arange(n) != 200, 400.0))
    double = table.assign(sample_id=table["sample_id"].where(np.arange(n) != 250, "s0003"))
    moved = table.assign(source=np.where(np.arange(n) < 100, "x", "y"), subject_id="p1")
    cases = {
        r"row 201: age is 400\.0": far,
        r"rows 4, 251: sample_id 's0003' occurs more than once": double,
        r"subject_id 'p1' occurs in the sources x and y": moved,
    }
    for message, bad in cases.items():
        bad.to_parquet(tmp_path / "t.parquet", index=False)
        with pytest.raises(InputError, match=message):
            audit_file(tmp_path / "t.parquet", task="age", batch=64, by=["gender"], n_boot=0)


def test_what_cannot_be_streamed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    age_table(1).to_parquet(path, index=False)
    with pytest.raises(InputError, match="--gate"):
        audit_file(path, task="age", gates=["18"])
    with pytest.raises(InputError, match="no such column"):
        audit_file(path, task="age", by=["tone"])
    with pytest.raises(InputError, match="at most 3 are allowed"):
        audit_file(path, task="age", by=["race,gender"], max_cells=3, n_boot=0)
    with pytest.raises(InputError, match="no such file"):
        audit_file(tmp_path / "nothing.parquet", task="age")
    (tmp_path / "cut.parquet").write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="no readable Parquet"):
        audit_file(tmp_path / "cut.parquet", task="age")


def test_predictions_are_copied_in_the_columns_of_the_contract(tmp_path: Path) -> None:
    """As they are where nothing is renamed; else batch by batch, failures and bands with them."""
    table = interval_table(2)
    table.to_parquet(tmp_path / "t.parquet", index=False)
    audit_file(tmp_path / "t.parquet", task="age", by=[], n_boot=0, copy_to=tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "t.parquet").read_bytes()
    odd = pd.DataFrame(
        {
            "face": ["a", "b", "c", "d"],
            "truth": ["20", "30", "40-49", None],
            "age_pred": [21.0, 33.0, 44.0, 55.0],
            "seen": [1, 0, 1, 1],
            "note": [None, None, "x", None],
        }
    )
    odd.to_csv(tmp_path / "odd.csv", index=False)
    options: dict[str, Any] = {
        "mapping": {"sample_id": "face", "age": "truth"},
        "failed_when": "seen == 0",
    }
    out = tmp_path / "out" / "b.parquet"
    path = tmp_path / "odd.csv"
    audit_file(path, task="age", by=[], n_boot=0, batch=2, copy_to=out, **options)
    again = read_predictions(out, task="age")
    whole = read_predictions(path, task="age", **options)
    assert again.truth is not None
    assert whole.truth is not None
    np.testing.assert_array_equal(again.truth.low, whole.truth.low)
    np.testing.assert_array_equal(again.truth.high, whole.truth.high)
    np.testing.assert_array_equal(again.processed, [True, False, True, True])
    assert again.other["note"].tolist()[2] == "x"
    assert list(out.parent.iterdir()) == [out]
