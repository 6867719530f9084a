"""Two records compared number by number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from audit import AuditResult

NUMBERS = (
    *("value", "low", "high", "low_90", "high_90", "p", "debiased", "null_expected", "within"),
    *("pooled", "pooled_low", "pooled_high"),
    *("p_adjusted", "low_adjusted", "high_adjusted", "p_permutation"),
    *("effect_size", "min_detectable"),
)
COUNTS = ("n", "n_subjects", "m_eff", "n_failed", "n_unlabelled", "n_a", "n_b", "n_groups")


def close(a: Sequence[Any], b: Sequence[Any], rel: float = 1e-9, abs_tol: float = 1e-12) -> bool:
    """Whether all numbers are equal within rounding, and null in the same places."""
    return len(a) == len(b) and all(
        x is y if x is None or y is None else math.isclose(x, y, rel_tol=rel, abs_tol=abs_tol)
        for x, y in zip(a, b, strict=True)
    )


def numbers(result: AuditResult) -> dict[tuple[Any, ...], Any]:
    """Every number of a record by what it is of."""
    found: dict[tuple[Any, ...], Any] = {}
    place: Counter[tuple[Any, ...]] = Counter()  # points of a curve stand in order
    for name in ("metrics", "gaps", "fairness", "curves"):
        for row in getattr(result, name):
            content = row.model_dump()
            values = {k: content.pop(k, None) for k in (*NUMBERS, *COUNTS, "z")}
            if name == "curves" and content["name"] != "confusion":
                # a mean confidence and an accuracy are numbers, an age band is a name
                values |= {k: content.pop(k) for k in ("x", "y")}
                content["bin"] = place[content["name"], content["class_"], str(content["group"])]
                place[content["name"], content["class_"], str(content["group"])] += 1
            key = (name, repr(sorted(content.items())))
            assert key not in found, key
            found[key] = values
    return found


def assert_same(first: AuditResult, second: AuditResult, relative: float = 1e-9) -> None:
    a, b = numbers(first), numbers(second)
    assert a.keys() == b.keys()
    for key, values in a.items():
        for name, value in values.items():
            other = b[key][name]
            if value is None or other is None:
                assert value == other, (key, name)
            else:
                close = math.isclose(value, other, rel_tol=relative, abs_tol=1e-12)
                assert close, (key, name, value, other)
