"""The page in a real browser: with a mouse, with the keyboard alone, by two visitors at once, narrow and wide."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from demo_page import ServedPage, demo_page, let_go

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]
QUESTION = "what colour is it?"
#: The contrast of each text with what is behind it, as WCAG computes it, where it is below 4.5.
CONTRAST = """() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const behind = e => { for (; e; e = e.parentElement) { const c = channels(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0.9) return c; } return [255, 255, 255]; };
  const texts = [...document.querySelectorAll('main *')].filter(e => e.checkVisibility() &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  const contrast = e => { const found = [light(channels(getComputedStyle(e).color)), light(behind(e))];
    return (Math.max(...found) + 0.05) / (Math.min(...found) + 0.05); };
  return texts.map(e => [e.textContent.trim().slice(0, 40), contrast(e)]).filter(([, ratio]) => ratio < 4.5);
}"""
#: What can be used and has no name.
UNNAMED = """() => [...document.querySelectorAll('button, input, textarea, select, a')]
  .filter(e => !(e.getAttribute('aria-label') || e.innerText?.trim() || e.labels?.[0]?.innerText.trim()))
  .map(e => e.outerHTML.slice(0, 90))"""


@pytest.fixture(scope="module", autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    let_go()


@pytest.fixture(scope="module")
def served_page() -> ServedPage:
    return demo_page()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def visit(browser: Any, served_page: ServedPage, width: int = 1400) -> Any:
    """The page of a new visitor, once it is there; ``asked`` on it are the hosts that it asks."""
    page = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce").new_page()
    page.asked = set()
    page.on("request", lambda request: page.asked.add(request.url.split("/")[2]))
    page.goto(served_page.address)
    page.get_by_role("button", name="Ask", exact=True).first.wait_for()
    return page


def upload(page: Any, served_page: ServedPage, name: str) -> None:
    with page.expect_response(lambda response: "/upload" in response.url):
        page.locator("input[type=file]").first.set_input_files(served_page.pictures / name)


def best(page: Any, model: str) -> str:
    """The best answer of a model, once it is there."""
    row = page.get_by_role("region", name=f"Answers of {model}", exact=True).get_by_role("row").nth(1)
    row.wait_for()
    return str(row.get_by_role("rowheader").inner_text()).strip()


def expected(served_page: ServedPage, name: str, model: str = "run") -> str:
    return str(served_page.models[model].pipeline(served_page.pictures / name, QUESTION).answer)


def test_a_wrong_file_then_upload_ask_read(browser: Any, served_page: ServedPage) -> None:
    page = visit(browser, served_page)
    upload(page, served_page, "wrong.png")
    page.get_by_role("alert").get_by_text("not JPEG, PNG, GIF, WEBP, BMP or TIFF").first.wait_for()
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).first.click()
    alert = page.get_by_role("region", name="Answers of run", exact=True).get_by_role("alert")
    alert.wait_for()
    assert "Cannot be read" in alert.inner_text()
    assert "Traceback" not in page.inner_text("body")
    page.get_by_role("button", name="Remove Image").first.click()
    page.locator(".st-pictures").get_by_role("alert").wait_for(state="hidden")

    upload(page, served_page, "0.png")
    page.get_by_label("Question", exact=True).fill(QUESTION)
    page.get_by_role("button", name="Ask", exact=True).first.click()
    assert best(page, "run") == expected(served_page, "0.png")
    assert best(page, "run-all-blocks") == expected(served_page, "0.png", "run-all-blocks")
    assert page.get_by_text("answered in").count() == 2
    assert page.get_by_text("2 of 4 blocks are skipped: 2, 3.").count() == 1

    page.get_by_label("Question or instruction").fill("is it red")
    page.get_by_role("button", name="Ask", exact=True).last.click()
    written = page.get_by_role("region", name="Answers of chat", exact=True)
    written.get_by_text("answered in").wait_for()
    answer = served_page.models["chat"].pipeline(served_page.pictures / "0.png", "is it red").answer
    assert str(answer) in written.inner_text()

    assert page.evaluate(CONTRAST) == []
    assert page.evaluate(UNNAMED) == []
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.asked == {served_page.address.split("/")[2]}
    page.context.close()


def test_two_visitors_and_the_keyboard_alone(browser: Any, served_page: ServedPage) -> None:
    one, other = visit(browser, served_page), visit(browser, served_page, width=380)
    for page, name in ((one, "1.png"), (other, "2.png")):
        upload(page, served_page, name)
    for page in (one, other):
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
                break
        page.keyboard.type(QUESTION)
    one.keyboard.press("Enter")
    other.keyboard.press("Tab")
    assert other.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    other.keyboard.press("Enter")
    assert best(one, "run") == expected(served_page, "1.png")
    assert best(other, "run") == expected(served_page, "2.png")
    assert other.evaluate("document.documentElement.scrollWidth") <= 380
    for page in (one, other):
        page.context.close()
