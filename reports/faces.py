"""Single faces in a page: only what was handed over for it, under a warning."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace

from reports.blocks import Face, Faces, Notice, Section
from reports.html import Page
from reports.language import say


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, as PNG, and what is said about it."""

    png: bytes
    caption: str


def with_faces(page: Page, found: Sequence[Thumbnail], *, blurred: bool, drawn: bool) -> Page:
    """The page with the worst cases as its last section, and a banner over all of it.

    ``drawn`` faces belong to nobody, so that they need no warning.
    """
    shown = tuple(
        Face(f"data:image/png;base64,{base64.b64encode(one.png).decode()}", one.caption)
        for one in found
    )
    warning = Notice(
        "info" if drawn else "serious",
        say("Drawn faces of no real person") if drawn else say("Faces of real people"),
        say("A single face shows no bias: these are the largest errors, not typical ones.")
        if drawn
        else say(
            "Somebody stated that these people agreed to be shown. Keep the page from everyone "
            "whom that does not cover. A single face shows no bias: these are the largest errors, "
            "not typical ones."
        ),
    )
    title = say("Largest errors, blurred") if blurred else say("Largest errors")
    section = Section("faces", title, (warning, Faces(shown)))
    return replace(page, sections=(*page.sections, section), faces=not drawn)


def shown_truth(true: str, said: str) -> str:
    """What a face was and what the model said."""
    return say("true {true}, estimated {said}", true=true, said=said)
