"""What MkDocs cannot do by itself: notebooks as pages, and links to files of the repository outside ``docs/``.

Written here instead of taking ``mkdocs-jupyter``, which brings nbconvert and loads scripts from a network. A notebook
``tutorials/x.ipynb`` becomes the page ``tutorials/x.md``, with its stored outputs. Results, recipes and the few files
at the top that pages link to are copied into the site, so that a link is the same in the repository and on the site.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebook_pages import page_of

ROOT = Path(__file__).parents[2]
#: Files outside ``docs/`` that pages may link to.
LINKED = ("benchmarks/*.py", "benchmarks/results/*", "src/skiptune/recipes/**/*.yaml", "CHANGELOG.md")
LINKED += ("CONTRIBUTING.md", "LICENSE")
#: Where those are that are pages of the site, too.
TOP = ("benchmarks/", "CHANGELOG.md", "CONTRIBUTING.md")
_LINK = re.compile(r"(\]\()(?!\w+:|#)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Notebooks become pages; files that pages link to are added."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        page = str(Path(file.src_uri).with_suffix(".md"))
        files.append(File.generated(config, page, content=page_of(Path(str(file.abs_src_path)))))
    for pattern in LINKED:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links as they are in the repository become links as they are on the site."""
    copied = page.file.abs_src_path is None or not Path(page.file.abs_src_path).is_relative_to(config.docs_dir)
    source = page.file.src_uri if copied and page.file.src_uri.startswith(TOP) else f"docs/{page.file.src_uri}"

    def moved(match: re.Match[str]) -> str:
        target = normpath(join(dirname(source), match[2])).removeprefix("docs/")
        target = f"{target.removesuffix('.ipynb')}.md" if target.endswith(".ipynb") else target
        return match[1] + relpath(target, dirname(page.file.src_uri) or ".")

    return _LINK.sub(moved, markdown)
