"""Publishing: records into a folder that any web server, or none, can show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.errors import InputError
from audit.files import write_bytes, write_text
from reports.html import html_of, plotly_file
from reports.kinds import KINDS, read_any
from reports.language import Language, speaking
from reports.site.feed import atom
from reports.site.index import index_page, trend_id, trend_page, trends
from reports.site.record import FILE, Broken, Entry, Site, entry_of

NAMES = tuple(f"{name}.json" for name in KINDS)


@dataclass(frozen=True)
class Published:
    """What became of a call: the site, what is new, and what could not be published."""

    site: Site
    added: tuple[Entry, ...]
    failed: tuple[Broken, ...]


def records_of(run: Path) -> list[Path]:
    """The records of a run: a file itself, or those that lie in a folder."""
    if not run.is_dir():
        return [run]
    return [run / name for name in NAMES if (run / name).exists()]


def publish(
    runs: Sequence[Path], folder: Path, *, date: str, release: str | None = None,
    title: str | None = None, url: str | None = None, language: Language | None = None,
) -> Published:  # fmt: skip
    """Add records to a site; what is published already stays byte for byte.

    Parameters
    ----------
    runs : sequence of Path
        Folders with records, or records.
    folder : Path
        The site; it is made where it is not there.
    date : str
        Date of publication, as ``2026-11-22``: records carry no time.
    release : str, optional
        How the runs are called in a trend; by default by the name of their folder.
    title, url, language : str, optional
        Of the site; kept from the last call where not given. Pages that are there keep theirs.

    Returns
    -------
    Published
        A record that is broken or foreign is listed in it and in the index, the rest is built.

    Raises
    ------
    InputError
        The folder holds a site of another version.
    """
    site = Site.read(folder)
    site = site.model_copy(update={"language": language or site.language})
    with speaking(site.language):
        return _published(site, runs, folder, date, release, title, url)


def _published(
    site: Site, runs: Sequence[Path], folder: Path, date: str, release: str | None,
    title: str | None, url: str | None,
) -> Published:  # fmt: skip
    known = {entry.sha256: entry for entry in site.entries}
    broken = {one.name: one for one in site.broken}
    added: list[Entry] = []
    failed: list[Broken] = []
    for name, path in _named(runs):
        try:
            entry = _add(path, folder, date, release or path.absolute().parent.name, known)
        except InputError as error:
            failed.append(Broken(name=name, error=str(error).replace(str(path), path.name)))
            broken[name] = failed[-1]
            continue
        broken.pop(name, None)
        if entry.sha256 not in known:
            known[entry.sha256] = entry
            added.append(entry)
    site = Site(
        title=title or site.title, url=site.url if url is None else url,
        language=site.language, entries=list(known.values()), broken=list(broken.values()),
    )  # fmt: skip
    write_site(site, folder)
    return Published(site, tuple(added), tuple(failed))


def _named(runs: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for run in runs:
        place = run.absolute()
        found = records_of(run)
        yield from ((f"{path.absolute().parent.name}/{path.name}", path) for path in found)
        if not found:
            yield f"{place.name}/", run / NAMES[0]


def _add(path: Path, folder: Path, date: str, release: str, known: dict[str, Entry]) -> Entry:
    """Write the files of one record unless they are there."""
    try:
        content = path.read_bytes()
    except OSError:
        content = b""  # its reader says why
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 in known and (folder / "pages" / f"{known[sha256].id}.html").exists():
        return known[sha256]
    kind, record = read_any(path)
    page = kind.page(record)
    entry = entry_of(kind, record, page, sha256, date, release)
    text = html_of(page, "directory", f"../records/{entry.id}.json", root="../")
    write_bytes(folder / "records" / f"{entry.id}.json", content)
    write_text(folder / "pages" / f"{entry.id}.html", text)
    return entry


def write_site(site: Site, folder: Path) -> None:
    """Write what all records share, in its language: trends, feed, index, and the content last."""
    with speaking(site.language):
        _write_site(site, folder)


def _write_site(site: Site, folder: Path) -> None:
    name, library = plotly_file()
    if not (folder / name).exists():
        write_text(folder / name, library)
    for entries in trends(site).values():
        page = html_of(trend_page(entries), "directory", f"../{FILE}", root="../")
        write_text(folder / "trends" / f"{trend_id(entries)}.html", page)
    write_text(folder / "feed.xml", atom(site))
    write_text(folder / "index.html", html_of(index_page(site), "none", FILE, feed="feed.xml"))
    site.write(folder)
