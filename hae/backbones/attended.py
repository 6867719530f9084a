"""What a network looked at, what its looking costs in training, and the gates inside networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Attended:
    """Of n images.

    ``features`` (n, ``out_dim``). ``regions`` (n, r, ``region_dim``): places, crops or parts; None
    where there are none. ``maps``: gates, weights and maps by name, first dimension n; square
    ones, (n, h, h) or (n, c, h, h), of what gives no boxes lie over the whole image. ``boxes``
    (n, p, 4): what was looked at, as x0, y0, x1, y1 in shares of the image; parts of padding lie
    outside [0, 1]. ``penalties``: weighted terms of the loss that need no target, (n,) by name.
    ``parts`` (n, p, ``out_dim``): features that have a loss of their own. ``logs`` (n, m):
    log-probabilities of the draws, each given those before. ``values`` (n, m): rewards that the
    network expects at them, for those that learn this. ``steer``: from the gradient of a loss at
    the parts (m, p, ``out_dim``) of the first m images to a number () with the gradient of that
    loss for what chose the places, and for nothing else.
    """

    features: Tensor
    regions: Tensor | None = None
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    boxes: Tensor | None = None
    penalties: Mapping[str, Tensor] = field(default_factory=dict)
    parts: Tensor | None = None
    logs: Tensor | None = None
    values: Tensor | None = None
    steer: Callable[[Tensor], Tensor] | None = None

    def first(self, n: int) -> Attended:
        """Of the first n images."""
        return Attended(**{f.name: _first(getattr(self, f.name), n) for f in fields(self)})


def _first(value: Any, n: int) -> Any:
    if isinstance(value, Mapping):
        return {name: tensor[:n] for name, tensor in value.items()}
    return value[:n] if isinstance(value, Tensor) else value


@dataclass(frozen=True, eq=False)
class Judged:
    """``loss`` (): mean over the features. ``score`` (n, p): in [0, 1], 1 for a right answer.

    ``error`` (n, p): 0 for a right answer; of an age |error| / 5 years, of an expression 1 - p.
    """

    loss: Tensor
    score: Tensor
    error: Tensor


Judge = Callable[[Tensor], Judged]
"""Features (n, p, ``out_dim``) of n images with known targets -> how good each is alone."""


class Looking(Protocol):
    """A family of networks of this package that chooses where to look.

    ``learns_where``: its training asks for losses beyond that of the answer.
    One that has ``prepare(batches)`` as well is shown plain training faces (n, 3, h, w) when a run
    begins.
    """

    num_features: int
    region_dim: int
    learns_where: bool

    def attend(self, images: Tensor, cells: int = 7) -> Attended:
        """Features of (n, 3, h, w), and what they come from."""
        ...

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """Weighted terms of the loss that depend on the targets, by name."""
        ...


PLACES = "conv_attn"
GATES = ("gate", "rsoftmax", PLACES)
"""What timm and this package call the modules that give a gate, or scores of places."""


@contextmanager
def gates(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Collect the gates of all passes in the block, by module; nothing is hooked outside of it.

    SE and ECA give (n, c); CBAM (n, c) and (n, h, w); GC (n, h, w), weights of the places; SK (n,
    branches, c); ResNeSt (n, splits x c); residual attention (n, c, h, w). Of several passes the
    last stays.
    """
    found: dict[str, Tensor] = {}
    hooks = [
        module.register_forward_hook(_keeper(found, name))
        for name, module in network.named_modules()
        if name.rpartition(".")[2] in GATES or type(module).__name__ == "SelectiveKernelAttn"
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _keeper(found: dict[str, Tensor], name: str) -> Callable[..., None]:
    def keep(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and name.endswith(PLACES):
            output = output.flatten(1).softmax(-1).view_as(output)
        if isinstance(output, Tensor):
            found[name] = _plain(output)

    return keep


def _plain(gate: Tensor) -> Tensor:
    """Without dimensions of 1 behind the channels or in their place."""
    while gate.ndim > 2 and gate.shape[-1] == 1:
        gate = gate.squeeze(-1)
    return gate.squeeze(1) if gate.ndim > 2 else gate
