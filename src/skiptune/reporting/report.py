"""The report card of a run: ``report.html`` to look at, one file that loads nothing, and ``report.md`` to paste."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ..core.files import write_text
from ..core.formatting import markdown, markdown_table
from .plots import latency_plot, losses_plot, preferences_plot, rounds_plot
from .summary import Headline, Table, baselines, file_name, find, headlines, outcome, recipe_text, subtitle, tables

_THUMBNAIL = 240  # pixels a side at most


def write_report(folder: Path, results: dict[str, Any]) -> None:
    """Write ``report.html`` and ``report.md`` into ``folder``, each whole or not at all.

    Args:
        folder: the run's directory; made if it does not exist.
        results: content of ``results.json``. What is missing in it is left out of the report.

    Raises:
        RunError: the disk is full or not writable.
    """
    for name, text in (("report.md", _markdown(results)), ("report.html", _page(results))):
        # names of files may hold bytes that are not UTF-8, which Python keeps as surrogates
        write_text(folder / name, text.encode("utf-8", "replace").decode("utf-8"))


# Markdown -------------------------------------------------------------------------------------------------------------


def _markdown(results: Mapping[str, Any]) -> str:
    """Text and tables only: images inside Markdown are not shown by most viewers."""
    parts = ["# SkipTune report card", markdown(subtitle(results))]
    found = [(entry.label, entry.value, entry.note) for entry in headlines(results)]
    blocks = find(results, "plan", "blocks") or []
    parts += [_md_table(Table("", ("", "", ""), found))] if found else []
    if blocks:
        parts += ["## Blocks", _md_table(_block_table(results))]
    for table in (*baselines(results), *tables(results)):
        parts += [f"## {table.title}", _md_table(table), markdown(table.note)]
    if find(results, "samples"):
        parts += ["## Sample questions", _md_table(_sample_table(results["samples"]))]
    recipe = recipe_text(results)
    if recipe:
        fence = "`" * max(3, *(len(run) + 1 for run in ["", *re.findall("`+", recipe)]))
        parts += ["## Recipe", f"{fence}yaml\n{recipe}{fence}"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _block_table(results: Mapping[str, Any]) -> Table:
    plan = results["plan"]
    preferences = plan.get("preferences") or {}
    rows = [
        (name, "skipped" if name in plan["skipped"] else "kept")
        + ((f"{preferences[name]:+.3f}".replace("-", "−"),) if name in preferences else ("–",))
        for name in plan["blocks"]
    ]
    return Table("", ("block", "state", "preference"), rows)


def _sample_table(samples: list[Mapping[str, Any]]) -> Table:
    rows = [
        (
            " ".join(outcome(sample)[1:]),
            sample["question"],
            sample["given"],
            ", ".join(sample["accepted"]),
            file_name(sample["image"]),
        )
        for sample in samples
    ]
    return Table("", ("", "question", "given", "accepted", "image"), rows)


def _md_table(table: Table) -> str:
    return markdown_table(table.header, table.rows)


# HTML -----------------------------------------------------------------------------------------------------------------


def _page(results: Mapping[str, Any]) -> str:
    """The whole page. Its policy forbids it to load or run anything, should an escape ever be missing."""
    sections = [
        _headline_tiles(headlines(results)),
        _strip(results),
        _figures(results),
        *(f"<section>{_html_table(table)}</section>" for table in baselines(results)),
        _gallery(find(results, "samples") or []),
        _details(tables(results)),
        _recipe(results),
    ]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SkipTune report card</title>
<style>{_STYLE}</style>
</head>
<body>
<header><h1>SkipTune report card</h1><p>{html.escape(subtitle(results))}</p></header>
{"".join(section for section in sections if section)}
</body>
</html>
"""


def _headline_tiles(found: list[Headline]) -> str:
    tiles = [
        f'<div class="tile"><p>{html.escape(entry.label)}</p><strong>{html.escape(entry.value)}</strong>'
        f"<small>{html.escape(entry.note)}</small></div>\n"
        for entry in found
    ]
    return f'<section class="tiles">\n{"".join(tiles)}</section>\n' if tiles else ""


def _strip(results: Mapping[str, Any]) -> str:
    """The blocks from input to output; a skipped one is dashed and says so."""
    blocks, skipped = find(results, "plan", "blocks") or [], find(results, "plan", "skipped") or []
    boxes = [
        f'<li class="{state}"><b>{html.escape(name)}</b>{state}</li>'
        for name, state in ((name, "skipped" if name in skipped else "kept") for name in blocks)
    ]
    title = f"<h2>Blocks, from input to output: {len(blocks) - len(skipped)} kept, {len(skipped)} skipped</h2>"
    width = max(map(len, blocks), default=0) + 3
    return (
        f'<section>{title}<ol class="strip" style="--w: {width}ch">{"".join(boxes)}</ol></section>\n' if boxes else ""
    )


def _figures(results: Mapping[str, Any]) -> str:
    plan = find(results, "plan") or {}
    blocks, skipped, preferences = plan.get("blocks") or [], plan.get("skipped") or [], plan.get("preferences") or {}
    histories = {name: entries for name, entries in (find(results, "history") or {}).items() if entries}
    batches = find(results, "latency", "batches")
    images = {}
    if any(preferences.values()):
        images["Preferences at the end of the search"] = preferences_plot(blocks, preferences, skipped)
    if plan.get("rounds"):
        images["Preferences during the search"] = rounds_plot(blocks, plan["rounds"], skipped)
    if histories:
        images["Loss during search and training"] = losses_plot(histories)
    if batches:
        images["Latency, with 10% to 90% of the runs"] = latency_plot(batches)
    figures = [
        f'<figure><h2>{title}</h2><img src="{image}" alt="{title}; numbers are in the tables below"></figure>\n'
        for title, image in images.items()
    ]
    return f'<section class="figures">\n{"".join(figures)}</section>\n' if figures else ""


def _gallery(samples: list[Mapping[str, Any]]) -> str:
    cards = "".join(_card(sample) for sample in samples)
    return f'<section><h2>Sample questions</h2><div class="gallery">\n{cards}</div></section>\n' if samples else ""


def _card(sample: Mapping[str, Any]) -> str:
    kind, symbol, word = outcome(sample)
    name, image = html.escape(file_name(sample["image"])), _thumbnail(sample["image"])
    picture = f'<img src="{image}" alt="{name}">' if image else '<div class="missing">image cannot be read</div>'
    accepted = html.escape(", ".join(sample["accepted"]))
    return (
        f'<figure class="card">{picture}<figcaption>{name}</figcaption><p>{html.escape(sample["question"])}</p>'
        f'<p class="{kind}"><b>{symbol}</b> {html.escape(sample["given"])} <small>({word})</small></p>'
        + (f"<small>accepted: {accepted}</small>" if accepted else "")
        + "</figure>\n"
    )


def _thumbnail(path: str) -> str | None:
    """The image, made smaller, as a ``data:`` address; ``None`` if it cannot be read."""
    buffer = io.BytesIO()
    try:
        with Image.open(path) as opened:
            opened.thumbnail((_THUMBNAIL, _THUMBNAIL))
            opened.convert("RGB").save(buffer, "JPEG", quality=90, subsampling=0)
    except Exception:  # moved, deleted or damaged since; Pillow's decoders raise whatever their format suggests
        return None
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _details(found: list[Table]) -> str:
    inner = "".join(f"<div>{_html_table(table)}</div>\n" for table in found)
    return f'<section class="details">\n{inner}</section>\n' if found else ""


def _html_table(table: Table) -> str:
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in table.header)
    rows = [
        f'<tr><th scope="row">{html.escape(row[0])}</th>' + "".join(f"<td>{html.escape(cell)}</td>" for cell in row[1:])
        for row in table.rows
    ]
    note = f"<small>{html.escape(table.note)}</small>" if table.note else ""
    body = "</tr>\n".join(rows)
    return f"<h2>{html.escape(table.title)}</h2><table><tr>{head}</tr>\n{body}</tr></table>{note}"


def _recipe(results: Mapping[str, Any]) -> str:
    text = html.escape(recipe_text(results))
    parts = re.split(r"\n(?=[^\s-])", text.rstrip())  # at top-level names, so that columns do not cut sections
    inner = "".join(f"<span>{part}\n</span>" for part in parts)
    return f"<section><h2>Recipe</h2><pre>{inner}</pre></section>\n" if text else ""


_STYLE = """
:root { color-scheme: light; --ink: #222; --soft: #5c5c5c; --line: #dcdcdc; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1120px; color: var(--ink); background: #f4f5f7;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
h1 { margin: 0; font-size: 28px; }
h2 { margin: 0 0 10px; font-size: 16px; }
p { margin: 0; }
header p, small, figcaption { color: var(--soft); }
header, .strip, .card, pre { overflow-wrap: anywhere; }
small, figcaption { font-size: 13px; }
section, .figures > figure, .details > div { margin: 16px 0 0; padding: 16px; background: #fff; border-radius: 8px;
  border: 1px solid var(--line); overflow-x: auto; }
.tiles, .figures, .details { padding: 0; border: 0; background: none; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 12px; }
.tile { display: grid; grid-row: span 3; grid-template-rows: subgrid; row-gap: 0; padding: 12px 14px;
  background: #fff; border: 1px solid var(--line); border-top: 4px solid #0072B2;
  border-radius: 8px; }
.tile p { font-size: 14px; }
.tile small { display: block; line-height: 1.35; }
.tile strong { display: block; font-size: 27px; line-height: 1.3; }
.strip { display: grid; grid-template-columns: repeat(auto-fit, minmax(max(64px, var(--w)), 1fr)); gap: 6px;
  margin: 0; padding: 0; list-style: none; }
.strip li { padding: 8px 4px; border: 2px solid #0072B2; border-radius: 6px; text-align: center;
  font-size: 12px; color: #fff; background: #0072B2; }
.strip li.skipped { color: #8f3e00; border: 2px dashed #D55E00;
  background: repeating-linear-gradient(135deg, #fff 0 7px, #fbe3d4 7px 10px); }
.strip b { display: block; font-size: 15px; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); gap: 16px; }
.figures > figure { margin: 0; }
.figures img { display: block; width: 100%; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 14px; }
.card { margin: 0; padding: 10px; border: 1px solid var(--line); border-radius: 6px; }
.card img, .missing { display: block; width: 100%; height: 130px; object-fit: contain; background: #f4f5f7; }
.missing { padding-top: 54px; text-align: center; font-size: 13px; color: var(--soft); border: 1px dashed #767676; }
.card p { margin-top: 4px; }
.right b, .wrong b, .partly b, .unknown b { display: inline-block; width: 22px; line-height: 22px; text-align: center;
  border-radius: 50%; color: #fff; background: #767676; }
.right b { background: #007a59; }
.wrong b { background: #c04f00; border-radius: 4px; }
.details { columns: 2 440px; column-gap: 16px; }
.details > div { margin: 0 0 16px; break-inside: avoid; }
table { width: 100%; border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 0 4px 12px; text-align: right; border-bottom: 1px solid #ececec; vertical-align: bottom; }
td { white-space: nowrap; }
th { font-weight: 600; color: var(--soft); }
th:first-child { padding-left: 0; text-align: left; font-weight: 400; color: var(--ink); }
pre { margin: 0; font: 13px/1.4 ui-monospace, "DejaVu Sans Mono", monospace; white-space: pre-wrap; columns: 2 400px; }
pre span { display: block; break-inside: avoid; }
@media print { body { background: #fff; } }
"""
