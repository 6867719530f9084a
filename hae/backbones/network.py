"""One view -> features: any network of timm, and a small one for small faces."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

import timm
import torch
from timm.models import get_pretrained_cfg
from timm.models.resnet import BasicBlock, ResNet
from torch import Tensor, nn

from audit.errors import InputError


def small_resnet() -> nn.Module:
    """A ResNet of 0.5 M parameters whose stride is 16: 64 px leave 4x4 cells before pooling.

    Eight 3x3 convolutions in four stages of 32, 64, 96 and 128 channels; no max-pool in the stem.
    """
    network = ResNet(
        BasicBlock,  # type: ignore[arg-type]  # timm asks for an instance and means the class
        layers=(1, 1, 1, 1),
        channels=(32, 64, 96, 128),
        num_classes=0,
        stem_type="deep",
        stem_width=16,
    )
    network.maxpool = nn.Sequential()
    return network


OWN: dict[str, Callable[[], nn.Module]] = {"small_resnet": small_resnet}
"""Networks that timm does not list."""


class Backbone(nn.Module):
    """Features of images, (n, 3, h, w) -> (n, ``out_dim``), with first weights drawn at random.

    Parameters
    ----------
    name : str
        A name that timm knows, or one of ``OWN``.
    size : int
        Side of the input in pixels, for networks that are built for one size (transformers).
    frozen : bool
        Never trained: no gradients, and evaluation mode (running BatchNorm statistics, no
        dropout) whatever the mode of the model around it.

    Raises
    ------
    InputError
        No network has this name; near names are told.
    """

    def __init__(self, name: str, *, size: int = 224, frozen: bool = False) -> None:
        super().__init__()
        self.name = name
        self.frozen = frozen
        # convolutions are about twice as fast in this format, on a GPU and on a CPU
        self.network = _create(name, size).to(memory_format=torch.channels_last)
        # num_features is the width before the head's own hidden layer: 512 for VGG16, which
        # gives 4096.
        width = getattr(self.network, "head_hidden_size", None) or self.network.num_features
        self.out_dim = int(width)  # type: ignore[arg-type]
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


def _create(name: str, size: int) -> nn.Module:
    if name in OWN:
        return OWN[name]()
    if not timm.is_model(name):
        raise InputError(f"backbone {name!r}: timm has no such network; {_near(name)}")
    try:
        known = get_pretrained_cfg(name)
    except RuntimeError as error:  # a tag of weights that the network does not have
        raise InputError(f"backbone {name!r}: {error} Leave out what follows the dot") from error
    options: dict[str, Any] = {"img_size": size} if known and known.fixed_input_size else {}
    return timm.create_model(name, pretrained=False, num_classes=0, **options)


def _near(name: str) -> str:
    near = difflib.get_close_matches(name, [*OWN, *timm.list_models()], n=4)
    return f"near names: {', '.join(near)}" if near else "timm.list_models() lists them"
