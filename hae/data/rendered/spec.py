"""What is rendered: a cohort of drawn people, and the biases that are planted in group B."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from audit.configs import checked, read_toml
from audit.errors import InputError
from hae.config import Strict

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Age = Annotated[float, Field(ge=0, le=120)]
MOST = 5_000_000
N_SD = 5.0
"""Normal draws are cut off at so many standard deviations (that changes their SD by 1e-5)."""


class RenderSpec(Strict):
    """A cohort of drawn people; all its faces follow from this value alone.

    The drawn age d is what the face shows; the true age is d + o with one offset o ~ N(0,
    ``offset_sd``²) per person, so no model can know it better than ``noise_floor``. Given o, d is
    uniform on [max(``age_min``, -o), ``age_max``]: no true age is negative and none is clipped.

    ``photos``: per person. ``size``: side in pixels. ``group_share``: share of people in group B.
    The two groups are drawn alike but for what is planted in B: ``blur`` (SD of the Gaussian, in
    pixels of a 64-pixel image), ``noise`` (SD of added pixel noise, in grey levels of 255),
    ``label_noise`` (SD in years of an error of the label, one per person), and ``ageing`` (years by
    which the face is painted older than its drawn age; negative: younger).

    ``ambiguous``: share of photos, alike in both groups, that show a second expression beside the
    label's (see ``blends``).
    """

    people: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    photos: Annotated[int, Field(ge=1, le=1000)] = 3
    size: Annotated[int, Field(ge=16, le=512)] = 64
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    age_min: Age = 1.0
    age_max: Age = 90.0
    offset_sd: Amount = 4.0
    group_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    blur: Annotated[float, Field(ge=0, le=8)] = 0.0
    noise: Annotated[float, Field(ge=0, le=128)] = 0.0
    label_noise: Amount = 0.0
    ageing: Annotated[float, Field(ge=-60, le=60)] = 0.0
    ambiguous: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _possible(self) -> RenderSpec:
        if self.age_min >= self.age_max:
            raise ValueError(
                f"age_min is {self.age_min:g} and age_max {self.age_max:g}, must be min < max"
            )
        if self.people * self.photos > MOST:
            raise ValueError(
                f"people x photos is {self.people * self.photos:,}, must be at most {MOST:,}"
            )
        spread = math.hypot(self.offset_sd, self.label_noise)
        if N_SD * spread > self.age_max:
            raise ValueError(
                f"offset_sd and label_noise together have SD {spread:.3g}, must be at most "
                f"age_max / {N_SD:g} = {self.age_max / N_SD:.3g}, or true ages would be negative"
            )
        return self


def noise_floor(spec: RenderSpec, group: Literal["A", "B"] = "A") -> float:
    """MAE in years of the drawn age as an estimate of the label: E|o + e| = sqrt(2/π) SD.

    SD² = ``offset_sd``² in group A, plus ``label_noise``² in group B. It is the best a model can
    reach except near ``age_min``, where low labels are rarer than high ones and a little can be
    gained by answering above the drawn age.

    Examples
    --------
    >>> round(noise_floor(RenderSpec(offset_sd=4)), 2)
    3.19
    >>> round(noise_floor(RenderSpec(offset_sd=4, label_noise=3), "B"), 2)
    3.99
    """
    planted = spec.label_noise if group == "B" else 0.0
    return math.sqrt(2 / math.pi) * math.hypot(spec.offset_sd, planted)


def read_spec(text: str) -> RenderSpec:
    """Read what stands behind ``--data rendered:``.

    Parameters
    ----------
    text : str
        ``default``, a TOML file with the keys of ``RenderSpec``, or ``key=value`` with commas
        between, such as ``people=500,blur=1.5``.

    Raises
    ------
    InputError
        The text is none of the three, a key is unknown (the nearest known one is named), given
        twice, or its value breaks its rule.

    Examples
    --------
    >>> read_spec("people=500,blur=1.5").blur
    1.5
    """
    place = f"--data rendered:{text}"
    if text == "default":
        return RenderSpec()
    if "=" in text:
        return checked(RenderSpec, _pairs(text, place), place)
    path = Path(text).expanduser()
    if path.suffix != ".toml":
        raise InputError(f"{place}: must be 'default', a .toml file or key=value,key=value")
    return checked(RenderSpec, read_toml(path, "a render spec"), path.name)


def _pairs(text: str, place: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not key or not equals or not value:
            raise InputError(f"{place}: {part!r} must be key=value, as in people=500,blur=1.5")
        if key in found:
            raise InputError(f"{place}: the key {key!r} occurs twice; give it once")
        found[key] = value
    return found


def described(spec: RenderSpec) -> str:
    """What differs from the default, as the text that :func:`read_spec` reads.

    Examples
    --------
    >>> described(RenderSpec(people=500, blur=1.5))
    'people=500,blur=1.5'
    >>> described(RenderSpec())
    'default'
    """
    given = spec.model_dump(exclude_defaults=True)
    # all digits: :g would name another seed than 12345678
    texts = {key: repr(value).removesuffix(".0") for key, value in given.items()}
    return ",".join(f"{key}={text}" for key, text in texts.items()) or "default"
