"""A model card (Hugging Face: YAML head and Markdown) from the record of an audit."""

from __future__ import annotations

import json
import re
from typing import Any

from audit.result import AuditResult
from reports.format import METRIC_TITLES, plain
from reports.gate.markdown import cell
from reports.language import english, say
from reports.lookup import chosen_metrics, metric_row
from reports.markdown import block_text
from reports.page import page_of
from reports.sections.methods import definitions

_FOREIGN = re.compile(r"[^\n\x20-\x7e]")
_TASKS = {"age": "age estimation", "expression": "facial expression recognition"}
_AUDITED = {
    "age": english("Audited for age estimation on {data}."),
    "expression": english("Audited for facial expression recognition on {data}."),
}
_LIMITS = (
    english(
        "What the audit found holds for these faces and these labels; another camera, crop or "
        "population may come out otherwise."
    ),
    english("A group that was not tested is not a group without a gap."),
    english(
        "Labels of gender, race and the like are attributes as their source assigned them, "
        "not identities."
    ),
)


def model_card(result: AuditResult) -> str:
    """The card: what the model is, how wrong it is, for whom, and what nobody knows yet.

    The head carries the headline metrics of everyone as ``model-index``. Texts of the record are
    quoted as JSON strings, which YAML reads as they are. It is English in every language: it is
    read by machines.
    """
    page = page_of(result)
    first = page.sections[0]
    warnings = next((s for s in page.sections if s.id == "warnings"), None)
    title = say("Model card: {model}", model=cell(page.heading))
    parts = [f"---\n{_yaml(_head(result))}---", f"# {title}"]
    parts.append(say(_AUDITED[result.task], data=cell(page.data)))
    parts.append(f"## {say('Evaluation')}")
    parts += [text for block in first.blocks if (text := block_text(block))]
    if warnings:
        parts += [f"## {say('Warnings')}", "\n".join(map(block_text, warnings.blocks))]
    parts += [f"## {say('Limits')}", "\n".join(f"- {say(text)}" for text in _LIMITS)]
    parts += [f"## {say('Metrics')}", block_text(definitions(result.spec))]
    run = result.run
    files = "\n".join(f"- {cell(f.name)}: SHA-256 `{f.sha256}`" for f in run.files)
    seed = say("seed {n}", n=run.seed)
    terms = say("terms: {terms}", terms=cell(run.terms or say("not stated")))
    parts += [f"## {say('Provenance')}", f"- {seed}\n- {terms}"]
    return "\n\n".join(parts) + ("\n" + files if files else "") + "\n"


def _head(result: AuditResult) -> dict[str, Any]:
    metrics = [
        {"type": metric, "name": METRIC_TITLES.get(metric, plain(metric)), "value": row.value}
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
    """JSON is YAML: a key a line, its value in JSON, and all that is not ASCII as escapes of YAML.

    JSON's own escapes take two halves for an emoji, which YAML reads as two signs that are none.
    """
    lines = "".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in content.items()
    )
    return _FOREIGN.sub(lambda sign: f"\\U{ord(sign.group()):08x}", lines)
