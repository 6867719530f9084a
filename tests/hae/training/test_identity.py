"""Identity training on photos whose colour says who it is, and ages that begin with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from audit.errors import InputError
from audit.tables import file_hash
from hae.adapters.checkpoint import load_checkpoint
from hae.checkpoint import Checkpoint, read_checkpoint
from hae.cli.listing import info
from hae.config import IdentityConfig, RunConfig
from hae.data.readers import read_data
from hae.models.age import AgeModel
from hae.models.identity import IdentityModel
from hae.training.faces import Faces
from hae.training.fit import BEST, RESUME
from hae.training.identity import IdentityTask, hold_out_photos
from hae.training.run import Order
from hae.training.train_age import train_age
from hae.training.train_identity import identity_metrics, train_identity

PEOPLE, PHOTOS, SIZE = 8, 6, 16
VIEWS = {"k": 2, "colour_p": 0.0, "erase_p": 0.0}  # the colour is the person
MODEL_ = {
    "size": SIZE,
    "embedding": 16,
    "backbone": {"name": "small_resnet"},
    "aggregator": {"layers": 1, "heads": 2, "feedforward": 16},
    "head": {"hidden": 16},
    "views": VIEWS,
}
CONFIG = {
    "steps": 30,
    "batch_size": 16,
    "validate_every": 10,
    "save_every": 10,
    "validation": 0.33,
    "model": MODEL_,
    "identity": {"embedding": 32, "scale": 16.0, "margin": 0.2},
    "optimizer": {"name": "adamw", "lr": 3e-3, "warmup": 3},
}


@dataclass
class Told:
    """A ``Report`` that remembers."""

    steps: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def stage(self, text: str, total: int) -> Callable[[int], object]:
        return lambda done: None

    def step(self, step: int, figures: Mapping[str, float]) -> None:
        self.steps.append((step, dict(figures)))

    def notice(self, text: str) -> None:
        self.notices.append(text)


def write_people(folder: Path, *, photos: int = PHOTOS, named: bool = True) -> Path:
    """Photos in one noisy colour for each person; ages too, for the stage that follows."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for person in range(PEOPLE):
        colour = rng.integers(20, 236, 3)
        for photo in range(photos):
            name = f"{person}-{photo}.png"
            noisy = rng.normal(colour, 12, (SIZE, SIZE, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / name)
            rows.append({"path": name, "subject_id": f"p{person}", "age": 20 + 5 * person})
    frame = pd.DataFrame(rows)
    table = folder / "people.csv"
    frame.drop(columns=[] if named else ["subject_id"]).to_csv(table, index=False)
    return table


def order(table: Path, out: Path, **changes: object) -> Order:
    config = RunConfig.model_validate(CONFIG | changes)
    manifest = read_data(f"manifest:{table}", None, {})
    return Order(manifest, None, config, out, out / "cache", None, 1, {"python": "3"})


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def trained(table: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Told]:
    out, told = tmp_path_factory.mktemp("identity"), Told()
    return train_identity(order(table, out), told), told


def toy_faces(person: list[int]) -> Faces:
    """Faces of numbered people without pixels worth looking at."""
    n = len(person)
    unknown = np.full(n, np.nan, dtype=np.float32)
    return Faces(
        np.zeros((n, SIZE, SIZE, 3), np.uint8),
        np.arange(n),
        np.arange(1, n + 1, dtype=np.uint64),
        np.asarray(person, dtype=np.uint64),
        unknown,
        unknown,
    )


# --- the split ------------------------------------------------------------------------------------


def test_every_held_out_photo_is_of_a_person_who_stays() -> None:
    faces = toy_faces([0] * 9 + [1] * 5 + [2, 3] + [4] * 2)
    for seed in range(20):
        kept, held = hold_out_photos(faces, 0.9, seed, "toys")
        assert len(kept) + len(held) == len(faces)
        assert not np.intersect1d(kept.sample, held.sample).size
        assert set(kept.person.tolist()) == {0, 1, 2, 3, 4}  # also those with one photo
        assert set(held.person.tolist()) <= {0, 1, 4}


def test_the_share_is_about_what_was_asked() -> None:
    # 200 people with 10 photos each: 2000 draws, SD of the share sqrt(.33 * .67 / 2000) = .0105;
    # the largest of ten draws is below .33 in .33^10 = 1.5e-5 of the people, which changes nothing.
    faces = toy_faces([i // 10 for i in range(2000)])
    _, held = hold_out_photos(faces, 0.33, 0, "toys")
    assert abs(len(held) / 2000 - 0.33) < 4 * 0.0105


def test_the_order_of_the_rows_does_not_matter() -> None:
    faces = toy_faces([i // 4 for i in range(40)])
    turned = faces.take(np.arange(40)[::-1])
    _, held = hold_out_photos(faces, 0.3, 5, "toys")
    _, again = hold_out_photos(turned, 0.3, 5, "toys")
    assert set(held.sample.tolist()) == set(again.sample.tolist())


@pytest.mark.parametrize("person", [[0, 1, 2, 3], [0, 0, 0, 1, 2]])
def test_two_people_with_two_photos_are_needed(person: list[int]) -> None:
    with pytest.raises(InputError, match=r"toys: [01] of \d people have 2 photos or more.*--map"):
        hold_out_photos(toy_faces(person), 0.5, 0, "toys")


def test_a_share_that_holds_out_nothing_is_said() -> None:
    with pytest.raises(InputError, match="leaves no validation photo"):
        hold_out_photos(toy_faces([0, 0, 1, 1]), 1e-9, 0, "toys")


# --- the network ----------------------------------------------------------------------------------


def test_the_backbone_is_called_as_in_the_age_model() -> None:
    config = RunConfig.model_validate(CONFIG)
    identity = IdentityModel(config.model, IdentityConfig(embedding=8), 5)
    own = {name: value.shape for name, value in identity.state_dict().items()}
    age = {name: value.shape for name, value in AgeModel(config.model).state_dict().items()}
    of_backbone = {name: shape for name, shape in age.items() if name.startswith("backbone.")}
    rest = {name: shape for name, shape in own.items() if name not in of_backbone}
    assert of_backbone.items() <= own.items()
    assert rest == {
        "embedding.weight": (8, 128),
        "embedding.bias": (8,),
        "arcface.weight": (5, 8),
    }


def test_mistakes_are_those_of_the_nearest_centre() -> None:
    # A network whose answer is known: all images alike, so one person is the answer for all.
    config = RunConfig.model_validate(CONFIG)
    faces = toy_faces([7, 7, 7, 9, 9, 30])
    model = IdentityModel(config.model, config.identity, 3).eval()
    with torch.no_grad():
        model.embedding.weight.zero_()
        model.embedding.bias.copy_(torch.eye(32)[0])
        model.arcface.weight.copy_(torch.eye(32)[[1, 0, 2]])  # the second of 7, 9, 30 is nearest
    task = IdentityTask(model, config, faces, faces)
    mistaken = task.mistaken(torch.device("cpu"))
    assert mistaken.tolist() == [True, True, True, False, False, True]
    assert task.validate(torch.device("cpu")) == {"identification_error": pytest.approx(4 / 6)}


def test_the_view_of_a_photo_does_not_depend_on_k() -> None:
    faces, seen = toy_faces([0, 0, 1, 1] * 8), []
    faces = replace(
        faces, store=np.random.default_rng(0).integers(0, 256, faces.store.shape, np.uint8)
    )
    for k in (1, 5):
        config = RunConfig.model_validate(CONFIG | {"model": MODEL_ | {"views": VIEWS | {"k": k}}})
        torch.manual_seed(0)
        task = IdentityTask(IdentityModel(config.model, config.identity, 2), config, faces, faces)
        batch = next(iter(task.batches(1, 0)))
        assert batch["person"].tolist() == faces.person[(batch["key"] - 1).numpy()].tolist()
        seen.append(float(task.losses(batch)["total"].detach()))
    assert seen[0] == seen[1]


def test_metrics_carry_an_interval_by_person() -> None:
    faces = toy_faces([0, 0, 1, 1, 2, 2, 3, 3])
    mistaken = np.array([True, False, False, False, True, False, False, False])
    found = identity_metrics(mistaken, faces)
    assert found["identification_error"] == 0.25
    assert 0 <= found["identification_error_low"] < 0.25 < found["identification_error_high"] <= 1


# --- the run --------------------------------------------------------------------------------------


def test_training_tells_people_apart(trained: tuple[Path, Told]) -> None:
    path, told = trained
    header = read_checkpoint(path).header
    assert header.task == "identity"
    errors = [
        figures["identification_error"]
        for _, figures in told.steps
        if len(figures) == 1 and "loss" not in figures
    ]
    assert len(errors) == 3
    # Chance: 1 - 1/8 = .875.
    assert header.metrics["identification_error"] == min(errors) < 0.4
    made = header.provenance
    assert made.people == PEOPLE
    assert made.validation_people <= PEOPLE
    assert made.faces + made.validation_faces == PEOPLE * PHOTOS
    assert not (path.parent / RESUME).exists()
    assert not (path.parent / BEST).exists()


def test_a_finished_run_is_left_alone(trained: tuple[Path, Told], table: Path) -> None:
    path, told = trained[0], Told()
    before = path.read_bytes()
    assert train_identity(order(table, path.parent), told) == path
    assert path.read_bytes() == before
    assert (told.steps, told.notices) == ([], [])


def test_an_identity_model_predicts_no_age(trained: tuple[Path, Told]) -> None:
    with pytest.raises(InputError, match=r"'identity', which predicts nothing.*train age --init"):
        load_checkpoint(trained[0])


def test_info_shows_what_an_identity_model_has(
    trained: tuple[Path, Told], capsys: pytest.CaptureFixture[str]
) -> None:
    info(str(trained[0]))
    shown = capsys.readouterr().out
    assert "small_resnet at 16 px -> 32 dimensions" in shown
    assert "identification_error " in shown
    assert "bins" not in shown
    assert "temperature" not in shown


def _age_order(table: Path, out: Path, init: Path, *, partial: bool) -> Order:
    model = MODEL_ | {"backbone": {"name": "small_resnet", "partial": partial}}
    short = {
        "steps": 10,
        "optimizer": {"name": "adamw", "lr": 1e-12, "warmup": 0},
        "validation": 0.3,
    }
    return replace(order(table, out, model=model, **short), init=init)


def _weights(checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
    found = checkpoint.part("model.backbone.network")
    # BatchNorm's running sums move in the ten steps of training, weights by about 1e-11.
    return {
        name: value for name, value in found.items() if "running" not in name and "num_" not in name
    }


def test_an_age_model_begins_with_exactly_the_backbone(
    trained: tuple[Path, Told], table: Path, tmp_path: Path
) -> None:
    told = Told()
    path = train_age(_age_order(table, tmp_path / "age", trained[0], partial=True), told)
    identity, age = read_checkpoint(trained[0]), read_checkpoint(path)
    first, then = _weights(identity), _weights(age)
    assert first.keys() == then.keys()
    assert len(first) > 20
    for name, value in first.items():
        torch.testing.assert_close(then[name], value, rtol=0, atol=1e-9)
    notice = next(text for text in told.notices if "did not match" in text)
    for name in ("embedding.weight", "arcface.weight", "projection.weight", "aggregator.token"):
        assert name in notice
    assert "backbone" not in notice
    # It was judged on other photos of the same people, so it has seen those held out here.
    assert age.header.provenance.validation_seen
    assert any("have seen people who are held out here" in text for text in told.notices)
    assert age.header.provenance.init["sha256"] == file_hash(trained[0]).sha256


def test_without_partial_the_rest_is_refused(
    trained: tuple[Path, Told], table: Path, tmp_path: Path
) -> None:
    wanted = _age_order(table, tmp_path / "age", trained[0], partial=False)
    with pytest.raises(InputError, match=r"--init .*model\.backbone\.partial = true"):
        train_age(wanted, Told())


# --- bad input ------------------------------------------------------------------------------------


def test_a_table_without_people_is_refused(tmp_path: Path) -> None:
    table = write_people(tmp_path / "faces", named=False)
    with pytest.raises(InputError, match=r"0 of 48 people have 2 photos.*--map subject_id=COLUMN"):
        train_identity(order(table, tmp_path / "out"), Told())


def test_a_validation_split_is_refused(table: Path, tmp_path: Path) -> None:
    plain = order(table, tmp_path)
    with pytest.raises(InputError, match="--val-split"):
        train_identity(replace(plain, validation=replace(plain.train, split="val")), Told())


def test_a_frozen_backbone_is_refused(table: Path, tmp_path: Path) -> None:
    model = MODEL_ | {"backbone": {"name": "small_resnet", "frozen": True}}
    with pytest.raises(InputError, match=r"model\.backbone\.frozen"):
        train_identity(order(table, tmp_path, model=model), Told())
