"""Photos that show two expressions at once, so that their label is hard to tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from audit.hashing import FloatArray

Codes = npt.NDArray[np.int64]

LEAST = 0.5
"""The smallest weight of the label's expression in a blend."""


def blends(
    draw: Callable[[str], FloatArray], shown: Codes, names: Sequence[str], share: float
) -> dict[str, npt.NDArray[np.generic]]:
    """Which photos show a second expression, which one, and how much of it.

    A blend moves the face by w m(first) + (1 - w) m(second), where m are an expression's movements;
    ``second`` is uniform over the other expressions and w uniform in [0.5, 0.75), so the label's
    share of the movements is never the smaller one. A photo that is blended at one share is blended
    in the same way at every larger one, and no other property of a photo depends on it.

    Parameters
    ----------
    draw : callable
        Uniform numbers in [0, 1) of the photos, (n,), by name.
    shown : (n,) int64
        The label's expression, an index into ``names``.
    names : sequence of str
        All expressions.
    share : float
        Expected share of blended photos, in [0, 1].

    Returns
    -------
    dict
        ``ambiguity`` (0 for a plain photo, else 2 (1 - w), in (0.5, 1]), ``second_expression``
        (text, None for a plain photo) and ``second_code`` (int64; the label's own for a plain one).
    """
    blended = draw("ambiguous") < share
    step = 1 + (draw("second expression") * (len(names) - 1)).astype(np.int64)
    second = (shown + step) % len(names)
    weight = LEAST + 0.25 * draw("expression weight")
    texts = np.array([*names, None], dtype=object)
    return {
        "ambiguity": np.where(blended, 2 * (1 - weight), 0.0),
        "second_expression": texts[np.where(blended, second, len(names))],
        "second_code": np.where(blended, second, shown),
    }
