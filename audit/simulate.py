"""Simulated cohorts with known truth: the embedded example, and the worlds of the coverage tests.

Nothing here describes real people, and every record made from it says so.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PERSON_SD, PHOTO_SD = 4.0, 3.0
"""Years: error = 4 person + 3 photo, so a design effect of about 2.5 in |e| at 5 photos."""

PLANTED_BIAS = {"dark": -3.0}
PLANTED_NOISE = {"woman": 1.15, "man": 1.0}
_TONES, _TONE_SHARE = ("light", "medium", "dark"), (0.55, 0.30, 0.15)


def person_errors(
    n_persons: int, photos: IntArray, rng: np.random.Generator, *, heavy: bool = False
) -> tuple[FloatArray, IntArray]:
    """Errors in years of several photos per person, and the person of every photo.

    e = 4 u_person + 3 v_photo with u and v standard normal, or Student t with 5 degrees of freedom.
    """
    person = np.repeat(np.arange(n_persons), photos)
    draw = (lambda size: rng.standard_t(5, size)) if heavy else rng.standard_normal
    return PERSON_SD * draw(n_persons)[person] + PHOTO_SD * draw(len(person)), person


def person_hits(
    n_persons: int, photos: IntArray, rng: np.random.Generator, *, accuracy: float, icc: float
) -> tuple[npt.NDArray[np.bool_], IntArray]:
    """Beta-binomial successes: photos of one person are correlated by ``icc``."""
    person = np.repeat(np.arange(n_persons), photos)
    size = 1 / icc - 1
    p = rng.beta(accuracy * size, (1 - accuracy) * size, n_persons)
    return rng.random(len(person)) < p[person], person


def zipf_photos(n_persons: int, rng: np.random.Generator, top: int = 200) -> IntArray:
    """Very unequal numbers of photos per person, Zipf(1.5) up to ``top``."""
    return np.minimum(rng.zipf(1.5, n_persons), top).astype(np.int64)


def example_cohort(seed: int = 0, n_persons: int = 1500) -> pd.DataFrame:
    """The embedded example: a simulated table of age predictions with planted gaps.

    Every person has an age (uniform 1 to 85), a ``gender`` (woman, man), a ``skin_tone`` (light
    55 %, medium 30 %, dark 15 %) and 1 to 6 photos. The signed error of a photo in years is

        s_gender (4 u_person + 3 v_photo) + b_tone - 0.12 (age - 40)

    with u and v standard normal, s = 1.15 for women and 1 for men, and b = -3 for dark skin: dark
    faces are under-estimated, women's errors are 15 % wider, and the last term is the usual pull to
    the mean. 1 % of the photos of light and 4 % of dark skin are not processed.
    """
    rng = np.random.default_rng(seed)
    photos = rng.integers(1, 7, n_persons)
    error, person = person_errors(n_persons, photos, rng)
    age = rng.uniform(1, 85, n_persons)[person] + rng.uniform(0, 1.5, len(person))
    gender = rng.choice(np.array(["woman", "man"]), n_persons)[person]
    tone = rng.choice(np.array(_TONES), n_persons, p=_TONE_SHARE)[person]
    scale = np.vectorize(PLANTED_NOISE.get)(gender)
    shift = np.where(tone == "dark", PLANTED_BIAS["dark"], 0.0)
    estimate = np.maximum(age + scale * error + shift - 0.12 * (age - 40), 0.0)
    failed = rng.random(len(person)) < np.where(tone == "dark", 0.04, 0.01)
    number = np.arange(len(person))
    return pd.DataFrame(
        {
            "sample_id": [f"face-{i:05d}" for i in number],
            "subject_id": [f"person-{i:04d}" for i in person],
            "age": age.round(2),
            "age_pred": np.where(failed, np.nan, estimate.round(2)),
            "gender": gender,
            "skin_tone": tone,
        }
    )
