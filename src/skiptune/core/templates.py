"""Pages from Jinja2 templates. Every value is escaped, and a name that a template does not get is an error."""

from __future__ import annotations

from .formatting import Markdown, markdown, markdown_table


def render(package: str, template: str, /, **values: object) -> str:
    """Fill in ``template``, ``NAME.html.j2``, ``NAME.md.j2`` or ``NAME.yaml.j2``, in the folder ``templates`` of
    ``package``.

    In HTML, values are escaped by Jinja2; in Markdown, by :func:`skiptune.core.formatting.markdown`; in YAML each is
    written as YAML on one line, other than :class:`Comment`. Jinja2 is imported here and not above: only commands that
    write a page pay for it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    kind = template.split(".")[-2]
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=kind == "html",
        finalize={"html": None, "md": _escaped, "yaml": _as_yaml}[kind],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values, markdown_table=markdown_table, raw=Markdown)


class Comment(str):
    """Text for a comment in YAML, which is no value."""

    __slots__ = ()


def _as_yaml(value: object) -> str:
    """``value`` as YAML on one line."""
    if isinstance(value, Comment):
        return value.replace("\n", " ")
    import yaml

    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _escaped(value: object) -> str:
    """``value`` for a template in Markdown."""
    return markdown(value)
