"""What goes into an aggregator and what comes out, and sums that masked tokens do not enter."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from hae.heads.branch import full


@dataclass(frozen=True)
class Shape:
    """``dim`` d of the embeddings, ``views`` K of a face, ``region_dim`` c of a backbone's regions.

    An aggregator gets its regions projected to d; c counts where parameters are matched.
    """

    dim: int
    views: int
    region_dim: int


@dataclass(frozen=True, eq=False)
class Streams:
    """Embeddings of b faces.

    ``views`` (b, k, d). ``regions``: of the face (b, r, d), or of each view (b, k, r, d). Masks,
    bool, True where there is one: ``mask`` (b, k), ``region_mask`` as regions without d; None: all
    are there. ``maps`` asks for attention maps that cost a pass of their own.

    Raises
    ------
    ValueError
        A mask leaves a face without views, or regions to attend to.
    """

    views: Tensor
    regions: Tensor | None = None
    mask: Tensor | None = None
    region_mask: Tensor | None = None
    maps: bool = False

    def __post_init__(self) -> None:
        seen = self.region_mask
        if seen is not None and seen.ndim == 3 and self.mask is not None:
            seen = seen | ~self.mask[..., None]  # of absent views nobody asks
        for name, mask in (("view", self.mask), ("region", seen)):
            if mask is not None and not bool(mask.any(-1).all()):
                raise ValueError(f"masks: a face has no {name} left; leave such faces out")

    @property
    def seen_regions(self) -> Tensor:
        """The regions of an aggregator that asked for them."""
        if self.regions is None:
            raise ValueError("this aggregator needs regions, and was given none")
        return self.regions


@dataclass(frozen=True, eq=False)
class Policy:
    """Of the places that were drawn: log-probability and entropy summed over the steps, (b,)."""

    log_proba: Tensor
    entropy: Tensor


@dataclass(frozen=True, eq=False)
class Combined:
    """``embedding`` (b, g, d): g = 1, or k where every view gets an estimate of its own.

    ``maps``: attention by name, first dimension b, 0 where masked. ``penalties``: terms of the
    loss, weighted, by name. ``policy`` of hard attention.
    """

    embedding: Tensor
    maps: dict[str, Tensor] = field(default_factory=dict)
    penalties: dict[str, Tensor] = field(default_factory=dict)
    policy: Policy | None = None


def softmax(scores: Tensor, mask: Tensor | None, dim: int = -1) -> Tensor:
    """Softmax in float32 over what is there; exactly 0 elsewhere."""
    scores = full(scores)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(dim)


def weighted(weights: Tensor, values: Tensor) -> Tensor:
    """Sum_n w_n v_n, (..., n) and (..., n, d) -> (..., d)."""
    return (weights.to(values.dtype)[..., None, :] @ values).squeeze(-2)


def mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over what is there, (..., n, d) -> (..., d)."""
    if mask is None:
        return values.mean(-2)
    shares = mask.to(values.dtype)
    return weighted(shares / shares.sum(-1, keepdim=True), values)


def zero_filled(values: Tensor, mask: Tensor | None) -> Tensor:
    """The values, and 0 (not 0 times them, which could be NaN) where there is none."""
    return values if mask is None else values.masked_fill(~mask[..., None], 0.0)


def signed_root(x: Tensor) -> Tensor:
    """sign(x) sqrt(|x| + 1e-8), scaled to length 1; a plain root has no finite gradient at 0."""
    rooted = x.sign() * (x.abs() + 1e-8).sqrt()
    return torch.nn.functional.normalize(rooted, dim=-1)
