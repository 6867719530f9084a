"""What a site knows of its records: enough for the index, the trends and the feed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from audit.comparison import Comparison
from audit.files import write_text
from audit.record import read_record, record_text
from audit.result import AuditResult
from audit.rows import Number, Record
from reports.answer import answers
from reports.format import combination_label, plain, plural
from reports.html import Page
from reports.kinds import Kind
from reports.language import Language, english, say
from reports.lookup import headline, metric_row, range_gap, unit

SCHEMA: Literal["hae-audit/site/1"] = "hae-audit/site/1"
FILE = "site.json"
TITLE = english("Audits")


class Measured(Record):
    """One number of an audit over its releases: the headline of everyone, or a largest gap."""

    what: str
    value: Number
    low: Number = None
    high: Number = None
    verdict: str | None = None


class Entry(Record):
    """One record of the site; ``sha256`` is that of the file as it was published."""

    sha256: str
    kind: str
    task: str
    model: str
    data: str
    published: str = Field(description="date, UTC")
    release: str = Field(description="how its place in a trend is called")
    simulated: bool = False
    metric: str | None = None
    unit: str = ""
    answer: str = ""
    measured: list[Measured] = []

    @property
    def id(self) -> str:
        """Short name of its files."""
        return self.sha256[:16]


class Broken(Record):
    """What could not be published, and why."""

    name: str
    error: str


class Site(Record):
    """The content of a site, in the order of publication."""

    schema_: Literal["hae-audit/site/1"] = Field(default=SCHEMA, alias="schema")
    title: str = TITLE
    url: str = ""
    language: Language = "en"
    entries: list[Entry] = []
    broken: list[Broken] = []

    def write(self, folder: Path) -> None:
        """Write ``site.json`` whole or not at all."""
        write_text(folder / FILE, record_text(self))

    @property
    def heading(self) -> str:
        """Its title; that which nobody chose is said in the language of the page."""
        return say(TITLE) if self.title == TITLE else plain(self.title)

    @classmethod
    def read(cls, folder: Path) -> Site:
        """Read the content of a folder; an empty folder is an empty site.

        Raises
        ------
        InputError
            ``site.json`` is no site of this version.
        """
        path = folder / FILE
        return read_record(cls, path, SCHEMA, "hae-audit publish") if path.exists() else cls()


def entry_of(
    kind: Kind, record: Any, page: Page, sha256: str, published: str, release: str
) -> Entry:
    """The entry of one record, from its rows and the head of its page."""
    known = {
        "sha256": sha256, "kind": kind.name, "task": record.task, "model": page.heading,
        "data": page.data, "published": published, "release": release,
        "simulated": page.simulated,
    }  # fmt: skip
    if not isinstance(record, AuditResult) or record.task == "data":
        return Entry(**known, answer=_counted(record))
    metric = headline(record)
    if metric is None:
        return Entry(**known, answer=answers(record)[0])
    row = metric_row(record, metric, {})
    measured = []
    if row is not None:
        measured.append(Measured(what="everyone", value=row.value, low=row.low, high=row.high))
    for names in record.spec.combinations:
        gap = range_gap(record, metric, names)
        if gap is not None:
            measured.append(
                Measured(
                    what=combination_label(names),
                    value=gap.value,
                    low=gap.low,
                    high=gap.high,
                    verdict=gap.verdict,
                )
            )
    return Entry(
        **known, metric=metric, unit=unit(record, metric), answer=answers(record)[0],
        measured=measured,
    )  # fmt: skip


def _counted(record: Any) -> str:
    if not isinstance(record, Comparison):
        return ""
    return plural(len(record.runs), english("{n} run"), english("{n} runs"))
