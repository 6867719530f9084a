"""The report of an audit, made from its record alone."""

from __future__ import annotations

from pathlib import Path

from audit.files import write_text
from audit.record import uncollected
from audit.result import AuditResult
from reports.data_set import SECTIONS as DATA_SECTIONS
from reports.format import plain
from reports.html import Page, html_of
from reports.language import english, say
from reports.sections import SECTIONS

TASKS = {
    "age": english("Face age audit"),
    "expression": english("Facial expression audit"),
    "data": english("Data set audit"),
}


def render(result: AuditResult) -> str:
    """The report as one HTML page; the same record gives the same text.

    Parameters
    ----------
    result : AuditResult
        The record; nothing else is read and nothing is computed again.

    Returns
    -------
    str
        A page without a single outside reference.

    See Also
    --------
    write_report : the same, to a file.
    """
    return html_of(page_of(result))


@uncollected()
def page_of(result: AuditResult) -> Page:
    """What the page says, before any HTML."""
    builders = DATA_SECTIONS if result.task == "data" else SECTIONS
    found = [build(result) for build in builders]
    return Page(
        kind=say(TASKS[result.task]),
        heading=plain(result.run.model),
        data=plain(result.run.data or "") or say("data not stated"),
        sections=tuple(section for section in found if section is not None),
        record=result,
        file="audit.json",
        simulated=result.run.simulated,
    )


def write_report(result: AuditResult, path: Path) -> None:
    """Write the report whole or not at all."""
    write_text(path, render(result))
