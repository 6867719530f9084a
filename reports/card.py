"""A model card (Hugging Face: YAML head and Markdown) from the record of an audit."""

from __future__ import annotations

import json
from typing import Any

from audit.result import AuditResult
from reports.format import metric_title
from reports.gate.markdown import cell
from reports.lookup import chosen_metrics, metric_row
from reports.markdown import block_text
from reports.page import page_of
from reports.sections.methods import definitions

_TASKS = {"age": "age estimation", "expression": "facial expression recognition"}
_LIMITS = (
    "What the audit found holds for these faces and these labels; another camera, crop or "
    "population may come out otherwise.",
    "A group that was not tested is not a group without a gap.",
    "Labels of gender, race and the like are attributes as their source assigned them, "
    "not identities.",
)


def model_card(result: AuditResult) -> str:
    """The card: what the model is, how wrong it is, for whom, and what nobody knows yet.

    The head carries the headline metrics of everyone as ``model-index``. Texts of the record are
    quoted as JSON strings, which YAML reads as they are.
    """
    page = page_of(result)
    first = page.sections[0]
    warnings = next((s for s in page.sections if s.id == "warnings"), None)
    parts = [f"---\n{_yaml(_head(result))}---", f"# Model card: {cell(page.heading)}"]
    parts.append(f"Audited for {_TASKS[result.task]} on {cell(page.data)}.")
    parts += ["## Evaluation", *(text for block in first.blocks if (text := block_text(block)))]
    if warnings:
        parts += ["## Warnings", "\n".join(map(block_text, warnings.blocks))]
    parts += ["## Limits", "\n".join(f"- {text}" for text in _LIMITS)]
    parts += ["## Metrics", block_text(definitions(result.spec))]
    run = result.run
    files = "\n".join(f"- {cell(f.name)}: SHA-256 `{f.sha256}`" for f in run.files)
    parts += ["## Provenance", f"- seed {run.seed}\n- terms: {cell(run.terms or 'not stated')}"]
    return "\n\n".join(parts) + ("\n" + files if files else "") + "\n"


def _head(result: AuditResult) -> dict[str, Any]:
    metrics = [
        {"type": metric, "name": metric_title(metric), "value": row.value}
        for metric in chosen_metrics(result)
        if (row := metric_row(result, metric, {})) is not None and row.value is not None
    ]
    data = {"name": result.run.data or "not stated", "type": "faces"}
    found = {"task": {"type": "image-classification", "name": _TASKS[result.task]},
             "dataset": data, "metrics": metrics}  # fmt: skip
    return {
        "tags": ["face", result.task, "bias", "fairness"],
        "model-index": [{"name": result.run.model, "results": [found]}],
    }


def _yaml(content: dict[str, Any]) -> str:
    """JSON is YAML: a key a line, its value in JSON."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in content.items())
