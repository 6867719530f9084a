"""What to beware of when a model meets a data set."""

from __future__ import annotations

from audit.rows import Concern
from hae.adapters.predictor import Predictor
from hae.data.core import Manifest
from hae.data.crop import UNKNOWN, crop_difference


def concerns_of(manifest: Manifest, predictor: Predictor) -> list[Concern]:
    """What to beware of in this model on these faces."""
    found = []
    if manifest.drawn:
        message = "drawn faces: nothing here describes real people"
        found.append(Concern(code="simulated", severity="info", message=message))
    if predictor.has_seen(manifest):
        message = (
            f"{predictor.name} was trained or selected on faces of this data set; take people it "
            "has not seen, such as a split of their own"
        )
        found.append(Concern(code="trained_on", severity="serious", message=message))
    trained, crop = predictor.crop, manifest.crop
    differs = crop_difference(trained, crop, predictor.name)
    if differs:
        found.append(Concern(code="crop_differs", severity="serious", message=differs))
    elif trained is not None and trained != crop:
        message = (
            f"{predictor.name} was trained on {trained.described()}; of these faces it is not "
            f"known how they were cut ({crop.described()})"
            if crop.images == UNKNOWN
            else f"how the faces of {predictor.name} were cut is not known; these are "
            f"{crop.described()}"
        )
        found.append(Concern(code="crop_unknown", severity="info", message=message))
    if manifest.leaky:
        message = f"{manifest.label}: {manifest.leaky}"
        found.append(Concern(code="leaky_split", severity="serious", message=message))
    return found
