"""Small records written by hand for policies, gates and diffs: every number is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audit.declared import Declared, read_policy
from audit.findings import GateResult
from audit.policy_gate import Source, gate
from audit.result import AuditResult, FileHash

UNITS = {"mae": "years", "bias": "years", "rmse": "years"}
BETTER = {
    "mae": "lower", "bias": "zero", "rmse": "lower", "cs5": "higher", "cs5_all": "higher",
    "accuracy": "higher", "recall": "higher", "failure_rate": "lower", "importance": "none",
}  # fmt: skip


def metric(
    name: str, group: dict[str, str | None], value: float | None, half: float | None = 0.1,
    **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """A metric row; its 95 % interval is value +- half, the 90 % one 0.8 times as wide."""
    ends = {}
    if value is not None and half is not None:
        ends = {"low": value - half, "high": value + half,
                "low_90": value - 0.8 * half, "high_90": value + 0.8 * half}  # fmt: skip
    counts = {"n": 200, "n_subjects": 100, "m_eff": 90.0, "n_failed": 0, "n_unlabelled": 0}
    return {"metric": name, "group": group, "value": value, **ends, **counts, **more}


def gap(
    name: str, a: str | None, b: str | None, value: float | None, half: float | None = 0.1,
    kind: str = "difference", attribute: str = "gender", **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """A gap row by one attribute; the adjusted interval is 1.2 times as wide as the 95 % one."""
    ends = {}
    if value is not None and half is not None:
        for suffix, factor in (("", 1.0), ("_90", 0.8), ("_adjusted", 1.2)):
            ends |= {f"low{suffix}": value - factor * half, f"high{suffix}": value + factor * half}
    sides = {"a": {attribute: a} if a else None, "b": {attribute: b} if b else None}
    people = {"n_subjects_a": 100, "n_subjects_b": 100}
    names = {
        "metric": name,
        "kind": kind,
        "attributes": [attribute],
        "family": f"{name}/{attribute}",
    }
    return {**names, **sides, "value": value, **ends, **people, **more}


def record(
    metrics: list[dict[str, Any]], gaps: list[dict[str, Any]] = [], **changes: Any  # noqa: B006
) -> AuditResult:  # fmt: skip
    """A record of these rows, audited by gender, race and both unless ``spec`` says otherwise."""
    names = dict.fromkeys(row["metric"] for row in (*metrics, *gaps))
    spec = {
        "attributes": {name: {"values": ["f", "m"]} for name in ("gender", "race")},
        "combinations": [["gender"], ["race"], ["gender", "race"]],
        "unit_of_resampling": "person", "units": "persons", "estimand": "image",
        "n_boot": 1000, "min_n": 30,
        "metrics": {
            name: {"unit": UNITS.get(name, "share"), "better": BETTER[name], "scale": "identity",
                   "interval": "t", "definition": name, "source": "by hand",
                   "counts_failures": name.endswith("_all") or name == "failure_rate"}
            for name in names
        },
    }  # fmt: skip
    content = {
        "task": "age", "run": {"model": "by hand", "seed": 0}, "metrics": metrics, "gaps": gaps,
    } | changes  # fmt: skip
    return AuditResult.model_validate(content | {"spec": spec | changes.get("spec", {})})


def by_gender(name: str, f: float, m: float, half: float = 0.1, **more: Any) -> AuditResult:
    """A metric overall and by gender, with its difference, rest and largest gap."""
    groups = [
        metric(name, {}, (f + m) / 2, half),
        metric(name, {"gender": "f"}, f, half, **more),
        metric(name, {"gender": "m"}, m, half),
    ]
    kind = "max_minus_min" if BETTER[name] == "zero" else "worst_minus_best"
    worst = ("f", "m") if (f > m) == (BETTER[name] != "higher") else ("m", "f")
    gaps = [
        gap(name, "f", "m", f - m, half),
        gap(name, "f", None, f - m, half, "vs_rest"),
        gap(name, "m", None, m - f, half, "vs_rest"),
        gap(name, *worst, abs(f - m), half, kind),
    ]
    return record(groups, gaps)


def policy(folder: Path, text: str) -> Declared:
    """A policy from its text."""
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return read_policy(path)


def rule(folder: Path, text: str) -> Declared:
    """A policy of one rule; ``text`` has a key a line."""
    return policy(folder, f"[[rules]]\n{text}\n")


def source(result: AuditResult) -> Source:
    """A record as if it had been read."""
    return Source(result, FileHash(name="audit.json", sha256="0" * 64, bytes=1))


def judged(result: AuditResult, declared: Declared, old: AuditResult | None = None) -> GateResult:
    """The gate of a record, beside an older one if it is given."""
    return gate(source(result), declared, source(old) if old else None)
