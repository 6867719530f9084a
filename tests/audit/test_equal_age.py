"""Gaps at equal age: standardised by pandas, split exactly, adjusted as statsmodels does."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.formula.api as smf

from audit import AuditResult, InputError, audit, predictions_from_frame
from audit.adjust import fit
from audit.age_plan import age_plan
from audit.age_regression import design_of, spline_slopes, spline_sums
from audit.collect import collect_table
from audit.groups import grouping
from audit.hashing import text_keys
from audit.metrics.spline import basis, knots_of
from audit.mix_rows import Estimated
from audit.person_contrasts import contrast_of, influences, satterthwaite, together
from audit.reference import read_reference, weights_of
from audit.standardise import Strata, kitagawa_mix, kitagawa_rate, slopes, standardised
from audit.units import group_sums
from tests.audit.compare import assert_same
from tests.audit.frames import CLASSES, expression_table, gap, gaps, interval_table

ADJUSTED = ("standardised_difference", "kitagawa_mix", "kitagawa_rate", "adjusted_difference")


def older_women(seed: int = 0, m: int = 400, photos: int = 1) -> pd.DataFrame:
    """Women are older, errors grow with age, and at equal age nobody is worse off."""
    rng = np.random.default_rng(seed)
    gender = np.repeat(["f", "m"], m)
    age = np.clip(rng.normal(np.where(gender == "f", 48, 38), 14), 18, 79)
    person = np.repeat(np.arange(2 * m), photos)
    noise = 0.8 * rng.normal(size=2 * m)[person] + 0.6 * rng.normal(size=len(person))
    return pd.DataFrame(
        {
            "sample_id": np.arange(len(person)),
            "subject_id": person,
            "age": age[person],
            "age_pred": age[person] + noise * (1 + 0.12 * age[person]),
            "gender": gender[person],
            "race": rng.choice(["A", "B", "C"], 2 * m)[person],
        }
    )


def of(table: pd.DataFrame, **options: Any) -> AuditResult:
    return audit(table, task="age", **({"n_boot": 0, "by": ["gender"]} | options))


def hand(q_a: Any, m_a: Any, q_b: Any, m_b: Any) -> Strata:
    a, b = np.array(q_a, dtype=float), np.array(q_b, dtype=float)
    return Strata(a * m_a, a, b * m_b, b, a + b)


GOLDEN = hand([0.5, 0.3, 0.2], [3, 4, 6], [0.2, 0.3, 0.5], [2.5, 4, 5])


def test_kitagawa_by_hand() -> None:
    assert kitagawa_mix(GOLDEN) == pytest.approx(-0.825, abs=1e-12)
    assert kitagawa_rate(GOLDEN) == pytest.approx(0.525, abs=1e-12)
    # equal weights: 13/3 against 11.5/3, the sign of the plain 3.9 - 4.2 reverses
    even = standardised(np.ones(3, dtype=bool), np.ones(3))(GOLDEN)
    assert even == pytest.approx(4.3333333333 - 3.8333333333, abs=1e-9)


def test_kitagawa_adds_up_exactly() -> None:
    rng = np.random.default_rng(0)
    q_a, q_b = rng.dirichlet(np.ones(9), 200), rng.dirichlet(np.ones(9), 200)
    s = hand(q_a, rng.uniform(0, 20, (200, 9)), q_b, rng.uniform(0, 20, (200, 9)))
    plain = s.top_a.sum(axis=1) - s.top_b.sum(axis=1)
    assert np.abs(kitagawa_mix(s) + kitagawa_rate(s) - plain).max() < 1e-12


def test_slopes_are_derivatives() -> None:
    common = np.array([True, True, False])
    for contrast in (
        kitagawa_mix,
        kitagawa_rate,
        standardised(common),
        standardised(common, np.ones(3)),
    ):
        found = slopes(contrast, GOLDEN)
        for name, slope in found.items():
            for k in range(3):
                values = []
                for step in (1e-6, -1e-6):
                    parts = {n: getattr(GOLDEN, n).copy() for n in found}
                    parts[name][k] += step
                    values.append(float(contrast(Strata(**parts))))
                assert slope[k] == pytest.approx((values[0] - values[1]) / 2e-6, abs=1e-7)


def decades(table: pd.DataFrame) -> pd.Series:
    return (table["age"] // 10).astype(int)


def row(result: AuditResult, kind: str, metric: str = "mae", **more: Any) -> Any:
    return gap(result, kind=kind, metric=metric, **more)


def test_standardised_differences_equal_pandas() -> None:
    table = older_women()
    reference = {"20-29": 0.1, "30-39": 0.2, "40-49": 0.4, "50-59": 0.3}
    result = of(table, reference=reference)
    error = (table["age_pred"] - table["age"]).abs()
    cells = error.groupby([table["gender"], decades(table)]).agg(["mean", "var", "size"])
    f, m = cells.loc["f"], cells.loc["m"]
    common = f.index[(f["size"] > 1)].intersection(m.index[m["size"] > 1])
    pool = decades(table).value_counts().reindex(common)
    for name, w in (
        ("pooled", pool),
        ("user", pd.Series([0.1, 0.2, 0.4, 0.3], index=[2, 3, 4, 5]).reindex(common, fill_value=0)),
    ):
        w = w / w.sum()
        found = row(result, "standardised_difference", reference=name)
        expected = (w * (f["mean"] - m["mean"]).reindex(common)).sum()
        assert found.value == pytest.approx(expected, rel=1e-10)
        var = (w**2 * (f["var"] / f["size"] + m["var"] / m["size"]).reindex(common)).sum()
        half = (found.high_90 - found.low_90) / 2 / 1.647
        if name == "user":  # fixed weights: the textbook variance, exactly up to t's quantile
            assert half == pytest.approx(np.sqrt(var), rel=0.005)
        else:  # a pooled mix is a sample too
            assert half == pytest.approx(np.sqrt(var), rel=0.05)
            assert half > np.sqrt(var)
    assert result.spec.reference == reference


def test_parts_add_up_to_the_difference() -> None:
    table = older_women(1)
    table = table[table["age"].between(20, 69.9)]
    result = of(table)
    for metric in ("mae", "bias"):
        mix, rate = (row(result, f"kitagawa_{part}", metric) for part in ("mix", "rate"))
        plain = row(result, "difference", metric)
        assert mix.value + rate.value == pytest.approx(plain.value, abs=1e-12)
    assert row(result, "kitagawa_mix").p < 0.01 < row(result, "kitagawa_rate").p


def captured(table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> dict[Any, Estimated]:
    """Values and influences behind the rows of mae by gender."""
    found: dict[Any, Estimated] = {}

    def keep(*given: Any) -> list[Any]:
        groups, _, e, kind = given[1:5]
        if groups.metric.name == "mae":
            found[kind.kind, kind.reference] = e
        return []

    for module in ("age_mix", "age_regression"):
        monkeypatch.setattr(f"audit.{module}.adjusted_rows", keep)
    of(table, by=["gender", "race"])  # the last combination is that of race
    return found


def test_influence_is_what_a_person_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five photos each: the weight of a person up and down, against the influence of the person.

    The influences carry small-sample factors of under 2 % here.
    """
    table = older_women(2, m=400, photos=5)
    table = table[table["age"].between(20, 69.9)]
    plain = captured(table, monkeypatch)
    keys = np.unique(text_keys(table["subject_id"].astype(str).unique().tolist(), "subject"))
    assert len(plain) == 5
    rng = np.random.default_rng(0)
    for person in rng.choice(table["subject_id"].unique(), 6):
        at = np.flatnonzero(keys == text_keys([str(person)], "subject")[0])[0]
        mine = (table["subject_id"] == person).to_numpy()
        up, down = (
            captured(table.assign(weight=1 + step * mine), monkeypatch) for step in (1e-4, -1e-4)
        )
        for key, e in plain.items():
            changed = (up[key].value - down[key].value) / 2e-4
            slack = 0.02 * np.abs(e.psi).max()
            assert changed == pytest.approx(e.psi[at], rel=0.02, abs=slack), key


def test_basis_spans_the_natural_splines_of_patsy() -> None:
    age = np.random.default_rng(0).uniform(5, 85, 300)
    knots = knots_of(age)
    ours = np.column_stack([np.ones(300), basis(age, knots)])
    theirs = np.asarray(
        patsy.dmatrix(
            "cr(age, knots=inner, lower_bound=low, upper_bound=high) - 1",
            {"age": age, "inner": list(knots[1:-1]), "low": knots[0], "high": knots[-1]},
        )
    )
    assert theirs.shape[1] == ours.shape[1] == 5
    residual = theirs - ours @ np.linalg.lstsq(ours, theirs, rcond=None)[0]
    assert np.abs(residual).max() < 1e-9
    assert knots_of(np.full(9, 30.0)) == ()
    assert knots_of(np.array([20.0, 30, 30, 30, 30])) == (20, 22.5, 25, 27.5, 30)


def test_adjusted_differences_equal_statsmodels() -> None:
    """The average marginal difference of weighted least squares with interactions, by person."""
    table = older_women(3, m=120, photos=3)
    rng = np.random.default_rng(0)
    table["weight"] = rng.choice([0.5, 1.0, 2.0], len(table))
    knots = knots_of(table["age"].to_numpy())
    b = basis(table["age"].to_numpy(), knots)
    data = table.assign(
        y=(table["age_pred"] - table["age"]).abs(), **{f"b{k}": b[:, k] for k in range(4)}
    )
    model = smf.wls("y ~ C(gender) * (b0 + b1 + b2 + b3) + C(race)", data, weights=data["weight"])
    sm = model.fit(
        cov_type="cluster", cov_kwds={"groups": data["subject_id"], "use_correction": False}
    )
    predicted = {
        g: np.average(sm.predict(data.assign(gender=g)), weights=data["weight"]) for g in ("f", "m")
    }
    result = of(table, by=["gender", "race"])
    found = row(result, "adjusted_difference", attributes=["gender"])
    assert found.value == pytest.approx(predicted["f"] - predicted["m"], rel=1e-8)
    assert found.adjusts_for == ["age", "race"]
    # the spread of the regression alone, with the ages of everyone held fixed
    checked = predictions_from_frame(table, task="age")
    plan = age_plan([checked], ((0.0, 100.0),))
    sums = collect_table([checked], ("gender", "race"), None, plan.bands, "image", 2000, plan)
    item = grouping(sums.sums.cells, sums.attributes, ("gender", "race"), sums.order)
    groups = grouping(sums.sums.cells, sums.attributes, ("gender",), sums.order)
    grouped = group_sums(sums.splines, item)
    totals = np.stack([grouped.of(c).sum(axis=0) for c in range(grouped.n_groups)])
    fitted = fit(design_of(groups, item), *spline_sums(totals, "abs_error"))
    fitted.of_ages[:] = 0
    steep = spline_slopes(fitted, "abs_error")
    psi = influences(grouped, np.arange(steep.shape[-1]), steep).psi
    mean = [np.average(b[:, k], weights=data["weight"]) for k in range(4)]
    terms = ["C(gender)[T.m]", *(f"C(gender)[T.m]:b{k}" for k in range(4))]
    c = np.zeros(len(sm.params))
    c[[sm.params.index.get_loc(term) for term in terms]] = [1, *mean]
    expected = float(c @ sm.cov_params().to_numpy() @ c)
    assert ((psi[:, 0] - psi[:, 1]) ** 2).sum() == pytest.approx(expected, rel=1e-6)


def test_bands_are_adjusted_for_bands() -> None:
    table = interval_table(3).dropna(subset=["age", "age_pred"])
    result = of(table, by=["gender", "race"])
    lows = {"00-02": 0, "3-9": 3, "more than 70": 70}
    low = table["age"].map(lambda text: lows.get(text, int(text[:2]) if text[:2].isdigit() else 0))
    high = table["age"].map({"00-02": 3, "3-9": 10, "more than 70": np.inf}).fillna(low + 10)
    data = table.assign(
        inside=((table["age_pred"] >= low) & (table["age_pred"] < high)).astype(float),
        race=table["race"].fillna("?"),
    )
    sm = smf.wls("inside ~ C(gender) + C(race) + C(age)", data, weights=data["weight"]).fit()
    found = row(result, "adjusted_difference", "within_band_accuracy", attributes=["gender"])
    assert found.value == pytest.approx(-sm.params["C(gender)[T.m]"], rel=1e-8)
    assert row(
        result,
        "standardised_difference",
        "band_distance",
        reference="pooled",
        attributes=["gender"],
    )
    assert not gaps(result, kind="adjusted_difference", metric="mae")


def test_what_is_alike_needs_no_standard() -> None:
    """Equal mixes: standardised is plain, and nothing comes from the mix."""
    table = older_women(4)
    twin = table.assign(
        gender="x", sample_id=table["sample_id"] + 10_000, subject_id=table["subject_id"] + 10_000
    )
    twin["age_pred"] += 1.5
    both = pd.concat([table.assign(gender="y"), twin])
    result = of(both)
    plain = row(result, "difference", "bias").value
    for kind in ("standardised_difference", "kitagawa_rate"):
        for found in gaps(result, kind=kind, metric="bias"):
            assert found.value == pytest.approx(plain, abs=1e-9)
    assert row(result, "kitagawa_mix", "bias").value == pytest.approx(0, abs=1e-12)


def test_order_and_shards_do_not_matter() -> None:
    table = older_women(5, m=80, photos=2)
    options = {"by": ["gender", "gender,race"], "n_boot": 60, "min_n": 5}
    whole = of(table, **options)
    assert_same(whole, of(table.sample(frac=1, random_state=1), **options))
    assert_same(whole, of([table.iloc[k::3] for k in range(3)], **options))


def test_swapping_names_turns_the_sign() -> None:
    table = older_women(6)
    swapped = table.assign(gender=table["gender"].map({"f": "m", "m": "f"}))
    one, two = of(table), of(swapped)
    for kind in ADJUSTED:
        for a, b in zip(gaps(one, kind=kind), gaps(two, kind=kind), strict=True):
            assert (
                a.value == pytest.approx(-b.value, abs=1e-9)
                if a.value is not None
                else b.value is None
            )


@pytest.mark.parametrize("adjust", ["max_t", "holm", "bh"])
def test_the_family_of_a_kind(adjust: str) -> None:
    result = of(older_women(7), by=["race"], n_boot=400, adjust=adjust)
    rows = gaps(result, kind="adjusted_difference", metric="mae")
    assert [tuple(r.a.values()) + tuple(r.b.values()) for r in rows] == list(combinations("ABC", 2))
    for found in rows:
        assert found.p_adjusted >= found.p
        assert found.low_adjusted <= found.low
        assert found.high_adjusted >= found.high
        assert (found.p_adjusted < 0.05) == (found.low_adjusted > 0 or found.high_adjusted < 0)
        assert found.family == "mae/race/adjusted_difference"
    assert {r.family for r in gaps(result, kind="standardised_difference", metric="mae")} == {
        "mae/race/standardised_difference pooled",
        "mae/race/standardised_difference uniform",
    }


def test_groups_too_small_are_shown_but_not_tested() -> None:
    table = older_women(8)
    table.loc[table["race"] == "C", "race"] = np.where(
        np.arange((table["race"] == "C").sum()) < 12, "C", "B"
    )
    result = of(table, by=["race"])
    found = row(
        result, "standardised_difference", reference="pooled", a={"race": "A"}, b={"race": "C"}
    )
    assert (found.p, found.p_adjusted) == (None, None)
    assert "below_min_n" in found.note or "no_overlap" in found.note


def test_a_band_of_a_single_person_of_a_group_has_its_parts_without_intervals() -> None:
    """A band with one woman and one man: their mix and rate are known, their noise is not."""
    table = older_women(3, 200)
    band = table["age"].between(70, 79.99)
    keep = ~band | ~table.loc[band, "gender"].duplicated().reindex(table.index, fill_value=True)
    result = of(table[keep])
    for kind in ("kitagawa_mix", "kitagawa_rate"):
        found = gap(result, metric="mae", kind=kind)
        assert found.value is not None
        assert (found.low, found.p) == (None, None)
        assert "one_subject: in one of the strata" in found.note


def test_no_overlap_is_a_reason_and_not_a_number() -> None:
    table = older_women(9)
    table["gender"] = np.where(table["age"] < 40, "young", "old")
    result = of(table)
    for kind in ADJUSTED:
        for found in gaps(result, kind=kind):
            assert found.value is None
            assert found.note.startswith("no_overlap")
            assert found.verdict is None


def test_one_age_only() -> None:
    table = older_women(10).assign(age=30.0)
    result = of(table)
    rows = [r for kind in ADJUSTED for r in gaps(result, kind=kind)]
    assert {r.note for r in rows} == {"one_stratum"}
    assert not gaps(result, kind="adjusted_difference", metric="mae")
    near = of(table.assign(age=30 + np.arange(len(table)) % 2))
    assert {r.note for kind in ADJUSTED for r in gaps(near, kind=kind)} == {"one_stratum"}


def test_groups_of_age_are_not_compared_at_equal_age() -> None:
    result = of(older_women(11), by=["age"])
    assert not [r for kind in ADJUSTED for r in gaps(result, kind=kind)]


def test_class_mix_of_expressions() -> None:
    table = expression_table(0, weights=False, failures=False, unknown=False)
    result = audit(table, task="expression", by=["gender"], n_boot=0)
    right = table["expression"] == table["expression_pred"]
    recall = right.groupby([table["gender"], table["expression"]]).mean()
    share = table.groupby("gender")["expression"].value_counts(normalize=True)
    parts = [
        (share["f", k] - share["m", k]) * (recall["f", k] + recall["m", k]) / 2 for k in CLASSES
    ]
    mix, rate = (
        gap(result, kind=f"kitagawa_{part}", metric="accuracy") for part in ("mix", "rate")
    )
    assert mix.value == pytest.approx(sum(parts), abs=1e-12)
    plain = gap(result, kind="difference", metric="accuracy").value
    assert mix.value + rate.value == pytest.approx(plain, abs=1e-12)
    assert mix.adjusts_for == ["class"]
    standard = gap(result, kind="standardised_difference", metric="accuracy", reference="pooled")
    fixed = gap(result, kind="difference", metric="standardised_accuracy")
    assert standard.value == pytest.approx(fixed.value, abs=1e-12)
    assert standard.high - standard.low == pytest.approx(fixed.high - fixed.low, rel=0.05)


def test_reference_files(tmp_path: Any) -> None:
    path = tmp_path / "census.csv"
    path.write_text("age,share\n0-9,10\n10-19,20\n20,5\n21-29,15\n30+,50\n")
    found = read_reference(path)
    weights, outside = weights_of(found, [(10, 20), (20, 30), (30, np.inf)])
    assert weights.tolist() == pytest.approx([0.2, 0.2, 0.5])
    assert outside == pytest.approx(0.1)
    with pytest.raises(InputError, match=r"30\+ lies across"):
        weights_of(found, [(10, 20), (20, 30), (30, 40), (40, 50)])
    for text, said in (
        ("age,share\nold,1\n", "'old' is no age"),
        ("age,share\n20-29,-1\n", "must be a number of at least 0"),
        ("age,share\n20-29,0\n", "every share is 0"),
        ("age,share\n20-29,much\n", "must be a number"),
        ("age,share\n20-29,1\n20-29,2\n", "occurs twice"),
        ("years,share\n20-29,1\n", "a column 'age'"),
        ("age,part\n20-29,1\n", "one of share"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match="census") as caught:
            weights_of(read_reference(path), [(20, 30)], path.name)
        assert said in str(caught.value)


def test_a_reference_outside_the_data() -> None:
    result = of(older_women(12), reference={"80-89": 1.0})
    found = row(result, "standardised_difference", reference="user")
    assert (found.value, found.note) == (None, "no_overlap: 100 % of the reference")
    with pytest.raises(InputError, match="--age-bands"):
        of(older_women(12), reference={"25-34": 1.0})
    with pytest.raises(InputError, match="not cut by age"):
        audit(expression_table(0), task="expression", reference={"20-29": 1.0})


def test_max_t_without_replicates_says_so() -> None:
    one = np.ones(3)
    c = contrast_of(np.array([1.0, 2, 3]), one, 50 * one)
    found = together("max_t", c, one, 50 * one, one > 0, np.eye(3), np.zeros((0, 3)))
    assert found.note == "too_few_replicates"
    assert np.isnan(found.p).all()
    assert satterthwaite(np.array([[1.0, 1.0]]), np.array([10.0, 10.0]))[0] == 20
