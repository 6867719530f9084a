"""What RAM and DRAM make of a glimpse, and the states that it moves; see ``ram.py``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from hae.backbones.places import resized
from hae.backbones.stn import crops, upright
from hae.heads.branch import full

State = tuple[Tensor, ...]


class Recurrent(nn.Module):
    """RAM: glimpse relu(W3 relu(W1 x) + W4 relu(W2 l)) of 256, state h = relu(W g + V h) of 256."""

    width = 256

    def __init__(self, side: int, patches: int) -> None:
        super().__init__()
        self.what = nn.Sequential(
            nn.Flatten(), nn.Linear(3 * patches * side**2, 128), nn.ReLU(), nn.Linear(128, 256)
        )
        self.where = nn.Sequential(nn.Linear(2, 128), nn.ReLU(), nn.Linear(128, 256))
        self.step = nn.RNNCell(256, 256, nonlinearity="relu")

    def first(self, images: Tensor) -> State:
        """The state before the first glimpse."""
        return (torch.zeros(len(images), 256, device=images.device),)

    def glimpse(self, patches: Tensor, place: Tensor) -> Tensor:
        """(n, 3k, g, g), (n, 2) -> (n, 256)."""
        return full(functional.relu(self.what(patches) + self.where(place)))

    def forward(self, glimpse: Tensor, state: State) -> State:
        """The next state."""
        return (self.step(glimpse, state[0]),)

    def looker(self, state: State) -> Tensor:
        """What the next location is told from; the state learns nothing from it."""
        return state[0].detach()


class Deep(nn.Module):
    """DRAM: glimpse = convolutions of x times a layer of l, of 512; two LSTMs of 512.

    The first LSTM sees the glimpses and tells the answer; the second begins at the context, a
    coarse look at the whole image, sees the first, and tells the locations.
    """

    width = 512

    def __init__(self, side: int, patches: int) -> None:
        super().__init__()
        self.side = side
        self.what, self.context = _convolutions(3 * patches), _convolutions(3)
        self.where = nn.Sequential(nn.Linear(2, 512), nn.ReLU())
        self.answer, self.location = nn.LSTMCell(512, 512), nn.LSTMCell(512, 512)

    def first(self, images: Tensor) -> State:
        """The states before the first glimpse."""
        begin = full(self.context(resized(images, self.side)))
        none = torch.zeros_like(begin)
        return none, none, begin, none

    def glimpse(self, patches: Tensor, place: Tensor) -> Tensor:
        """(n, 3k, g, g), (n, 2) -> (n, 512)."""
        return full(self.what(patches)) * full(self.where(place))

    def forward(self, glimpse: Tensor, state: State) -> State:
        """The next states: of the answer (h, c), of the locations (h, c)."""
        answer = self.answer(glimpse, state[:2])
        return *answer, *self.location(answer[0].detach(), state[2:])

    def looker(self, state: State) -> Tensor:
        """What the next location is told from."""
        return state[2]


def _convolutions(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, 1, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
        nn.Linear(1024, 512), nn.ReLU(),
    )  # fmt: skip


def retina(levels: list[Tensor], place: Tensor, side: int, reach: float) -> Tensor:
    """Patches about places (n, 2) of an image at sizes s, s/2, s/4 ..., (n, 3k, side, side).

    ``reach``: share of the image's side that the finest shows.
    """
    found = [
        crops(level, upright(about(place, reach * 2**i)), side) for i, level in enumerate(levels)
    ]
    return torch.cat(found, dim=1)


def about(place: Tensor, share: float) -> Tensor:
    """The boxes (n, 4) of a share of the side about places (n, 2) in [-1, 1]^2."""
    return (torch.cat([place - share, place + share], dim=1) + 1) / 2
