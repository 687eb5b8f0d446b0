"""Every message of an error in the source, as a template: what is filled in at run time is written ``…``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import product
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "skiptune"

#: Exceptions whose text a user reads.
ERRORS = {"InputError", "RunError", "ValueError", "PydanticCustomError", "Problems"}
#: What a list of problems is called where it is filled: ``problems.check(ok, text)``, ``problems.add(text)``.
LISTS = ("problems", "bad")
#: Functions that return a whole message for others to raise.
PRODUCERS = {"_refusal", "refusal"}


def messages() -> dict[str, str]:
    """Template -> the file it stands in."""
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for text in _of_module(ast.parse(path.read_text(encoding="utf-8"))):
            if any(letter.isalpha() for letter in text):
                found.setdefault(text, path.relative_to(SOURCE).as_posix())
    return found


def _of_module(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, ast.FunctionDef) and node.name in PRODUCERS:
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return) and inner.value is not None:
                    yield from _templates(inner.value)


def _of_call(call: ast.Call) -> Iterator[str]:
    function = call.func
    if isinstance(function, ast.Name) and function.id in ERRORS and call.args:
        yield from _templates(call.args[-1] if function.id != "PydanticCustomError" else call.args[1])
    elif isinstance(function, ast.Attribute) and function.attr in ("add", "check") and call.args:
        owner = ast.unparse(function.value).rpartition(".")[2]
        if owner in LISTS:
            yield from _templates(call.args[-1])


def _templates(node: ast.expr) -> list[str]:
    """All texts that an expression can give."""
    if isinstance(node, ast.Constant):
        return [" ".join(node.value.split("\n"))] if isinstance(node.value, str) else ["…"]
    if isinstance(node, ast.JoinedStr):
        parts = [_templates(part) for part in node.values]
        return ["".join(chosen) for chosen in product(*parts)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return ["".join(chosen) for chosen in product(_templates(node.left), _templates(node.right))]
    if isinstance(node, ast.IfExp):
        return [*_templates(node.body), *_templates(node.orelse)]
    if isinstance(node, ast.Call) and isinstance(node.args[0] if node.args else None, ast.List):  # "\n".join([…])
        first, *_ = node.args[0].elts  # type: ignore[attr-defined]
        return [f"{text}…" for text in _templates(first)]
    return ["…"]
