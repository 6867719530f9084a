"""Labels that change: whose, when, and what is remembered."""

from __future__ import annotations

import pytest
import torch

from hae.config import ExpressionConfig
from hae.models.expression import Scores
from hae.training.relabels import Relabels

CLASSES = 3
N = 10


def fresh() -> Relabels:
    label = torch.zeros(N, dtype=torch.int64)
    return Relabels.of(torch.nn.functional.one_hot(label, CLASSES).float(), label.clone())


def scores(importance: list[float], says: int = 1) -> Scores:
    """Everybody is taken for class ``says``, surely enough for a label to give way."""
    logits = torch.zeros(len(importance), CLASSES)
    logits[:, says] = 100.0
    return Scores(logits, torch.tensor(importance))


ROWS = torch.tensor([7, 2, 5, 0])
WEIGHTS = [0.9, 0.3, 0.8, 0.2]


@pytest.mark.parametrize(
    ("scope", "changed"), [("low_group", [0, 2]), ("whole_batch", [0, 2, 5, 7]), ("off", [])]
)
def test_the_scope_says_whose_labels_may_change(scope: str, changed: list[int]) -> None:
    labels = fresh()
    settings = ExpressionConfig.model_validate({"relabel": scope, "high_share": 0.5})
    labels.see(ROWS, scores(WEIGHTS), 9, settings)
    assert labels.label.nonzero()[:, 0].tolist() == changed
    assert labels.target.argmax(dim=1).tolist() == labels.label.tolist()
    # counted whatever the scope: 0 and 2 have the smallest importances of the batch
    assert labels.visits.tolist() == [1, 0, 1, 0, 0, 1, 0, 1, 0, 0]
    assert labels.lows.tolist() == [1, 0, 1, 0, 0, 0, 0, 0, 0, 0]


def test_no_label_changes_before_its_epoch() -> None:
    labels, settings = fresh(), ExpressionConfig(relabel_from=10)
    labels.see(ROWS, scores(WEIGHTS), 8, settings)  # the ninth
    assert not labels.label.any()
    labels.see(ROWS, scores(WEIGHTS), 9, settings)
    assert labels.label.any()


def test_every_change_is_noted_and_the_first_label_can_be_told() -> None:
    labels, settings = fresh(), ExpressionConfig(high_share=0.5)
    labels.see(ROWS, scores(WEIGHTS, says=1), 9, settings)
    labels.see(ROWS, scores(WEIGHTS, says=2), 11, settings)
    rows = labels.changes()
    assert rows[:, :4].tolist() == [[2, 10, 0, 1], [0, 10, 0, 1], [2, 12, 1, 2], [0, 12, 1, 2]]
    assert rows[:, 4].tolist() == pytest.approx([0.3, 0.2] * 2)


def test_a_face_that_is_drawn_twice_is_taken_as_it_came_last() -> None:
    labels, settings = fresh(), ExpressionConfig(relabel="whole_batch")
    logits = torch.zeros(2, CLASSES)
    logits[0, 1], logits[1, 2] = 100.0, 100.0
    labels.see(torch.tensor([4, 4]), Scores(logits, torch.tensor([0.5, 0.4])), 9, settings)
    assert labels.label[4] == 2
    assert len(labels.changes()) == 1
    assert labels.visits[4] == 2


def test_what_is_stored_goes_on_alike() -> None:
    settings = ExpressionConfig(high_share=0.5)
    one, two = fresh(), fresh()
    one.see(ROWS, scores(WEIGHTS), 9, settings)
    two.load_state_dict(one.state_dict())
    for labels in (one, two):
        labels.see(ROWS, scores(WEIGHTS[::-1], says=2), 10, settings)
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name


def test_nothing_happened_is_an_empty_log() -> None:
    assert fresh().changes().shape == (0, 5)
