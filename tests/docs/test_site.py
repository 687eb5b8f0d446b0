"""The site is built without a warning: no broken link, no docstring that cannot be shown."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs_pages import ROOT

pytest.importorskip("mkdocs")


def test_the_site_is_built_strictly_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        fetched = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="?(https?://[^" >]+)', page.read_text("utf-8"))
        assert not fetched, page
