"""Signs of life of long work."""

from __future__ import annotations

import time

import pytest

from skiptune.core import progress
from skiptune.core.progress import busy, track, without_bars


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_SILENT", 0.05)


def test_long_work_is_shown_and_short_work_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    @busy("short")
    def short(value: int) -> int:
        return value

    assert short(3) == short(3) == 3
    assert capfd.readouterr().err == ""
    with busy("long") as begin:
        time.sleep(0.2)
        begin("second part")
    assert "second part" in capfd.readouterr().err


def test_inside_a_bar_no_other_is_shown_where_it_stands_for_it(capfd: pytest.CaptureFixture[str]) -> None:
    with without_bars(), busy("inside"):
        list(track(range(2), "counted"))
        time.sleep(0.2)
    assert capfd.readouterr().err == ""
    for _ in track(range(1), "outside"):
        with busy("inside"):
            time.sleep(0.2)
    assert "outside" in capfd.readouterr().err
