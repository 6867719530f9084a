"""A gate as Markdown, for a comment on a pull request; in English, as all files of a gate are."""

from __future__ import annotations

import re
from collections.abc import Sequence

from audit.findings import Finding, GateResult
from reports.format import plain
from reports.gate.words import TAGS, because, bound, conclusion, subject, value

_REFERENCE = re.compile(r"([@#!~$%&])(?=\w)")
_SIGNS = re.compile(r"""[&<>"'\\`*_{}\[\]|~$:\u200b]""")
MARKS = {"failed": "❌", "warned": "⚠️", "passed": "✅", "skipped": "⏭️"}


def markdown(result: GateResult) -> str:
    """What did not pass as a table, the rest folded away, then what to know beside it."""
    open_ = [one for one in result.findings if one.outcome in {"failed", "warned"}]
    rest = [one for one in result.findings if one.outcome not in {"failed", "warned"}]
    parts = [f"### {MARKS['passed' if result.passed else 'failed']} {conclusion(result)}"]
    parts.append(_about(result))
    if open_:
        parts.append(_table(open_))
    if rest:
        summary = f"<details><summary>{len(rest)} passed or skipped</summary>"
        parts += [summary, _table(rest), "</details>"]
    if result.remarks:
        parts.append("\n".join(f"- {cell(plain(remark))}" for remark in result.remarks))
    return "\n\n".join(parts) + "\n"


def _about(result: GateResult) -> str:
    date = f" of {result.policy.date}" if result.policy.date else ""
    data = f" on {result.record.data}" if result.record.data else ""
    told = f"{result.record.model}{data}, policy {result.policy.name}{date}"
    return f"{cell(plain(told))} (SHA-256 `{result.policy.sha256[:12]}`)"


def _table(findings: Sequence[Finding]) -> str:
    rows = ["| | what | value | bound | why | rule |", "|---|---|---|---|---|---|"]
    for one in findings:
        texts = (subject(one), value(one), bound(one), because(one), plain(one.rule))
        mark = f"{MARKS[one.outcome]} {TAGS[one.outcome]}"
        rows.append(f"| {' | '.join((mark, *map(cell, texts)))} |")
    return "\n".join(rows)


def cell(text: str) -> str:
    """A line of foreign origin in a table: no HTML, no Markdown, no link, nobody is mentioned.

    Signs that mean something become character references, which are shown as the sign; a
    zero-width space keeps ``@name`` and ``#1`` from being found in the rendered page.
    """
    apart = _REFERENCE.sub("\\1\u200b", text.replace("www.", "www.\u200b"))
    return _SIGNS.sub(lambda match: f"&#{ord(match.group())};", apart)
