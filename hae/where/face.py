"""Where the canonical face lies in the picture that a network sees."""

from __future__ import annotations

from dataclasses import dataclass

from audit.errors import InputError
from audit.face_regions import EYES, MOUTH
from audit.rows import Concern
from hae.data.crop import Crop

LINES = {
    "drawn faces": (0.45, 0.735),
    "FairFace's crops, margin 0.25": (0.29, 0.71),
    "FairFace's crops, margin 1.25": (0.41, 0.59),
}
"""Heights of the eyes and of the mouth in crops of a kind, from the top: read off the mean of 1,000
drawn faces and of 1,250 faces of FairFace's validation part; the wider ones by their margin."""


@dataclass(frozen=True)
class Face:
    """Heights of the eyes and of the mouth as shares of the picture's, from the top.

    The canonical face is turned and bent in no way: it is scaled until both lines meet its own, and
    its middle is the picture's.
    """

    eyes: float = EYES
    mouth: float = MOUTH

    @property
    def side(self) -> float:
        """Of the canonical face, as a share of the picture's side."""
        return (self.mouth - self.eyes) / (MOUTH - EYES)

    @property
    def left(self) -> float:
        """Its left edge in the picture."""
        return 0.5 - 0.5 * self.side

    @property
    def top(self) -> float:
        """Its upper edge in the picture."""
        return self.eyes - EYES * self.side


def face_in(crop: Crop, keep: float = 1.0, lines: tuple[float, float] | None = None) -> Face:
    """Where the face lies in what a network sees of a crop.

    Parameters
    ----------
    crop : Crop
        As the data set states it.
    keep : float
        Share of the crop's side that the network sees, about its centre.
    lines : (float, float), optional
        Heights of the eyes and of the mouth in the crop. By default those that are known of this
        kind of crop; else the crop, or the box of the face in it, is taken to be the canonical
        face.

    Raises
    ------
    InputError
        The lines do not lie in the picture, the eyes above the mouth.

    Examples
    --------
    >>> face_in(Crop(images="drawn faces"))
    Face(eyes=0.45, mouth=0.735)
    >>> face_in(Crop(images="scenes", region="box", margin=0.5)).side
    0.5
    """
    if lines is not None and not 0 < lines[0] < lines[1] < 1:
        raise InputError(
            f"--face-lines {lines[0]:g},{lines[1]:g}: must be the heights of the eyes and of the "
            "mouth as shares of the picture's, from the top: 0 < eyes < mouth < 1, such as 0.4,0.73"
        )
    eyes, mouth = lines or _known(crop) or (EYES, MOUTH)
    share = (1.0 if lines else 1 / (1 + 2 * crop.margin), 1 / keep)
    eyes, mouth = (0.5 + (y - 0.5) * share[0] * share[1] for y in (eyes, mouth))
    return Face(round(eyes, 6), round(mouth, 6))


def face_concern(crop: Crop, face: Face, lines: tuple[float, float] | None) -> Concern:
    """What the record says of it: where the lines are, and whether that is known."""
    known = lines is not None or _known(crop) is not None
    how = "as stated" if lines else "as known of these crops" if known else "assumed"
    message = (
        f"where the model looks is told for eyes at {face.eyes:.3g} and a mouth at {face.mouth:.3g}"
        f" of the height of what it sees, {how}"
    )
    if not known:
        message += ": state them with --face-lines if the crops are cut in another way"
    return Concern(code="face_lines", severity="info" if known else "warning", message=message)


def _known(crop: Crop) -> tuple[float, float] | None:
    return LINES.get(crop.images) if crop.region == "image" else None
