"""Bytes of a face -> a network's input, and its raw output -> ages and probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from audit.errors import InputError
from hae.adapters.predictor import Outputs
from hae.adapters.spec import AgeOutput, ClassOutput, InputSpec, ModelSpec

Floats = npt.NDArray[np.floating[Any]]
SUM_TOLERANCE = 1e-3


def pixel_values(spec: InputSpec) -> npt.NDArray[np.float32]:
    """What the network sees for each byte: table of shape (256, 3), channels in its own order.

    Examples
    --------
    >>> spec = InputSpec(size=(8, 8), range=(0, 255), mean=(127.5,) * 3, std=(127.5,) * 3)
    >>> pixel_values(spec)[[0, 255], 0].tolist()
    [-1.0, 1.0]
    """
    low, high = spec.range
    scale = low + np.arange(256)[:, None] / 255 * (high - low)  # (256, 1)
    return np.asarray((scale - np.asarray(spec.mean)) / np.asarray(spec.std), dtype=np.float32)


def prepare(
    faces: npt.NDArray[np.uint8], spec: InputSpec, values: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Bytes (b, h, w, 3) RGB -> the network's float32 input in its layout and colour order."""
    ordered = faces[..., ::-1] if spec.colour == "BGR" else faces
    x = values[ordered, np.arange(3)]  # (b, h, w, 3)
    return x.transpose(0, 3, 1, 2) if spec.layout == "NCHW" else x


def numbers_per_face(part: object) -> tuple[int, str] | None:
    """How many numbers a face an output must have, and the key of the spec that says so."""
    if isinstance(part, AgeOutput):
        return (1, "value") if part.value else (len(part.centres), "centres")
    return (len(part.classes), "classes") if isinstance(part, ClassOutput) else None


def decode(raw: Mapping[str, Floats], spec: ModelSpec, names: Mapping[str, str]) -> Outputs:
    """Turn what the network gave into what a predictor gives.

    Parameters
    ----------
    raw : mapping
        Kind of output (``age``, ``expression``, ``embedding``) -> its values (b, ...).
    spec : ModelSpec
        What the values mean.
    names : mapping
        Kind -> the output's name in the network, for messages.

    Raises
    ------
    InputError
        A shape that the spec does not name, or probabilities that are none.
    """
    decoded: Outputs = {}
    age, expression = spec.outputs.age, spec.outputs.expression
    if age is not None:
        place = f"{spec.name}: output {names['age']!r}"
        if age.value:
            decoded["age"] = age.scale * _single(raw["age"], place) + age.offset
        else:
            p = _probabilities(raw["age"], age, "age", place)
            mean, std = expectation(p, np.asarray(age.centres))
            decoded |= {"age": mean, "age_std": std, "age_proba": p}
    if expression is not None:
        place = f"{spec.name}: output {names['expression']!r}"
        decoded["proba"] = _probabilities(raw["expression"], expression, "expression", place)
    if "embedding" in raw:
        decoded["embedding"] = raw["embedding"].reshape(len(raw["embedding"]), -1)
    return decoded


def _single(raw: Floats, place: str) -> Floats:
    if raw.ndim not in (1, 2) or raw.shape[1:] not in ((), (1,)):
        raise InputError(
            f"{place} has the shape {list(raw.shape)}, but [outputs.age] says value = true: one "
            "number a face; give centres if it is a distribution"
        )
    return raw.reshape(len(raw)).astype(np.float64)


def _probabilities(raw: Floats, part: AgeOutput | ClassOutput, kind: str, place: str) -> Floats:
    n, key = numbers_per_face(part) or (0, "")
    if raw.ndim != 2 or raw.shape[1] != n:
        raise InputError(
            f"{place} has the shape {list(raw.shape)}, but [outputs.{kind}] names {n} {key}"
        )
    p: Floats = raw.astype(np.float64)
    if part.softmax:
        with np.errstate(invalid="ignore"):  # a face with infinite logits becomes NaN: failed
            p = np.exp(p - p.max(axis=1, keepdims=True))
    total: Floats = p.sum(axis=1, keepdims=True)
    wrong = (np.abs(total[:, 0] - 1) > SUM_TOLERANCE) | (p < -SUM_TOLERANCE).any(axis=1)
    if not part.softmax and wrong.any():
        raise InputError(
            f"{place}: probabilities of a face sum to {total[wrong][0, 0]:.3g}, must be 1; "
            f"if these are logits, set softmax = true under [outputs.{kind}]"
        )
    p /= total
    return p


def expectation(p: Floats, centres: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation of probabilities p (b, k) over centres (k,), in years.

    Examples
    --------
    >>> mean, std = expectation(np.array([[0.5, 0.5]]), np.array([20.0, 30.0]))
    >>> mean.tolist(), std.tolist()
    ([25.0], [5.0])
    """
    mean = (p * centres).sum(axis=1)
    variance = (p * (centres - mean[:, None]) ** 2).sum(axis=1)
    return mean, np.sqrt(variance)
