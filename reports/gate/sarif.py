"""A gate as SARIF 2.1.0 (OASIS): what did not pass, at the line of its rule in the policy."""

from __future__ import annotations

import json
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from audit.declared import Declared
from audit.findings import Finding, GateResult
from audit.policy import Rule
from reports.format import plain
from reports.gate.words import line

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {"failed": "error", "warned": "warning"}
FINGERPRINT = "haeAuditFinding/v1"
ON_GITHUB = "primaryLocationLineHash"
"""What GitHub tells alerts apart by; left to it, all findings of one rule would be one alert."""


def sarif(result: GateResult, declared: Declared) -> str:
    """The JSON text. A result's fingerprint is that of its rule and row, whatever its numbers."""
    content = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": _driver(declared)},
                "invocations": [{"executionSuccessful": True}],
                "results": [
                    _result(finding, declared)
                    for finding in result.findings
                    if finding.outcome in LEVELS
                ],
            }
        ],
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _driver(declared: Declared) -> dict[str, Any]:
    return {
        "name": "hae-audit",
        "version": metadata.version("hae-audit"),
        "rules": [_rule(rule) for rule in declared.policy.rules],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    title = plain(rule.title)
    bound = f"limit {rule.limit:g}" if rule.limit is not None else f"margin {rule.margin:g}"
    by = " and ".join(",".join(names) for names in rule.attribute) or "everyone"
    told = plain(f"{rule.metric} by {by}, {rule.kind}, {bound}; inconclusive: {rule.inconclusive}")
    return {
        "id": title,
        "shortDescription": {"text": title},
        "fullDescription": {"text": told},
        "help": {"text": told},
    }


def _result(finding: Finding, declared: Declared) -> dict[str, Any]:
    place = {
        "artifactLocation": {"uri": uri_of(declared.path)},
        "region": {"startLine": declared.lines[finding.index]},
    }
    return {
        "ruleId": plain(finding.rule),
        "ruleIndex": finding.index,
        "level": LEVELS[finding.outcome],
        "message": {"text": line(finding)},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {
            FINGERPRINT: fingerprint(finding),
            ON_GITHUB: f"{fingerprint(finding)[:16]}:1",
        },
    }


def fingerprint(finding: Finding) -> str:
    """The hash of what a finding is about."""
    return sha256(json.dumps(finding.key, ensure_ascii=True).encode()).hexdigest()


def uri_of(path: Path) -> str:
    """A path as a relative URI, from the working directory where it lies in it."""
    if path.is_absolute():
        here = Path.cwd()
        path = path.relative_to(here) if path.is_relative_to(here) else Path(path.name)
    return quote(path.as_posix())
