"""One view -> features: any network of timm, and small ones for small faces."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from functools import partial
from typing import Any

import timm
import torch
from timm.models import get_pretrained_cfg
from torch import Tensor, nn
from torch.nn import functional

from audit.errors import InputError
from hae.backbones.attended import Attended, Judge, gates
from hae.backbones.bcnn import BilinearPooling
from hae.backbones.dasnet import DasNet
from hae.backbones.glimpse import Deep, Recurrent
from hae.backbones.hourglass import Hourglass
from hae.backbones.last_map import prefix_tokens, to_map
from hae.backbones.racnn import RecurrentAttention
from hae.backbones.ram import Glimpses
from hae.backbones.small import OWN
from hae.backbones.state import read_state
from hae.backbones.stn import SpatialTransformer
from hae.backbones.tnet import TNet
from hae.backbones.two_level import TwoLevel
from hae.config import AROUND, BackboneConfig
from hae.zoo import model_path


class Backbone(nn.Module):
    """Features of images, (n, 3, h, w) -> (n, ``out_dim``), with first weights drawn at random.

    Parameters
    ----------
    name : str or BackboneConfig
        A name that timm knows, or one of ``OWN``; or a config of these or of a family that works
        around one.
    size : int
        Side of the input in pixels, for networks that are built for one size (transformers).
    frozen : bool
        Never trained: no gradients, and evaluation mode (running BatchNorm statistics, no
        dropout) whatever the mode of the model around it.

    Raises
    ------
    InputError
        No network has this name; near names are told. Or the input is too small for its grid.
    """

    def __init__(
        self, name: str | BackboneConfig, *, size: int = 224, frozen: bool = False
    ) -> None:
        super().__init__()
        settings = BackboneConfig(name=name) if isinstance(name, str) else name
        self.name = settings.label
        self.frozen = frozen = frozen or settings.frozen
        # convolutions are about twice as fast in this format, on a GPU and on a CPU
        self.network = _create(settings, size).to(memory_format=torch.channels_last)
        # num_features is the width before the head's own hidden layer: 512 for VGG16, which
        # gives 4096.
        width = getattr(self.network, "head_hidden_size", None) or self.network.num_features
        self.out_dim = int(width)  # type: ignore[arg-type]
        width = getattr(self.network, "region_dim", None) or self.network.num_features
        self.region_dim = int(width)  # type: ignore[arg-type]
        if frozen:
            self.network.requires_grad_(requires_grad=False).eval()

    def train(self, mode: bool = True) -> Backbone:  # noqa: FBT001, FBT002
        """Set training mode, which a frozen network never enters."""
        super().train(mode and not self.frozen)
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Features of (n, 3, h, w), shape (n, out_dim)."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features: Tensor = self.network(images)
        return features

    def with_regions(self, images: Tensor, cells: int = 7) -> tuple[Tensor, Tensor]:
        """The same features, and the places of the last map or the tokens they come from.

        ``compile`` does not reach this pass.

        Parameters
        ----------
        images : Tensor
            (n, 3, h, w).
        cells : int
            Places are pooled to at most that many by side, where they form a square or a map.

        Returns
        -------
        features : Tensor
            (n, ``out_dim``).
        regions : Tensor
            (n, r, ``region_dim``), row by row from the top left; class tokens are none.

        Raises
        ------
        InputError
            The network has neither one map nor one sequence of tokens.
        """
        if hasattr(self.network, "attend"):
            found = self.attend(images, cells)
            if found.regions is None:
                raise self._no_regions()
            return found.features, found.regions
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            last = self.network.forward_features(images)  # type: ignore[operator]
            if not isinstance(last, Tensor) or last.ndim not in (3, 4):
                raise self._no_regions()
            features: Tensor = self.network.forward_head(last)  # type: ignore[operator]
            regions = _regions(self.network, last, cells)
            if regions.shape[-1] != self.region_dim:
                raise self._no_regions()
        return features, regions

    def n_regions(self, size: int, cells: int = 7) -> int:
        """How many regions an image of a size has, by a look at a grey one.

        Raises
        ------
        InputError
            The network has neither one map nor one sequence of tokens.
        """
        if not (hasattr(self.network, "forward_head") or hasattr(self.network, "attend")):
            raise self._no_regions()
        modes = {module: module.training for module in self.network.modules()}
        self.network.eval()
        with torch.no_grad():
            grey = next(self.parameters()).new_zeros(1, 3, size, size)
            regions = self.with_regions(grey, cells)[1]
        for module, mode in modes.items():
            module.training = mode
        return regions.shape[1]

    @property
    def learns_where(self) -> bool:
        """Whether its training asks for :meth:`losses`."""
        return bool(getattr(self.network, "learns_where", False)) and not self.frozen

    def attend(self, images: Tensor, cells: int = 7) -> Attended:
        """The same features and regions, and what was looked at.

        Of networks that do not choose where to look the gates are given, if there are any, and no
        regions where they have none. ``compile`` does not reach this pass.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            if hasattr(self.network, "attend"):
                found: Attended = self.network.attend(images, cells)  # type: ignore[operator]
                return found
            with gates(self.network) as maps:
                try:
                    features, regions = self.with_regions(images, cells)
                except (InputError, AttributeError):
                    return Attended(self(images), maps=maps)
            return Attended(features, regions, maps)

    def losses(self, attended: Attended, judge: Judge) -> dict[str, Tensor]:
        """Weighted terms of the loss that looking has, by name; aggregators have such names too."""
        terms = {name: value.mean() for name, value in attended.penalties.items()}
        own: dict[str, Tensor] = self.network.losses(attended, judge)  # type: ignore[operator]
        return {f"backbone_{name}": value for name, value in (terms | own).items()}

    def part_of(self, init: str) -> nn.Module:
        """The part that first weights are of: the network inside, unless a file holds the whole."""
        inner = getattr(self.network, "inner", None)
        if not isinstance(inner, Backbone):
            return self.network
        path = model_path(init)
        whole = path.is_file() and any(key.startswith("inner.") for key in read_state(path))
        return self.network if whole else inner.network

    def _no_regions(self) -> InputError:
        return InputError(
            f"backbone {self.name!r}: gives no regions (its last layer is neither one map nor one "
            "sequence of tokens); take another backbone, or an aggregator of views alone"
        )


def _regions(network: nn.Module, last: Tensor, cells: int) -> Tensor:
    """(n, r, c) of what timm's ``forward_features`` gives: a map in either layout, or tokens."""
    places = to_map(network, last)
    if places is None:
        return last[:, prefix_tokens(network, last) :]
    last = places
    h, w = min(cells, last.shape[2]), min(cells, last.shape[3])
    if (h, w) != last.shape[2:]:
        last = functional.adaptive_avg_pool2d(last, (h, w))
    return last.flatten(2).transpose(1, 2)


def _create(settings: BackboneConfig, size: int) -> nn.Module:
    check_known(settings)
    name = settings.of or settings.name
    if settings.name in FAMILIES:
        inner = Backbone(name, size=settings.inner_size(size))
        return FAMILIES[settings.name](inner, settings, size)
    if settings.name in ALONE:
        return ALONE[settings.name](settings, size)
    if settings.name == "cbam":
        return _cbam(name)
    if name in OWN:
        return OWN[name](size)
    try:
        known = get_pretrained_cfg(name)
    except RuntimeError as error:  # a tag of weights that the network does not have
        raise InputError(f"backbone {name!r}: {error} Leave out what follows the dot") from error
    options: dict[str, Any] = {"img_size": size} if known and known.fixed_input_size else {}
    return timm.create_model(name, pretrained=False, num_classes=0, **options)


FAMILIES: dict[str, Callable[[Backbone, BackboneConfig, int], nn.Module]] = {
    "bcnn": BilinearPooling,
    "dasnet": DasNet,
    "racnn": RecurrentAttention,
    "stn": SpatialTransformer,
    "tnet": TNet,
    "two_level": TwoLevel,
}
"""What works around a network, from that, the config and the side of the input."""
ALONE: dict[str, Callable[[BackboneConfig, int], nn.Module]] = {
    "dram": partial(Glimpses, Deep),
    "hourglass": Hourglass,
    "ram": partial(Glimpses, Recurrent),
}
"""What attends and works around no network, from the config and the side of the input."""


def _cbam(name: str) -> nn.Module:
    """A ResNet of timm with channel and spatial gates; timm has no name for it."""
    try:
        return timm.create_model(
            name, pretrained=False, num_classes=0, block_args={"attn_layer": "cbam"}
        )
    except TypeError:
        raise InputError(
            f"backbone 'cbam': {name!r} takes no gates; it is for timm's ResNets, such as "
            "of = 'resnet18'"
        ) from None


def check_known(settings: BackboneConfig) -> None:
    """Refuse a name of no network, with the nearest ones.

    Raises
    ------
    InputError
        Neither this package nor timm has such a network.
    """
    name = settings.of or settings.name
    alone = ALONE if settings.of is None else ()
    if name not in OWN and name not in alone and not timm.is_model(name):
        raise InputError(
            f"backbone {name!r}: timm has no such network; {_near(name)}; of this package are "
            f"{', '.join(sorted([*OWN, *ALONE]))}, and around a network (of) {', '.join(AROUND)}"
        )


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, [*OWN, *ALONE, *AROUND, *timm.list_models()], n=4)
    return f"near names: {', '.join(near)}" if near else "timm.list_models() lists them"
