"""Every message of an error in the source, as a template: what is filled in at run time is written ``…``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "skiptune"

#: Exceptions whose text a user reads, and the argument it is in.
ERRORS = {
    "InputError": 0,
    "BadRowsError": 0,
    "RunError": 0,
    "ValueError": 0,
    "PydanticCustomError": 1,
    "Problems": 0,
}
#: What a list of problems is called where it is filled: ``problems.check(ok, text)``, ``problems.add(text)``.
LISTS = ("problems", "bad")
#: Functions that return a whole message for others to raise.
PRODUCERS = {"_refusal", "refusal", "unusable", "unmet", "_lines", "argument_problems"}


@cache
def messages() -> dict[str, str]:
    """Template -> the file it stands in."""
    found: dict[str, str] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for text in _of_module(ast.parse(path.read_text(encoding="utf-8"))):
            if any(letter.isalpha() for letter in text):
                found.setdefault(text, path.relative_to(SOURCE).as_posix())
    return found


def _of_module(tree: ast.Module) -> Iterator[str]:
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        inside = [function for function in functions if function.lineno <= call.lineno <= (function.end_lineno or 0)]
        texts = _of_call(call, _words(inside[-1]) if inside else {})
        yield from (f"…: {text}" for text in texts) if inside and _checks_a_field(inside[-1]) else texts
    for function in functions:
        for node in ast.walk(function) if function.name in PRODUCERS else ():
            if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
                yield from _templates(node.value, _words(function))


@cache
def _checks_a_field(function: ast.FunctionDef) -> bool:
    """Whether the field's path is put before its messages."""
    return any("field_validator(" in ast.unparse(decorator) for decorator in function.decorator_list)


@cache
def _words(function: ast.FunctionDef) -> dict[str, ast.expr]:
    """Variables of a function that hold a fixed text, or one of two."""
    found = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            parts = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
            if all(isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value for part in parts):
                found[node.targets[0].id] = node.value
    return found


def _of_call(call: ast.Call, words: dict[str, ast.expr]) -> Iterator[str]:
    function = call.func
    name = function.id if isinstance(function, ast.Name) else ""
    if name in ERRORS and len(call.args) > ERRORS[name]:
        yield from _templates(call.args[ERRORS[name]], words)
    elif name == "Field":  # what a valid value is
        descriptions = [given.value for given in call.keywords if given.arg == "description"]
        yield from (f"…: … is not {text}" for node in descriptions for text in _templates(node, words))
    elif isinstance(function, ast.Attribute) and function.attr == "from_dict" and len(call.args) > 1:  # a first line
        yield from _templates(call.args[1], words)
    elif isinstance(function, ast.Attribute) and function.attr in ("add", "check") and _is_list(function.value):
        yield from _templates(call.args[-1], words)


def _is_list(owner: ast.expr) -> bool:
    return ast.unparse(owner).rpartition(".")[2] in LISTS


def _templates(node: ast.expr, words: dict[str, ast.expr]) -> list[str]:
    """All texts that an expression can give."""
    if isinstance(node, ast.Constant):
        return [" ".join(node.value.split("\n"))] if isinstance(node.value, str) else ["…"]
    if isinstance(node, ast.Name) and node.id in words:
        return _templates(words[node.id], {})
    if isinstance(node, ast.JoinedStr | ast.FormattedValue):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node.value]
        return ["".join(chosen) for chosen in product(*(_templates(part, words) for part in parts))]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = (_templates(side, words) for side in (node.left, node.right))
        return ["".join(chosen) for chosen in product(*sides)]
    if isinstance(node, ast.IfExp):
        return [*_templates(node.body, words), *_templates(node.orelse, words)]
    if isinstance(node, ast.Call) and isinstance(node.args[0] if node.args else None, ast.List):  # "\n".join([…])
        first, *_ = node.args[0].elts  # type: ignore[attr-defined]
        return [f"{text}…" for text in _templates(first, words)]
    return ["…"]
