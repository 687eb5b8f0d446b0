"""What the README and the pages of the site hold: code blocks, commands, links."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NOTEBOOKS = sorted((DOCS / "tutorials").glob("*.ipynb"))
#: What a fenced block may be; all but ``text`` are run or read by a test. ``bash`` and ``py`` need a service.
KINDS = ("console", "python", "yaml", "json", "text", "bash", "py")
_FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A page by its path in the repository, as Markdown."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Fenced blocks, each with its kind."""
        return [(match[2], textwrap.dedent(match[3])) for match in _FENCE.finditer(self.text)]

    def of_kind(self, kind: str) -> list[str]:
        return [text for found, text in self.blocks if found == kind]

    @property
    def inline(self) -> list[str]:
        """Code inside sentences, on one line each."""
        found = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", _FENCE.sub("", self.text))]
        return [code for code in found if "…" not in code and ";" not in code]  # else a message

    @property
    def lines(self) -> list[str]:
        """What a reader is told to type: console blocks, the first line of recipes, and code inside sentences."""
        typed = [line.split(" #")[0].strip() for text in self.of_kind("console") for line in text.splitlines()]
        first = [text.splitlines()[0].removeprefix("# ") for text in self.of_kind("yaml")]
        named = ("skiptune ", "python benchmarks/", "make ")
        return list(
            dict.fromkeys(filter(None, [*typed, *(line for line in (*first, *self.inline) if line.startswith(named))]))
        )

    @property
    def links(self) -> list[str]:
        """Targets of links and pictures that are files."""
        return [target for target in re.findall(r"\]\(([^)#\s]+)", self.text) if not target.startswith("http")]


def _page(path: Path) -> Page:
    if path.suffix == ".md":
        return Page(path, path.read_text(encoding="utf-8"))
    cells = nbformat.read(path, as_version=4).cells
    return Page(path, "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown"))


PAGES = [_page(path) for path in (ROOT / "README.md", *sorted(DOCS.rglob("*.md")), *NOTEBOOKS)]
TUTORIALS = [page for page in PAGES if page.path in NOTEBOOKS]
WITH_PYTHON = [page for page in PAGES if page.of_kind("python")]


def every(start: str, pages: list[Page] = PAGES) -> list[str]:
    """Lines of pages that begin with ``start``, each once."""
    return list(dict.fromkeys(line for page in pages for line in page.lines if line.startswith(start)))


def words(line: str) -> list[str]:
    """A command line as its words."""
    return shlex.split(line)
