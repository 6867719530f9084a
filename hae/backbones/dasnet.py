"""dasNet, deep attention selective networks (Stollenga, Masci, Gomez & Schmidhuber, NIPS 2014).

arXiv 1407.3068. Written from the formulas. It differs from the paper in that
- any trained network of timm that shows its maps stands inside, where the paper has Maxout's;
- the gains are told through 64 numbers, not by one matrix of all maps by all maps, and are scaled
  layer by layer;
- the last features stand in the observation where the paper has the class probabilities;
- ``optim = "backprop"`` learns the gains by gradient with the rest; it is another method, and
  grids call it ``dasnet-backprop``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import InputError
from hae.backbones.attended import Attended, Judge
from hae.config import BackboneConfig
from hae.heads.branch import full

if TYPE_CHECKING:
    from hae.backbones.network import Backbone

WIDTH = 64


class Policy(nn.Module):
    """s = sigmoid(W2 tanh(W1 o + b1) + b2), gains g = s / (mean of s over the layer's maps).

    o is the observation, scaled to mean 0 and variance 1. At birth W2 and b2 are 0 and all gains
    exactly 1.
    """

    def __init__(self, observed: int, width: int, maps: tuple[int, ...]) -> None:
        super().__init__()
        self.maps = maps
        self.inner, self.outer = nn.Linear(observed, width), nn.Linear(width, sum(maps))
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, observation: Tensor) -> tuple[Tensor, ...]:
        """(n, o) -> (n, c) for each layer, float32."""
        with torch.autocast(observation.device.type, enabled=False):
            seen = functional.layer_norm(full(observation), observation.shape[1:])
            shares = self.outer(torch.tanh(self.inner(seen))).sigmoid()
        return tuple(s / s.mean(dim=1, keepdim=True) for s in shares.split(self.maps, dim=1))


class DasNet(nn.Module):
    """A frozen network that looks several times, each time with other gains on its maps.

    The first pass is the network's own. After each the policy is told the mean activation of every
    map and the features, and says the gains that multiply the maps in the next. The weights inside
    never change, in training neither.

    Parameters
    ----------
    inner : Backbone
        A trained network; the gains are of the maps that it shows in ``feature_info``.
    settings : BackboneConfig
        ``passes``, ``width``, and how the policy is learned: ``optim``.
    size : int
        Side of the input.

    Raises
    ------
    InputError
        The network shows no maps, or takes no images of this size.
    """

    learns_where = False

    def __init__(self, inner: Backbone, settings: BackboneConfig, size: int) -> None:
        super().__init__()
        self.inner, self.passes = inner, settings.passes
        self.inner.requires_grad_(requires_grad=False).eval()
        self.layers = _layers(inner, settings, size)
        self.num_features, self.region_dim = inner.out_dim, inner.region_dim
        maps = tuple(self.layers.values())
        self.policy = Policy(sum(maps) + inner.out_dim, settings.width or WIDTH, maps)
        self.evolves = settings.optim == "snes"
        self.policy.requires_grad_(not self.evolves)

    def train(self, mode: bool = True) -> DasNet:  # noqa: FBT001, FBT002
        """Set training mode, which the network inside never enters."""
        super().train(mode)
        self.inner.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, d)."""
        return self.attend(images).features

    def attend(self, images: Tensor, cells: int = 7) -> Attended:
        """Regions and gates are those of the last pass; maps ``gains.LAYER`` (n, c) too."""
        gains: dict[str, Tensor] = {}
        for _ in range(self.passes - 1):
            with self._gained(gains) as means:
                features = self.inner(images)
            said = self.policy(torch.cat([*means.values(), features], dim=1))
            gains = dict(zip(self.layers, said, strict=True))
        with self._gained(gains):
            found = self.inner.attend(images, cells)
        told = {f"gains.{name}": gain for name, gain in gains.items()}
        return Attended(found.features, found.regions, {**found.maps, **told})

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """None."""
        return {}

    @contextmanager
    def _gained(self, gains: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
        """Multiply the maps in the block; their means (n, c), by layer."""
        means: dict[str, Tensor] = {}

        def gained(name: str) -> Any:
            def hook(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
                if name in gains:
                    output = output * gains[name].to(output.dtype)[..., None, None]
                means[name] = full(output).mean(dim=(2, 3))
                return output

            return hook

        network = self.inner.network
        hooks = [network.get_submodule(n).register_forward_hook(gained(n)) for n in self.layers]
        try:
            yield means
        finally:
            for hook in hooks:
                hook.remove()


def _layers(inner: Backbone, settings: BackboneConfig, size: int) -> dict[str, int]:
    """The layers that show maps, and how many."""
    network: Any = inner.network
    place, found = f"backbone {settings.label!r}", {}
    modules = dict(network.named_modules())
    names = [info.get("module", "") for info in getattr(network, "feature_info", None) or ()]

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            flat = getattr(network, "output_fmt", "NCHW") == "NCHW"
            if isinstance(output, Tensor) and output.ndim == 4 and flat:
                found[name] = output.shape[1]

        return hook

    hooks = [modules[n].register_forward_hook(keep(n)) for n in names if n in modules]
    try:
        with torch.no_grad():
            inner(next(inner.parameters()).new_zeros(1, 3, size, size))
    except RuntimeError as error:
        raise InputError(
            f"{place}: {settings.of!r} takes no images of {size} px ({error}); raise model.size"
        ) from None
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise InputError(f"{place}: {settings.of!r} shows no maps between; take a ResNet")
    return found
