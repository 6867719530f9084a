from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torch.export import Dim, export, save

from audit.errors import InputError
from hae.adapters.zoo import load_model
from tests.hae.adapters.nets import Tiny, ages, by_hand, faces, spec_of, write

SPEC = spec_of("exported", "w.pt2")
MODEL, WEIGHTS = "models/model.json", "data/weights/model_weights_config.json"


def write_program(
    path: Path, module: nn.Module, batch: int = 2, *, any_batch: Any = Dim.DYNAMIC
) -> None:
    shapes = None if any_batch is None else ({0: any_batch},)
    save(export(module, (torch.rand(batch, 3, 32, 24),), dynamic_shapes=shapes), path)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("program") / "w.pt2"
    write_program(path, Tiny().eval())
    return path


@pytest.mark.parametrize(
    ("batch", "any_batch", "chunk"), [(2, Dim.DYNAMIC, 16), (4, None, 4), (2, Dim("n", max=7), 7)]
)
def test_same_numbers_as_by_hand(tmp_path: Path, batch: int, any_batch: object, chunk: int) -> None:
    write_program(tmp_path / "w.pt2", Tiny().eval(), batch, any_batch=any_batch)
    model = load_model(write(tmp_path, SPEC))
    few = faces(19)
    np.testing.assert_allclose(model.predict(few)["age"], ages(by_hand(Tiny(), few)), atol=1e-4)
    assert model.chunk == chunk  # type: ignore[attr-defined]
    alone = [model.predict(few[i : i + 1])["age"][0] for i in range(len(few))]
    assert model.predict(few)["age"].tolist() == alone


def test_a_transformer_of_timm(tmp_path: Path) -> None:
    # Reshapes with a free batch: sizes such as 2 * s are expressions in the file.
    torch.manual_seed(0)
    module = timm.create_model("test_vit", num_classes=3, img_size=(32, 24), patch_size=8).eval()
    write_program(tmp_path / "w.pt2", module)
    few = faces(5)
    given = load_model(write(tmp_path, SPEC)).predict(few)
    np.testing.assert_allclose(given["age"], ages(by_hand(module, few)), atol=1e-4)


def test_outputs_by_name(tmp_path: Path) -> None:
    write_program(tmp_path / "w.pt2", Tiny("dict").eval())
    text = SPEC.replace("softmax = true", 'softmax = true\nname = "age"')
    text += '\n[outputs.embedding]\nname = "hidden"\n'
    few = faces(2)
    given = load_model(write(tmp_path, text)).predict(few)
    np.testing.assert_allclose(given["age"], ages(by_hand(Tiny(), few)), atol=1e-4)
    assert given["embedding"].shape == (2, 8)


def test_a_single_number(tmp_path: Path) -> None:
    write_program(tmp_path / "w.pt2", Tiny("value").eval())
    text = SPEC.replace("centres = [10, 20, 40]\nsoftmax = true", "value = true\nscale = 100")
    few = faces(2)
    given = load_model(write(tmp_path, text)).predict(few)
    np.testing.assert_allclose(given["age"], ages(by_hand(Tiny(), few)), atol=1e-4)


def test_training_mode_is_noticed(tmp_path: Path) -> None:
    write_program(tmp_path / "w.pt2", Tiny().train())
    with pytest.raises(InputError, match=r"save it after \.eval\(\)"):
        load_model(write(tmp_path, SPEC))


def altered(
    program: Path, folder: Path, changes: dict[str, Callable[[bytes], bytes]], **added: bytes
) -> str:
    """Copy a program with some members changed and others added; the path of a spec of it."""
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(folder / "w.pt2", "w") as new:
        for name in old.namelist():
            change = changes.get(name.partition("/")[2], lambda content: content)
            new.writestr(name, change(old.read(name)))
        for name, content in added.items():
            new.writestr(f"w/{name.replace('__', '/')}", content)
    return write(folder, SPEC)


def edit(change: Callable[[dict[str, Any]], None]) -> Callable[[bytes], bytes]:
    def changed(content: bytes) -> bytes:
        read = json.loads(content)
        change(read)
        return json.dumps(read).encode()

    return changed


def node(content: dict[str, Any], number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = content["graph_module"]["graph"]["nodes"][number]
    return found


def rename(content: dict[str, Any], new: str, old: str = "") -> None:
    """Give the first node's result, or ``old``, another name everywhere."""
    old = old or node(content)["outputs"][0]["as_tensor"]["name"]
    text = json.dumps(content["graph_module"]).replace(json.dumps(old), json.dumps(new))
    content["graph_module"] = json.loads(text)


class Code:
    """Would make a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.folder),)


def pickled(folder: Path) -> bytes:
    buffer = io.BytesIO()
    torch.save({"x": Code(folder)}, buffer)
    return buffer.getvalue()


def test_the_altered_copy_loads(program: Path, tmp_path: Path) -> None:
    """Otherwise the tests below would prove nothing."""
    path = altered(program, tmp_path, {MODEL: edit(lambda c: rename(c, "other"))})
    assert load_model(path).predict(faces(1))["age"].shape == (1,)


def test_sample_inputs_are_not_read(program: Path, tmp_path: Path) -> None:
    evil = pickled(tmp_path / "made")
    path = altered(program, tmp_path, {"data/sample_inputs/model.pt": lambda _: evil})
    load_model(path)
    assert not (tmp_path / "made").exists()


def test_guards_are_not_run(program: Path, tmp_path: Path) -> None:
    code = f"__import__('os').mkdir({str(tmp_path / 'made')!r}) is None"
    path = altered(program, tmp_path, {MODEL: edit(lambda c: c.update(guards_code=[code]))})
    load_model(path).predict(faces(1))
    assert not (tmp_path / "made").exists()


EVIL = "__import__('os').mkdir('MADE')"


@pytest.mark.parametrize(
    ("member", "change", "message"),
    [
        (MODEL, lambda c: rename(c, f"x = {EVIL}\n    y"), "its graph holds the text"),
        (MODEL, lambda c: rename(c, f"x={EVIL}", "x"), "its graph holds the text"),
        (MODEL, lambda c: rename(c, "os.environ"), "its graph holds the text 'os.environ'"),
        (MODEL, lambda c: node(c).update(target="torch.load"), "calls 'torch.load', no operator"),
        (MODEL, lambda c: node(c).update(target="torch.ops.image.read_file.default"), "no operat"),
        (
            MODEL,
            lambda c: c["graph_module"]["graph"]["sym_int_values"].update(
                z={"as_expr": {"expr_str": EVIL, "hint": None}}
            ),
            "its graph holds the text",
        ),
        (
            MODEL,
            lambda c: node(c)["inputs"].append(
                {"name": "filename", "arg": {"as_string": "notes.txt"}, "kind": 1}
            ),
            r"its graph holds the text 'notes\.txt'",
        ),
        (
            MODEL,
            lambda c: c["graph_module"]["module_call_graph"][0]["signature"].update(
                in_spec='[1, {"type": "collections.OrderedDict", "context": "null"}]'
            ),
            r"nested in a collections\.OrderedDict",
        ),
        (
            MODEL,
            lambda c: c["graph_module"]["module_call_graph"][0]["signature"].update(
                in_spec='[1, {"type": "builtins.dict", "context": '
                '"{\\"__enum__\\": 1, \\"fqn\\": \\"os:x\\"}", "children_spec": []}]'
            ),
            "have keys that are no names",
        ),
        (
            WEIGHTS,
            lambda c: c["config"]["fc.weight"].update(use_pickle=True),
            "holds a pickled tensor",
        ),
        (
            WEIGHTS,
            lambda c: c["config"]["fc.weight"].update(path_name="../../x"),
            "names the file",
        ),
    ],
)
def test_code_in_the_graph_is_refused(
    program: Path,
    tmp_path: Path,
    member: str,
    change: Callable[[dict[str, Any]], None],
    message: str,
) -> None:
    path = altered(program, tmp_path, {member: edit(change)})
    with pytest.raises(InputError, match=f"{message}.*refused, since loading it could run code"):
        load_model(path)


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("data__weights__model.pt", "holds pickled weights of an older torch"),
        ("data__constants__model.pt", "holds pickled weights of an older torch"),
        ("data__constants__opaque_obj_0", "holds pickled objects"),
        ("data__aotinductor__model__x.so", "holds compiled libraries"),
    ],
)
def test_other_members_are_refused(
    program: Path, tmp_path: Path, member: str, message: str
) -> None:
    path = altered(program, tmp_path, {}, **{member: pickled(tmp_path / "made")})
    with pytest.raises(InputError, match=message):
        load_model(path)
    assert not (tmp_path / "made").exists()


def test_an_older_archive_or_another_file(tmp_path: Path) -> None:
    # The form of torch 2.6 held its weights as pickles; torch.export.load would still read it.
    with zipfile.ZipFile(tmp_path / "w.pt2", "w") as archive:
        archive.writestr("version", "8.1")
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", pickled(tmp_path / "made"))
    path = write(tmp_path, SPEC)
    with pytest.raises(InputError, match=r"no file of torch\.export\.save that torch .*no models/"):
        load_model(path)
    (tmp_path / "w.pt2").write_bytes(pickle.dumps(Code(tmp_path / "made")))
    with pytest.raises(InputError, match="is truncated or no file"):
        load_model(path)
    assert not (tmp_path / "made").exists()


def test_truncated_and_torn(
    program: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = program.read_bytes()
    path = write(tmp_path, SPEC)
    for share in (0, 100, len(whole) // 2, len(whole) - 30):
        (tmp_path / "w.pt2").write_bytes(whole[:share])
        with pytest.raises(InputError, match="is truncated or no file"):
            load_model(path)
    for change in (
        lambda c: c["graph_module"].pop("signature"),
        lambda c: c["graph_module"]["graph"].pop("tensor_values"),
        lambda c: c["schema_version"].update(major=99),
    ):
        path = altered(program, tmp_path, {MODEL: edit(change)})
        with pytest.raises(
            InputError, match=r"no exported program that torch .* load \((.*)\);"
        ) as e:
            load_model(path)
    assert "schema version" in str(e.value)
    assert not caplog.records  # the reason is in the message, no stack trace is printed


def test_two_inputs(tmp_path: Path) -> None:
    class Two(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return x + y

    x = torch.rand(2, 3, 32, 24)
    save(export(Two(), (x, x)), tmp_path / "w.pt2")
    with pytest.raises(InputError, match="it has 2 inputs, must have the faces alone"):
        load_model(write(tmp_path, SPEC))
