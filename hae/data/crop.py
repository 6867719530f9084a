"""How a face is cut from its image: stated by the data set, kept by the checkpoint, compared."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hae.config import Strict

UNKNOWN = "unknown"


class Crop(Strict):
    """Which part of an image is the face.

    ``images``: how the publisher cut the image files, in words; two data sets whose words differ
    were cut differently. ``region``: ``image`` is the largest centred part of the network's shape,
    ``box`` the face's box. ``margin``: what is added to each side of the box, as a share of its
    longer side m, so that the square's side is m (1 + 2 margin). ``align``: ``roll`` turns the face
    upright by its roll angle or its eyes.
    """

    images: Annotated[str, Field(min_length=1)] = UNKNOWN
    region: Literal["image", "box"] = "image"
    margin: Annotated[float, Field(ge=0, le=5)] = 0.0
    align: Literal["none", "roll"] = "none"

    @model_validator(mode="after")
    def _fits(self) -> Crop:
        if self.region == "image" and (self.margin or self.align != "none"):
            raise ValueError("margin and align belong to region 'box'")
        return self

    def described(self) -> str:
        """Say it in words.

        Examples
        --------
        >>> Crop(images="scenes", region="box", margin=0.4).described()
        'the box of the face and 40 % of its longer side around it, from scenes'
        """
        if self.region == "image":
            return f"the whole image ({self.images})"
        upright = ", turned upright" if self.align == "roll" else ""
        around = f" and {100 * self.margin:g} % of its longer side around it" if self.margin else ""
        return f"the box of the face{around}{upright}, from {self.images}"


WHOLE = Crop()
MARGIN = 0.4
"""Around the boxes of data sets that give boxes and no crops: that of DEX (Rothe, Timofte and Van
Gool, IJCV 2018) and of APPA-REAL's crops."""


def crop_difference(trained: Crop | None, found: Crop, name: str) -> str | None:
    """Say how the crop of the data differs from the one a model was trained on, if it does.

    None where they are the same, and where nothing is known of the model's.
    """
    if trained is None or trained == found:
        return None
    if trained.images == found.images or UNKNOWN not in (trained.images, found.images):
        doubt = "differs"
    elif trained.model_copy(update={"images": found.images}) == found:
        return None  # one of them is not stated, and nothing else speaks against it
    else:
        doubt = "seems to differ"
    return (
        f"the crop {doubt}: {name} was trained on {trained.described()}; these faces are "
        f"{found.described()}; another crop can cost ten years of error: pack the data with the "
        "model's (data pack --crop --margin), or take a model of this crop"
    )
