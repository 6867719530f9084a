"""Our own checkpoints, ready to predict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax

from audit.errors import InputError
from audit.tables import file_hash
from hae.adapters.predictor import Outputs
from hae.adapters.trained import Trained
from hae.checkpoint import Checkpoint, read_checkpoint
from hae.heads.distribution import distribution, spread
from hae.heads.masses import class_masses
from hae.inference import estimate_faces, score_faces
from hae.models.age import AgeModel
from hae.models.expression import ExpressionModel
from hae.views import ViewParams

VIEW_STD, STD_RAW = "age_view_std", "age_std_raw"
IMPORTANCE, RAW_LOGIT = "importance", "raw_logit_"
Module = TypeVar("Module", bound=torch.nn.Module)


@dataclass(frozen=True, eq=False)
class AgePredictor(Trained):
    """An age model from a checkpoint; fulfils :class:`hae.adapters.predictor.Predictor`.

    Beside the protocol's values it gives, in years, ``age_view_std``: the SD over the K fixed views
    of the estimate from each alone, and ``age_std_raw``: the SD of the predictive distribution
    before its temperature.
    """

    model: AgeModel
    views: ViewParams

    @property
    def centres(self) -> tuple[float, ...]:
        """Centres of the bins in years; empty for a plain regression."""
        head = self.header.config.model.head
        return () if head.name == "regression" else head.centres

    @property
    def classes(self) -> tuple[str, ...]:
        """None: it knows no expressions."""
        return ()

    @property
    def extras(self) -> tuple[str, ...]:
        """Further columns, in years."""
        return (STD_RAW, VIEW_STD) if self.centres else (VIEW_STD,)

    def predict(self, batch: npt.NDArray[np.uint8]) -> Outputs:
        """Run the network on RGB faces (b, height, width, 3); see the protocol."""
        found = estimate_faces(
            self.model, lambda rows: batch[rows], len(batch), self.views, self.device
        )
        outputs: Outputs = {"age": found.age, VIEW_STD: found.view_std}
        if found.logits is None:
            return outputs
        head, logits = self.model.config.head, torch.from_numpy(found.logits).double()
        raw, scaled = (
            class_masses(logits, t, head).mean(dim=1) for t in (1.0, self.header.temperature)
        )
        age = torch.from_numpy(found.age).double()
        return outputs | {
            "age_std": spread(scaled, head).numpy(),
            STD_RAW: spread(raw, head).numpy(),
            "age_proba": distribution(scaled, age, head).numpy(),
        }


@dataclass(frozen=True, eq=False)
class ExpressionPredictor(Trained):
    """An expression model from a checkpoint; fulfils the same protocol.

    ``proba`` is the softmax of the importance-scaled logits. A cured network also gives
    ``importance``, in (0, 1), and ``raw_logit_<class>``, the logits before it scales them.
    """

    model: ExpressionModel
    views: ViewParams | None = None
    """The fixed ones that an aggregator combines; None: the face as it is."""

    @property
    def centres(self) -> tuple[float, ...]:
        """None: it knows no ages."""
        return ()

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the expressions."""
        return self.header.classes

    @property
    def extras(self) -> tuple[str, ...]:
        """Further columns; a baseline has none."""
        if not self.header.config.expression.cure:
            return ()
        return (IMPORTANCE, *(f"{RAW_LOGIT}{name}" for name in self.classes))

    def predict(self, batch: npt.NDArray[np.uint8]) -> Outputs:
        """Run the network on RGB faces (b, height, width, 3); see the protocol."""
        found = score_faces(
            self.model, lambda rows: batch[rows], len(batch), self.device, self.views
        )
        outputs: Outputs = {"proba": softmax(found.scaled.astype(np.float64), axis=1)}
        if self.extras:
            raw = found.logits.astype(np.float64)
            outputs[IMPORTANCE] = found.importance.astype(np.float64)
            outputs |= {f"{RAW_LOGIT}{name}": raw[:, k] for k, name in enumerate(self.classes)}
        return outputs


def load_checkpoint(path: Path) -> AgePredictor | ExpressionPredictor:
    """Read a checkpoint and build its network; fp32, on a GPU where there is one.

    Raises
    ------
    InputError
        See :func:`hae.checkpoint.read_checkpoint`; or its task is not one that predicts, or its
        weights are not those of its config.
    """
    found = read_checkpoint(path)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    header, files = found.header, (file_hash(path),)
    if header.task == "age":
        views = ViewParams(**found.part("views"))
        return AgePredictor(header, files, device, age_model(found, path).to(device), views)
    if header.task == "expression":
        network = expression_model(found, path).to(device)
        several = header.config.expression.aggregate
        fixed = ViewParams(**found.part("views")) if several else None
        return ExpressionPredictor(header, files, device, network, fixed)
    raise InputError(
        f"{path}: holds a model of the task {header.task!r}, which predicts nothing; "
        "give it to train age --init"
    )


def age_model(found: Checkpoint, path: Path) -> AgeModel:
    """The network of a checkpoint in evaluation mode, in fp32."""
    with torch.random.fork_rng(devices=[]):
        model = AgeModel(found.header.config.model)
    return _filled(model, found, path)


def expression_model(found: Checkpoint, path: Path) -> ExpressionModel:
    """The same of an expression checkpoint."""
    config = found.header.config
    with torch.random.fork_rng(devices=[]):
        model = ExpressionModel(config.model, config.expression, len(found.header.classes))
    return _filled(model, found, path)


def _filled(model: Module, found: Checkpoint, path: Path) -> Module:
    own, state = model.state_dict(), found.part("model")
    try:
        model.load_state_dict({k: v.to(own[k].dtype) if k in own else v for k, v in state.items()})
    except RuntimeError as error:
        raise InputError(
            f"{path}: its weights are not those of its config: {' '.join(str(error).split())[:200]}"
        ) from None
    return model.eval()
