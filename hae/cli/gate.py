"""``hae-audit gate``: a record against a policy; 1 if a finding failed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from audit.findings import GateResult, Outcome
    from audit.policy_gate import Source

Option = typer.Option
FAILED = 1
STYLES: dict[Outcome, str] = {
    "failed": "bold red", "warned": "yellow", "passed": "green", "skipped": "dim",
}  # fmt: skip
RECORD_HELP = "The record of an audit: audit.json."


def gate(
    record: Annotated[Path, typer.Argument(metavar="AUDIT.json", help=RECORD_HELP)],
    policy: Annotated[Path, Option(metavar="P.toml", help="The rules; see schema policy.")],
    baseline: Annotated[
        Path | None,
        Option(metavar="OLD.json", help="An older record: fail only what is worse than there."),
    ] = None,
    junit: Annotated[Path | None, Option(metavar="F.xml", help="Write JUnit XML.")] = None,
    sarif: Annotated[Path | None, Option(metavar="F.sarif", help="Write SARIF 2.1.0.")] = None,
    markdown: Annotated[
        Path | None, Option(metavar="F.md", help="Write a comment for a pull request.")
    ] = None,
    json: Annotated[bool, Option("--json", help="The findings as JSON on stdout.")] = False,
) -> None:
    """Judge an audit by a policy: 0 if every rule passed, 1 if a finding failed.

    Inconclusive fails, unless its rule says otherwise. The verdicts come from the record alone; a
    baseline is compared on the same faces where predictions.parquet lies beside both records.
    """
    from audit.declared import read_policy
    from audit.files import write_text
    from audit.policy_gate import gate as judge
    from hae.cli.summary import print_json
    from reports.gate.junit import junit as as_junit
    from reports.gate.markdown import markdown as as_markdown
    from reports.gate.sarif import sarif as as_sarif

    inputs = [path for path in (record, policy, baseline) if path is not None]
    _check_targets({"--junit": junit, "--sarif": sarif, "--markdown": markdown}, inputs)
    declared = read_policy(policy)
    old = _source(baseline, with_table=True) if baseline is not None else None
    result = judge(_source(record, with_table=old is not None), declared, old)
    if junit is not None:
        write_text(junit, as_junit(result))
    if sarif is not None:
        write_text(sarif, as_sarif(result, declared))
    if markdown is not None:
        write_text(markdown, as_markdown(result))
    if json:
        print_json(result.model_dump(by_alias=True, mode="json"))
    else:
        _print(result)
    raise typer.Exit(0 if result.passed else FAILED)


def _source(path: Path, *, with_table: bool) -> Source:
    """A record, and the predictions beside it where they are wanted and there."""
    from audit.policy_gate import Source
    from audit.predictions import read_predictions
    from audit.result import AuditResult
    from audit.tables import file_hash

    result, table = AuditResult.read(path), path.with_name("predictions.parquet")
    found = None
    if with_table and table.is_file():
        found = read_predictions(table, task=result.task, classes=result.spec.classes)
    return Source(result, file_hash(path), found)


def _check_targets(targets: dict[str, Path | None], inputs: list[Path]) -> None:
    """Refuse to write over an input, twice to one place, or to a folder."""
    from audit.errors import InputError
    from hae.cli.work import check_file_target

    taken = {path.resolve(): str(path) for path in inputs}
    for option, path in targets.items():
        if path is None:
            continue
        check_file_target(path, option)
        if path.resolve() in taken:
            raise InputError(
                f"{option} {path}: is {taken[path.resolve()]} itself; give another file"
            )
        taken[path.resolve()] = f"{option} {path}"


def _print(result: GateResult) -> None:
    """One finding a line, coloured at a terminal only, whatever the width."""
    from rich.console import Console
    from rich.text import Text

    from reports.format import plain
    from reports.gate.words import TAGS, conclusion, line

    console = Console(highlight=False, soft_wrap=True)
    for finding in result.findings:
        style = STYLES[finding.outcome]
        console.print(Text.assemble((TAGS[finding.outcome], style), "  ", line(finding)))
    for remark in result.remarks:
        console.print(Text(f"note: {plain(remark)}"))
    style = STYLES["passed" if result.passed else "failed"]
    console.print(Text(conclusion(result), style))
