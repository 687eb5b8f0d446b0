"""Pages from Jinja2 templates. Every value is escaped, and a name that a template does not get is an error."""

from __future__ import annotations

from .formatting import Markdown, markdown, markdown_table


def render(package: str, template: str, /, **values: object) -> str:
    """Fill in ``template``, ``NAME.html.j2`` or ``NAME.md.j2``, in the folder ``templates`` of ``package``.

    In HTML, values are escaped by Jinja2; in Markdown, by :func:`skiptune.core.formatting.markdown`. Jinja2 is imported
    here and not above: only commands that write a page pay for it.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    html = template.endswith(".html.j2")
    environment = Environment(
        loader=PackageLoader(package),
        autoescape=html,
        finalize=None if html else _escaped,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(template).render(**values, markdown_table=markdown_table, raw=Markdown)


def _escaped(value: object) -> str:
    """``value`` for a template in Markdown."""
    return markdown(value)
