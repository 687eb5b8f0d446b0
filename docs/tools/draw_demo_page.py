"""Take a picture of the page of ``skiptune demo``: ``python docs/tools/draw_demo_page.py MODEL PICTURE.png``.

The model's second example is asked five times, by Chromium, with all blocks beside it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from skiptune.answering.opened import named_folders, open_models
from skiptune.answering.picture_limits import PictureLimits
from skiptune.showing.show import Place, served, warm_up
from skiptune.showing.shown_model import shown_models

_SIZE = {"width": 1180, "height": 780}
_ASKED, _PAUSE = 5, 2000  # times, milliseconds


def draw(address: str, picture: Path) -> None:
    """Ask at ``address`` and write what is seen then."""
    with sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport=_SIZE)
        page.goto(address)
        button = page.get_by_role("button", name="Ask", exact=True)
        button.wait_for()
        page.locator(".st-pictures button:has(img)").nth(1).click()
        page.wait_for_function("document.querySelector('textarea').value")
        for _ in range(_ASKED):
            button.click()
            page.wait_for_timeout(_PAUSE)
        page.get_by_text("median of").nth(1).wait_for()
        page.mouse.move(0, 0)
        page.evaluate("document.activeElement.blur()")
        page.screenshot(path=picture, full_page=True)
        browser.close()


if __name__ == "__main__":
    model, picture = sys.argv[1:]
    shown = shown_models(open_models(named_folders([model])), original=True)
    warm_up(shown)
    with served(shown, PictureLimits(), Place()) as address:
        draw(address, Path(picture))
