"""A record in the formats that are asked for, each file whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import quote

from audit.errors import InputError
from audit.files import write_text
from audit.result import AuditResult
from reports.card import model_card
from reports.html import Page, Plotly, html_of, plotly_file
from reports.kinds import Kind
from reports.language import Language, speaking
from reports.markdown import markdown
from reports.pdf import write_pdf
from reports.sheet import csv_text

Format = Literal["html", "md", "csv", "card", "pdf"]
FORMATS: tuple[Format, ...] = get_args(Format)


def write_formats(
    kind: Kind,
    record: Any,
    source: Path,
    target: Path,
    formats: Sequence[str],
    plotly: Plotly,
    language: Language = "en",
    shown: Callable[[Page], Page] = lambda page: page,
) -> list[Path]:
    """Write a record beside ``target``, an HTML file's name, and say what was written.

    Parameters
    ----------
    kind, record
        As :func:`reports.kinds.read_any` returns them.
    source : Path
        The file of the record, to which pages link that do not carry it.
    target : Path
        Name of the page; other formats have their own endings: ``report.md``,
        ``report.metrics.csv`` and so on, ``report.card.md``, ``report.pdf``.
    formats : sequence of str
        Some of ``html, md, csv, card, pdf``.
    plotly : {"inline", "directory", "cdn", "none"}
        See :func:`reports.html.html_of`.
    language : {"en", "zh"}
        Of pages, Markdown and model card; tables keep the names of the record.
    shown : callable, optional
        What becomes of the page before it is written as HTML or PDF, such as added faces.

    Raises
    ------
    InputError
        A format that is unknown or that this kind of record does not have, PDF without Chromium,
        or a file that is the record itself or that two formats would have.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        named = unknown[0] if unknown else ""
        raise InputError(f"--format {named!r}: choose of {', '.join(FORMATS)}, with commas")
    is_model = isinstance(record, AuditResult) and record.task != "data"
    if "card" in formats and not is_model:
        raise InputError("--format card: is made from the audit of a model; leave card out")
    _check_names(kind, source, target, formats)
    with speaking(language):
        page = kind.page(record)
        return _written(kind, record, page, shown(page), source, target, formats, plotly)


def _check_names(kind: Kind, source: Path, target: Path, formats: Sequence[str]) -> None:
    """Refuse names under which a format would replace the record or another format."""
    endings = {"html": target.suffix, "md": ".md", "card": ".card.md", "pdf": ".pdf"}
    places = [target.with_suffix(endings[name]) for name in set(formats) - {"csv"}]
    if "csv" in formats:
        places += [target.with_suffix(f".{table}.csv") for table in kind.tables]
    if source.resolve() in {place.resolve() for place in places}:
        raise InputError(f"--out {target}: would replace the record; give another name")
    if len(set(places)) < len(places):
        raise InputError(f"--out {target}: two formats would have this name; end it in .html")


def _written(
    kind: Kind, record: Any, page: Page, full: Page, source: Path, target: Path,
    formats: Sequence[str], plotly: Plotly,
) -> list[Path]:  # fmt: skip
    done: list[Path] = []

    def put(ending: str, text: str) -> None:
        path = target.with_suffix(ending)
        write_text(path, text)
        done.append(path)

    if "html" in formats:
        if plotly == "directory":
            name, library = plotly_file()
            write_text(target.parent / name, library)
        link = quote(os.path.relpath(source, target.parent)) if plotly == "directory" else None
        write_text(target, html_of(full, plotly, link))
        done.append(target)
    if "md" in formats:
        put(".md", markdown(page))
    for table in kind.tables if "csv" in formats else ():
        if getattr(record, table):
            put(f".{table}.csv", csv_text(record.to_frame(table)))
    if "card" in formats:
        put(".card.md", model_card(record))
    if "pdf" in formats:
        write_pdf(html_of(full), target.with_suffix(".pdf"))
        done.append(target.with_suffix(".pdf"))
    return done
