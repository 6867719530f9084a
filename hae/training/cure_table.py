"""What the cure did to every training face: the table that ``evaluate`` audits, and its log."""

from __future__ import annotations

import json
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pandas as pd

from audit.files import write_bytes, write_text
from audit.hashing import text_keys
from audit.predictions import LEAKY
from audit.relabels import RUN
from hae.checkpoint import Header
from hae.inference import ExpressionScores
from hae.training.faces import Faces
from hae.training.labels import IntArray
from hae.training.relabels import Relabels
from hae.training.run import Order

TABLE, LOG = "training.parquet", "relabels.csv"
SEEN = "the network was trained on these very faces: its accuracy on others will be lower"


def run_of(header: Header) -> str:
    """A run's mark: 16 hex digits of a hash of its config, its data and its first weights."""
    made = header.provenance
    told = [header.config.model_dump(mode="json"), made.content, made.init]
    return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def write_cure(
    order: Order,
    header: Header,
    faces: Faces,
    relabels: Relabels,
    labels: tuple[IntArray, IntArray],
    scores: ExpressionScores,
) -> None:
    """Write both files into the run's folder, whole or not at all.

    The table is one of predictions, with the data's columns; in it ``expression`` is the label
    before any noise and ``expression_pred`` what the finished network says. Added are
    ``expression_given`` and ``expression_final``, the label at the start and at the end;
    ``importance`` of the finished network; ``low_group``, the share of a face's visits in which it
    was in the low group; ``relabelled``; and, where labels were flipped on purpose, ``flipped`` and
    ``corrected``. A baseline has no ``importance`` and no ``low_group``.

    Parameters
    ----------
    order, header
        The run.
    faces, relabels : Faces and Relabels
        The training faces and what happened to their labels.
    labels : two of (n,) int64
        Before and after the noise.
    scores : ExpressionScores
        Of the finished network.
    """
    classes = np.array(header.classes, dtype=object)
    frame = order.train.frame.drop(columns="path")
    keys = text_keys(frame["sample_id"].tolist(), "sample")
    place = np.searchsorted(faces.sample, keys).clip(0, len(faces) - 1)
    kept = faces.sample[place] == keys
    frame, at = frame[kept].reset_index(drop=True), place[kept]
    true, given = (codes[at] for codes in labels)
    final = relabels.label.cpu().numpy()[at]
    columns: dict[str, npt.NDArray[np.generic]] = {
        "expression": classes[true],
        "expression_pred": classes[scores.logits.argmax(axis=1)[at]],
    }
    logits, scaled = scores.logits[at].astype(np.float64), scores.scaled[at].astype(np.float64)
    columns |= {f"logit_{name}": scaled[:, k] for k, name in enumerate(classes)}
    settings = header.config.expression
    columns |= {"expression_given": classes[given], "expression_final": classes[final]}
    if settings.cure:
        visits, lows = relabels.visits.cpu().numpy()[at], relabels.lows.cpu().numpy()[at]
        columns |= {f"raw_logit_{name}": logits[:, k] for k, name in enumerate(classes)}
        columns["importance"] = scores.importance[at].astype(np.float64)
        columns["low_group"] = np.where(visits > 0, lows / np.maximum(visits, 1), np.nan)
        columns["relabelled"] = (final != given).astype(np.int64)
        if settings.label_noise:
            columns["flipped"] = (given != true).astype(np.int64)
            columns["corrected"] = ((given != true) & (final == true)).astype(np.int64)
    elif settings.label_noise:
        columns["flipped"] = (given != true).astype(np.int64)
    columns[LEAKY] = np.full(len(frame), SEEN, dtype=object)
    columns[RUN] = np.full(len(frame), run_of(header), dtype=object)
    rest = frame.drop(columns=[name for name in columns if name in frame.columns])
    table = pd.concat([rest, pd.DataFrame(columns)], axis=1)
    write_bytes(order.out / TABLE, table.to_parquet(index=False))
    names = dict(zip(at.tolist(), frame["sample_id"], strict=True))
    log = relabels.changes().numpy()
    changes = pd.DataFrame(
        {
            "sample_id": [names[int(row)] for row in log[:, 0]],
            "epoch": log[:, 1].astype(np.int64),
            "from": classes[log[:, 2].astype(np.int64)],
            "to": classes[log[:, 3].astype(np.int64)],
            "importance": log[:, 4],
            RUN: run_of(header),
        }
    )
    write_text(order.out / LOG, changes.to_csv(index=False))
