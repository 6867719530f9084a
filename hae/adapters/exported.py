"""Exported programs: a .pt2 file of ``torch.export.save``, opened without running what it holds.

What ``torch.export.load`` does (read in torch 2.15, and tried) makes a .pt2 as dangerous as a
pickle. Sample inputs, and the weights and constants of older archives, are unpickled in full when
the safe way fails; tensors marked ``use_pickle`` and opaque objects are unpickled in full at once;
compiled libraries in the archive are loaded. Without any pickle, sizes are texts that sympy
evaluates, guards and the names of inputs become Python source that is run, and targets may name
any function of torch. So it never sees the file itself. It is given a copy made here that holds the
graph and raw tensor bytes only, in which every text is a bare name, every target an operator of
ATen, every size an arithmetic expression read by :mod:`ast`, and sample inputs, guards, stack
traces and all else are left out. A file that needs more than that is refused.
"""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audit.errors import InputError

MODEL = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"
CONSTANTS = "data/constants/model_constants_config.json"
SAMPLE = "data/sample_inputs/model.pt"
_AS_IS = {"archive_format": r"pt2", "archive_version": r"\d+", "byteorder": r"little|big"}
_DOTTED = re.compile(r"[\w.]*", re.ASCII)
_NAME = re.compile(r"(?:[A-Za-z_]\w*)?", re.ASCII)
_TENSOR = re.compile(r"(?:weight|tensor)_\d+", re.ASCII)
_TARGET = re.compile(
    r"torch\.ops\.aten\.\w+\.\w+|torch\.sym_(?:min|max|int|float|not|ite)"
    r"|_operator\.(?:getitem|add|sub|mul|floordiv|truediv|mod|neg|pos|eq|ne|lt|le|gt|ge|and_|or_)",
    re.ASCII,
)
_SYMBOL = re.compile(r"[suz]\d+", re.ASCII)
_CALLS = {
    "Symbol", "Integer", "Rational", "Add", "Mul", "Pow", "Max", "Min", "Mod", "PythonMod",
    "FloorDiv", "CleanDiv", "CeilDiv", "ModularIndexing", "CeilToInt", "FloorToInt", "IntTrueDiv",
    "PowByNatural", "Identity",
}  # fmt: skip
_MODES = {
    "none", "tanh", "floor", "trunc", "same", "valid", "constant", "reflect", "replicate",
    "circular", "mean", "sum", "ij", "xy",
}  # fmt: skip
"""The texts that ATen's operators take; a name of a file is not among them."""
_CONTAINERS = (None, "builtins.tuple", "builtins.list", "builtins.dict")
_BROKEN = (
    zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RecursionError,
    LookupError, AttributeError, TypeError, ValueError, SyntaxError,
)  # fmt: skip
"""What reading a damaged or foreign archive raises."""


class _RefusedError(Exception):
    """What an archive holds that a network does not need."""


def open_exported(path: Path, device: torch.device) -> tuple[Callable[[Tensor], Any], int | None]:
    """Load an exported program.

    Returns
    -------
    call : callable
        The program.
    batch : int, optional
        The number of faces that it takes at once, or at most; None: any number.

    Raises
    ------
    InputError
        No exported program of this torch, or one that holds more than a network.
    """
    from torch.export import load
    from torch.export.passes import move_to_device_pass

    try:
        copy = io.BytesIO(_clean_copy(path))
    except _RefusedError as error:
        raise InputError(
            f"{path.name}: {error}: refused, since loading it could run code; export the network "
            "again, to .pt2 with plain tensors or to ONNX"
        ) from None
    except _BROKEN as error:
        raise InputError(
            f"{path.name}: is truncated or no file of torch.export.save that torch "
            f"{torch.__version__} reads ({' '.join(str(error).split())[:120]}); save it again"
        ) from None
    told: list[str] = []
    try:
        with _instead_of_log(told):
            program = move_to_device_pass(load(copy), device)
        batch = _batch(program)
        return program.module(), batch
    except Exception as error:  # the deserialiser raises AssertionError, SerializeError, ...
        lines = (told[0] if told else str(error)).strip().splitlines()
        reason = (lines or [type(error).__name__])[-1][:160]
        raise InputError(
            f"{path.name}: is no exported program that torch {torch.__version__} can load "
            f"({reason}); save it again with this torch"
        ) from None


@contextmanager
def _instead_of_log(told: list[str]) -> Iterator[None]:
    """Collect the reasons that torch would log with a stack trace, for our own message."""

    def keep(record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        told.append(str(error or record.getMessage()))
        return False

    logger = logging.getLogger("torch.export")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def _batch(program: torch.export.ExportedProgram) -> int | None:
    inputs = program.graph_signature.user_inputs
    nodes = [node for node in program.graph.nodes if node.name in inputs]
    if len(nodes) != 1 or not isinstance(nodes[0].meta.get("val"), Tensor):
        raise ValueError(f"it has {len(inputs)} inputs, must have the faces alone")
    first = nodes[0].meta["val"].shape[0]
    if isinstance(first, int):
        return first
    allowed = program.range_constraints.get(first.node.expr)
    top = getattr(allowed, "upper", None)
    return int(top) if top is not None and top.is_finite and top < 1_000_000 else None


def _clean_copy(path: Path) -> bytes:
    """The archive again, with nothing in it but a checked graph and raw tensors."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        root = _root(names)
        known = {name.removeprefix(root) for name in names}
        _check_members(known, len(names))
        kept = {name: archive.read(root + name) for name in _AS_IS if name in known}
        for name, pattern in _AS_IS.items():
            if name in kept and not re.fullmatch(pattern, kept[name].decode("ascii")):
                raise _RefusedError(f"{name} is unknown")
        kept[MODEL] = json.dumps(_checked_model(json.loads(archive.read(root + MODEL)))).encode()
        kept[SAMPLE] = b""
        for config in (WEIGHTS, CONSTANTS):
            content = json.loads(archive.read(root + config))
            for file in _checked_tensors(content, config):
                place = f"{config.rpartition('/')[0]}/{file}"
                kept[place] = archive.read(root + place)
            kept[config] = json.dumps(content).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as clean:
        for name, content in kept.items():
            clean.writestr(f"archive/{name}", content)
        clean.writestr("archive/.data/version", "6\n")
    return buffer.getvalue()


def _root(names: list[str]) -> str:
    found = [name.removesuffix(MODEL) for name in names if name.endswith(MODEL)]
    if len(found) != 1:
        raise ValueError(f"it has no {MODEL}")
    return found[0]


def _check_members(known: set[str], n: int) -> None:
    if len(known) != n:
        raise _RefusedError("holds two files of one name")
    for name in sorted(known):
        if name.startswith("data/aotinductor/"):
            raise _RefusedError("holds compiled libraries")
        if name.startswith(("data/weights/", "data/constants/")) and name.endswith(".pt"):
            raise _RefusedError("holds pickled weights of an older torch")
        if "_obj_" in name:
            raise _RefusedError("holds pickled objects beside its tensors")


def _checked_tensors(content: Mapping[str, Any], place: str) -> set[str]:
    """Check the list of tensors; the files that hold them."""
    for meta in content["config"].values():
        if meta["use_pickle"]:
            raise _RefusedError("holds a pickled tensor (a subclass or a quantised one)")
        if not _TENSOR.fullmatch(meta["path_name"]):
            raise _RefusedError(f"{place} names the file {meta['path_name'][:40]!r}")
    _check_texts(content, "")
    return {meta["path_name"] for meta in content["config"].values()}


def _checked_model(content: dict[str, Any]) -> dict[str, Any]:
    """Check the graph, and leave out what running it does not need."""
    content["guards_code"], content["torch_version"] = [], ""
    module = content["graph_module"]
    module["metadata"] = {}
    for node in module["graph"]["nodes"]:
        node["metadata"] = {}
        if not _TARGET.fullmatch(node["target"]):
            raise _RefusedError(f"its graph calls {node['target'][:60]!r}, no operator of ATen")
    for entry in module["module_call_graph"]:
        for key in ("in_spec", "out_spec"):
            if entry["signature"]:
                _check_tree(json.loads(entry["signature"][key])[1])
    _check_texts(content, "")
    return content


def _check_tree(tree: Mapping[str, Any]) -> None:
    """Check how inputs or outputs are nested: tuples, lists and dicts with text keys."""
    if tree["type"] not in _CONTAINERS:
        raise _RefusedError(f"its inputs or outputs are nested in a {str(tree['type'])[:40]}")
    context = json.loads(tree["context"] or "null")
    keys = context if isinstance(context, list) else []
    if (context is not None and keys is not context) or not all(
        isinstance(key, str) and _DOTTED.fullmatch(key) for key in keys
    ):
        raise _RefusedError("its inputs or outputs have keys that are no names")
    for child in tree["children_spec"]:
        _check_tree(child)


def _check_texts(content: Any, key: str) -> None:
    """Check every key and text below: names, sizes and the modes of operators, nothing else."""
    if isinstance(content, dict):
        for inner, value in content.items():
            _require(_DOTTED.fullmatch(inner) and inner != "as_graph", inner)
            _check_texts(value, inner)
    elif isinstance(content, list):
        for value in content:
            _check_texts(value, key)
    elif isinstance(content, str):
        _check_text(content, key)


def _check_text(text: str, key: str) -> None:
    if key in ("in_spec", "out_spec"):
        return  # checked as a tree
    if key == "expr_str":
        _check_size(ast.parse(text, mode="eval").body, text)
    elif key == "as_string":
        _require(text in _MODES, text)
    else:
        rule = _NAME if key in ("name", "as_name", "forward_arg_names") else _DOTTED
        _require(rule.fullmatch(text), text)


def _check_size(node: ast.AST, text: str) -> None:
    """Check that a size is made of numbers, symbols such as s77 and known functions of them."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        _require(node.func.id in _CALLS, text)
        for inner in (*node.args, *(keyword.value for keyword in node.keywords)):
            _check_size(inner, text)
    elif isinstance(node, ast.BinOp | ast.UnaryOp):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                _check_size(child, text)
    elif isinstance(node, ast.Name):
        _require(_SYMBOL.fullmatch(node.id), text)
    else:
        value = node.value if isinstance(node, ast.Constant) else None
        plain = isinstance(value, bool | int | float)
        _require(plain or (isinstance(value, str) and _SYMBOL.fullmatch(value)), text)


def _require(holds: object, text: str) -> None:
    if not holds:
        raise _RefusedError(f"its graph holds the text {text[:60]!r}")
