"""The Atom feed of a site (RFC 4287), newest first."""

from __future__ import annotations

import hashlib
from xml.sax.saxutils import escape, quoteattr

from reports.language import TAGS, english, say
from reports.site.record import Entry, Site

MAX_ENTRIES = 50
KINDS = {
    "audit": english("audit"),
    "comparison": english("comparison"),
    "generality": english("generality"),
    "recalibration": english("recalibration"),
}


def atom(site: Site) -> str:
    """The feed in the language spoken; without ``url`` its links are relative to the feed."""
    newest = site.entries[-1].published if site.entries else "1970-01-01"
    name = hashlib.sha256((site.url or site.title).encode()).hexdigest()
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{TAGS[site.language]}">',
        f"<title>{_text(site.heading)}</title>",
        f"<id>urn:sha256:{name}</id>",
        f"<updated>{newest}T00:00:00Z</updated>",
        "<author><name>hae-audit</name></author>",
        f'<link rel="self" href={quoteattr(_address(site, "feed.xml"))}/>',
        f"<link href={quoteattr(_address(site, 'index.html'))}/>",
        *(_entry(site, entry) for entry in reversed(site.entries[-MAX_ENTRIES:])),
        "</feed>",
    ]
    return "\n".join(parts) + "\n"


def _entry(site: Site, entry: Entry) -> str:
    link = quoteattr(_address(site, f"pages/{entry.id}.html"))
    title = say(
        "{model} on {data} ({kind}, {release})",
        model=entry.model, data=entry.data, kind=say(KINDS[entry.kind]), release=entry.release,
    )  # fmt: skip
    return (
        f"<entry><title>{_text(title)}</title><id>urn:sha256:{entry.sha256}</id>"
        f"<updated>{entry.published}T00:00:00Z</updated><link href={link}/>"
        f"<summary>{_text(entry.answer)}</summary></entry>"
    )


def _address(site: Site, path: str) -> str:
    return f"{site.url.rstrip('/')}/{path}" if site.url else path


def _text(text: str) -> str:
    """Escaped, without the characters that XML cannot hold."""
    return escape("".join(c for c in text if c in "\t\n" or (c >= " " and c not in "\ufffe\uffff")))
