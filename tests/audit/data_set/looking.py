"""Small data sets, and finding rows in their records."""

from __future__ import annotations

import pandas as pd

from audit.result import AuditResult
from audit.rows import FairnessRow, MetricRow


def metric(result: AuditResult, name: str, **group: str | None) -> MetricRow:
    found = [row for row in result.metrics if row.metric == name and row.group == group]
    assert len(found) == 1
    return found[0]


def statistic(result: AuditResult, name: str, *attributes: str) -> FairnessRow:
    wanted = [*attributes]
    found = [r for r in result.fairness if r.metric == name and r.attributes == wanted]
    assert len(found) == 1
    return found[0]


def people(sizes: dict[str, int], photos: int = 1) -> pd.DataFrame:
    """So many persons of each gender, each with as many photos."""
    rows = [
        {"sample_id": f"{g}{i}-{j}", "subject_id": f"{g}{i}", "gender": g}
        for g, n in sizes.items()
        for i in range(n)
        for j in range(photos)
    ]
    return pd.DataFrame(rows)
