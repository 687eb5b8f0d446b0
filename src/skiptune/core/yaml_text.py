"""Read a YAML text into plain values, quickly and whatever it holds."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from .errors import InputError
from .plain_values import DEEPEST, refuse_unusable, whole_number

#: Values of a text, where those that aliases repeat count each time.
_MOST = 10_000
_MOST_MERGED = 50
_MERGE, _TIMESTAMP = "tag:yaml.org,2002:merge", "tag:yaml.org,2002:timestamp"


class _Loader(yaml.SafeLoader):
    """Reads numbers as YAML 1.2 and people do, where PyYAML follows version 1.1: ``1e-3`` is a number, ``010`` is ten,
    not eight, and ``1:30`` a text, not ninety. A date is a text, as in JSON. A key twice in one mapping is an error,
    and so is whatever Python cannot read."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name
        first: [rule for rule in rules if rule[0] != _TIMESTAMP]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self._depth > DEEPEST:
            reason = f"lists and mappings are more than {DEEPEST} deep inside each other"
            raise ConstructorError(None, None, reason, self.peek_event().start_mark)  # type: ignore[no-untyped-call]
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            reason = f"cannot be read as {node.tag.rpartition(':')[2]} ({str(error)[:100]})"
            raise ConstructorError(None, None, reason, node.start_mark) from None

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        names = [key.value for key, _ in node.value if isinstance(key.value, str)]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ConstructorError(None, None, f"{twice!r} is there twice; keep one of them", node.start_mark)
        if any(key.tag == _MERGE and len(value.value) > _MOST_MERGED for key, value in node.value):
            raise ConstructorError(None, None, f"more than {_MOST_MERGED} entries are merged by <<", node.start_mark)
        return node

    def flatten_mapping(self, node: Any) -> None:
        super().flatten_mapping(node)  # merging mappings that merge others can grow without end
        if len(node.value) > _MOST:
            raise ConstructorError(None, None, f"more than {_MOST:,} values", node.start_mark)

    def construct_yaml_int(self, node: Any) -> Any:
        text: str = self.construct_scalar(node)
        if re.fullmatch(r"[-+]?[0-9]+", text):
            return whole_number(text)
        if ":" in text:
            return text
        whole_number("0" * len(text))  # other ways to write one are no longer either
        return int(super().construct_yaml_int(node))

    def construct_yaml_float(self, node: Any) -> Any:
        text: str = self.construct_scalar(node)
        return text if ":" in text else float(super().construct_yaml_float(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_yaml(text: str, subject: str) -> Any:
    """The value that a YAML text writes.

    Args:
        text: the YAML.
        subject: what an error's message begins with, e.g. the file's name.

    Raises:
        InputError: not YAML, a key twice, values that cannot be read as their tags say, or what
            :func:`~skiptune.core.plain_values.refuse_unusable` refuses.
    """
    try:
        value = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError) as error:  # an escape beyond Unicode
        raise InputError(f"{subject}: not valid YAML: {' '.join(str(error).split())}") from None
    refuse_unusable(value, subject, _MOST)
    return value
