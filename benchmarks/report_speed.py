"""A record to its page, and records to a site: seconds and bytes.

    python -m benchmarks.report_speed [--site 200] [--repeats 3] [--out FILE]

Records are audits of simulated ages: ``three`` has 3 attributes (2 x 7 x 9 values) in all of their
seven combinations; ``groups`` has 2,000 groups (40 x 50 values, 10 faces each) beside those of
either attribute. ``seconds`` run from the file of the record to the text of the page, imports left
out, the least of some repeats; ``parts`` are the same of reading, of making sections and of HTML.
The site has audits by gender and race with their intersection (2 x 4 values), each of another
model, published in one call.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from audit import AuditResult, audit
from reports.html import html_of
from reports.kinds import read_any
from reports.site.build import publish

AIMS = {"three": 1.5, "groups": 4.0, "site": 60.0}
"""Seconds on 2 cores."""
VALUES = {
    "three": {"gender": 2, "race": 7, "band": 9},
    "groups": {"place": 40, "camera": 50},
    "site": {"gender": 2, "race": 4},
}
FACES = {"three": 12_600, "groups": 20_000, "site": 2_000}


def audited(name: str) -> AuditResult:
    """The audit of simulated ages by all combinations of the attributes of ``name``."""
    values, n = VALUES[name], FACES[name]
    rng = np.random.default_rng(0)
    cells = np.arange(n) % int(np.prod(list(values.values())))
    age = rng.uniform(0, 90, n)
    table: dict[str, Any] = {"sample_id": [f"f{i}" for i in range(n)], "age": age}
    for attribute, size in values.items():
        table[attribute] = [f"{attribute} {cell % size}" for cell in cells]
        cells = cells // size
    table["age_pred"] = age + rng.normal(0, 6, n)
    by = [",".join(c) for k in range(len(values)) for c in combinations(values, k + 1)]
    return audit(pd.DataFrame(table), task="age", by=by, n_boot=0, margins={"mae": 0.5})


def timed(path: Path, repeats: int) -> dict[str, Any]:
    """Seconds from the file to the page, and what they consist of."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        kind, record = read_any(path)
        read = time.perf_counter()
        page = kind.page(record)
        paged = time.perf_counter()
        text = html_of(page)
        end = time.perf_counter()
        found.append((end - start, read - start, paged - read, end - paged))
    best = min(found)
    return {
        "seconds": round(best[0], 2),
        "parts": dict(zip(("read", "sections", "html"), (round(s, 2) for s in best[1:]),
                          strict=True)),
        "record_bytes": path.stat().st_size, "page_bytes": len(text.encode()),
        "metric_rows": len(record.metrics), "gap_rows": len(record.gaps),
    }  # fmt: skip


def sited(folder: Path, size: int) -> dict[str, Any]:
    """Seconds of publishing ``size`` audits."""
    record = audited("site")
    runs = []
    for i in range(size):
        run = record.run.model_copy(update={"model": f"model {i}"})
        record.model_copy(update={"run": run}).write(folder / "runs" / f"r{i}" / "audit.json")
        runs.append(folder / "runs" / f"r{i}")
    start = time.perf_counter()
    publish(runs, folder / "site", date="2026-01-01")
    seconds = time.perf_counter() - start
    pages = [path.stat().st_size for path in (folder / "site" / "pages").iterdir()]
    return {"seconds": round(seconds, 1), "audits": size, "largest_page_bytes": max(pages)}


def main() -> None:
    """Measure and, with ``--out``, record."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--site", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for record in ("three", "groups"):
            path = folder / record / "audit.json"
            audited(record).write(path)
            found[record] = timed(path, options.repeats)
            print(record, json.dumps(found[record]), flush=True)
        found["site"] = sited(folder, options.site)
        print("site", json.dumps(found["site"]), flush=True)
    found["aims_seconds"] = AIMS
    found["machine"] = {"cores": os.cpu_count(), "processor": platform.machine(),
                        "python": platform.python_version()}  # fmt: skip
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
