"""What to beware of when a model meets a data set."""

from __future__ import annotations

from audit.result import Concern
from hae.adapters.predictor import Predictor
from hae.data.core import Manifest
from hae.data.crop import crop_difference


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
    differs = crop_difference(predictor.crop, manifest.crop, predictor.name)
    if differs:
        found.append(Concern(code="crop_differs", severity="serious", message=differs))
    if manifest.leaky:
        message = f"{manifest.label}: {manifest.leaky}"
        found.append(Concern(code="leaky_split", severity="serious", message=message))
    return found
