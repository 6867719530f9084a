"""What the first weights of a run have seen before."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.errors import InputError
from hae.adapters.checkpoint import load_checkpoint
from hae.checkpoint import Header, Provenance, read_header
from hae.config import OptimizerConfig, RunConfig
from hae.data.readers import read_data
from hae.training.first import has_seen, inherited, parent_of
from hae.training.train_age import train_age
from tests.hae.training.toys import SHORT, Told, order, write_faces


def config(**changes: object) -> RunConfig:
    return RunConfig(steps=9, optimizer=OptimizerConfig(warmup=0)).model_copy(update=changes)


def parent(
    *content: str, before: tuple[str, ...] = (), task: str = "age", **changes: object
) -> Header:
    made = Provenance(
        data="faces",
        content=list(content),
        before=before,
        files=[],
        faces=9,
        people=9,
        validation_faces=2,
        validation_people=2,
        unreadable=0,
        crop="all",
        steps=9,
        best_step=9,
        init={},
        versions={},
    )
    return Header.model_validate(
        {"task": task, "config": config(**changes), "metrics": {}, "provenance": made}
    )


@pytest.mark.parametrize(
    ("earlier", "train", "validation", "seen"),
    [
        (parent("a"), "a", None, False),  # the same people are held out
        (parent("a", seed=1), "a", None, True),
        (parent("a", validation=0.1), "a", None, True),  # fewer were held out
        (parent("a", validation=0.2), "a", None, False),  # more, among them all of these
        (parent("a", "v"), "a", None, True),  # it learned from all of a
        (parent("a", task="identity"), "a", None, True),
        (parent("a", "v"), "a", "v", False),  # selected on these, not trained
        (parent("v"), "a", "v", True),
        (parent("b"), "a", None, False),
        (parent("b", before=("a",)), "a", None, True),
        (parent("b", before=("v",)), "a", "v", True),
        (parent("b", before=("a",)), "a", "v", False),
    ],
)
def test_whether_the_validation_people_were_seen(
    earlier: Header, train: str, validation: str | None, seen: bool
) -> None:
    assert has_seen(earlier, train, validation, config()) is seen


def test_what_is_inherited() -> None:
    assert inherited(None, ["a"]) == ()
    assert inherited(parent("a", "v", before=("c",)), ["a"]) == ("c", "v")


def test_weights_of_no_run_have_no_parent(tmp_path: Path) -> None:
    assert parent_of(None, config()) is None  # random


def test_a_run_remembers_what_its_first_weights_saw(tmp_path: Path) -> None:
    before, now = write_faces(tmp_path / "a", 16), write_faces(tmp_path / "b", 12)
    start = train_age(order(before, tmp_path / "1", *SHORT), Told())
    for name, settings, init in (
        ("2", (), start),
        ("3", (f"model.backbone.init={start}",), None),  # only the backbone
    ):
        told = Told()
        path = train_age(order(now, tmp_path / name, *SHORT, *settings, init=init), told)
        made = read_header(path).provenance
        assert [*made.before] == read_header(start).provenance.content
        assert not made.validation_seen
        assert not told.notices
        # evaluate warns of the faces of both stages
        assert set(made.before).isdisjoint(made.content)
        assert load_checkpoint(path).has_seen(read_data(f"manifest:{before}"))


def test_other_weights_under_the_same_name_may_not_go_on(tmp_path: Path) -> None:
    table = write_faces(tmp_path / "a", 16)
    start = train_age(order(table, tmp_path / "1", *SHORT), Told())
    settings = (*SHORT, f"model.backbone.init={start}", "seed=1")
    told = Told()
    train_age(order(table, tmp_path / "2", *settings), told)
    assert any("have seen people who are held out here" in text for text in told.notices)
    start.write_bytes(
        train_age(order(table, tmp_path / "3", *SHORT, "seed=5"), Told()).read_bytes()
    )
    with pytest.raises(InputError, match=r"holds a run that differs in weights; give another"):
        train_age(order(table, tmp_path / "2", *settings), Told())
