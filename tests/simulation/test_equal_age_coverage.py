"""Gaps at equal age, simulated with known truth: coverage, and two cohorts that raw gaps misread.

The world of the coverage: women are older (mean 48 against 40, SD 13, within 20 to 69), the SD of
errors is 1 + 0.1 age, 15 % larger for women, 4/5 of it the person's. Truths are those of a cohort
of 200,000. 600 runs leave +- 1.8 points of simulation noise (two standard errors).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.age_plan import age_plan
from audit.bands import DECADES
from audit.collect import collect_table, table_bands
from audit.equal_terms import equal_terms_rows
from audit.facts import facts_of
from audit.groups import grouping
from audit.options import checked_options, setting_of
from audit.predictions import predictions_from_frame
from audit.verdict import judged

KINDS = {
    ("standardised_difference", "pooled"),
    ("standardised_difference", "uniform"),
    ("kitagawa_mix", None),
    ("kitagawa_rate", None),
    ("adjusted_difference", None),
}
RUNS = 600


def cohort(rng, m, photos, *, older=48.0, younger=40.0, worse=0.15):
    """Women of mean age ``older`` and men of ``younger``; women's errors are ``worse``."""
    women = np.repeat([True, False], m)
    age = np.where(women, older, younger) + 13 * rng.standard_normal(2 * m)
    age = 70 - np.abs((age - 20) % 100 - 50)  # folded into 20 to 70
    person = np.repeat(np.arange(2 * m), photos)
    noise = 0.8 * rng.standard_normal(2 * m)[person] + 0.6 * rng.standard_normal(len(person))
    error = noise * (1 + 0.1 * age[person]) * np.where(women[person], 1 + worse, 1.0)
    return pd.DataFrame(
        {
            "subject_id": person,
            "age": age[person],
            "age_pred": age[person] + error,
            "gender": np.where(women, "f", "m")[person],
        }
    )


def rows_of(frame, metrics=("mae",), n_boot=0):
    """The adjusted rows of gender, without the rest of an audit."""
    table = predictions_from_frame(frame, task="age")
    plan = age_plan([table], table_bands([table], DECADES))
    found = collect_table([table], ("gender",), None, plan.bands, "image", 1000, plan)
    setting = setting_of(facts_of(table), plan, checked_options(n_boot=n_boot))
    item = grouping(found.sums.cells, found.attributes, ("gender",), found.order)
    rows = equal_terms_rows(setting, found, [item], (), None)
    return {(r.kind, r.reference): r for r in rows if r.metric in metrics}


def raw_gap(frame):
    error = (frame["age_pred"] - frame["age"]).abs().groupby(frame["gender"]).mean()
    return error["f"] - error["m"]


def covered(runs, seed, m, photos):
    truth = {k: r.value for k, r in rows_of(cohort(np.random.default_rng(1), 100_000, 1)).items()}
    rng = np.random.default_rng(seed)
    inside = {kind: [] for kind in KINDS}
    for _ in range(runs):
        for kind, row in rows_of(cohort(rng, m, photos)).items():
            if row.low is not None:
                inside[kind].append(row.low <= truth[kind] <= row.high)
    return {kind: (np.mean(found), len(found)) for kind, found in inside.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("m", "photos"), [(150, 1), (150, 5), (500, 1)])
def test_adjusted_intervals_cover(m, photos, record_property):
    found = covered(RUNS, 20260710, m, photos)
    for kind, (share, runs) in found.items():
        print(f"{kind[0]} {kind[1] or ''} {m} x {photos}: {share:.4f} of {runs}")
        record_property(" ".join(map(str, kind)), f"{share:.4f}")
        assert runs > 0.9 * RUNS
        assert 0.925 <= share <= 0.98


def test_adjusted_intervals_cover_quickly():
    found = covered(60, 20260711, 150, 1)
    assert all(share >= 0.85 for share, _ in found.values())


def test_women_are_older_and_nothing_else():
    """The raw gap is called; at equal age there is no material gap."""
    frame = cohort(np.random.default_rng(0), 3000, 1, older=55, younger=35, worse=0.0)
    assert raw_gap(frame) > 1.0
    rows = judged(list(rows_of(frame, n_boot=300).values()), lambda gap: 0.5)
    verdicts = {(r.kind, r.reference): r.verdict for r in rows}
    assert verdicts["adjusted_difference", None] == "no material gap"
    assert verdicts["standardised_difference", "pooled"] == "no material gap"
    assert verdicts["kitagawa_mix", None] == "gap"


def test_women_are_younger_and_worse_off():
    """No raw gap, since they are younger; at equal age the gap is called."""
    frame = cohort(np.random.default_rng(0), 3000, 1, older=35, younger=55, worse=0.4)
    assert abs(raw_gap(frame)) < 0.5
    rows = judged(list(rows_of(frame, n_boot=300).values()), lambda gap: 0.5)
    verdicts = {(r.kind, r.reference): r.verdict for r in rows}
    assert verdicts["adjusted_difference", None] == "gap"
    assert verdicts["standardised_difference", "pooled"] == "gap"
