"""A model that writes, asked over HTTP: what it writes, draws and chooses is what ``predict`` gives."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra ray is not installed")
pytest.importorskip("prometheus_client", reason="the extra ray is not installed")

import httpx

import skiptune as st
from conftest import draw_square
from skiptune.serving.app import application
from tiny_chat import save_slim_llava
from tiny_service import in_base64, service_of


@pytest.fixture(scope="module")
def slim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slim model, beside two pictures."""
    folder = tmp_path_factory.mktemp("writing")
    save_slim_llava(folder / "chat")
    for number in (0, 1):
        draw_square(folder / f"{number}.png", number)
    return folder / "chat"


def asked(slim: Path, *requests: dict[str, Any]) -> list[Any]:
    """The responses to requests that are sent at once."""

    async def ask() -> list[Any]:
        transport = httpx.ASGITransport(application(service_of(slim)), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return list(await asyncio.gather(*(client.post("/v1/models/chat/ask", json=each) for each in requests)))

    return asyncio.run(ask())


def test_answers_are_those_of_predict(slim: Path) -> None:
    pipe = st.pipeline(slim)
    first, second = (slim.parent / f"{number}.png" for number in (0, 1))
    sent, drawing = in_base64(first), {"temperature": 1.5, "top_k": 40, "seed": 3}
    written, drawn, pair, alone, chosen = asked(
        slim,
        {"image": sent, "text": ["is it red", "what color"]},
        {"image": sent, "text": "is it red", **drawing},
        {"image": [sent, in_base64(second)], "text": "is it red"},
        {"text": "is it red"},
        {"image": sent, "text": "is it red", "options": ["yes", "no"]},
    )

    def answers(response: Any) -> list[str]:
        assert response.status_code == 200, response.text
        return [each["answers"][0]["answer"] for each in response.json()["predictions"]]

    assert answers(written) == [pipe(first, "is it red").answer, pipe(first, "what color").answer]
    assert answers(drawn) == [pipe.with_decoding(**drawing)(first, "is it red").answer]
    assert answers(pair) == [pipe([[first, second]], "is it red")[0].answer]
    assert answers(alone) == [pipe(None, "is it red").answer]
    told = chosen.json()["predictions"][0]["answers"]
    wanted = pipe(st.Record(first, "is it red", options=("yes", "no")), top=2)
    assert [each["answer"] for each in told] == [each.answer for each in wanted]
    assert [each["probability"] for each in told] == pytest.approx([each.probability for each in wanted], abs=1e-5)


def test_what_it_cannot_be_asked(slim: Path) -> None:
    empty, twice, without = asked(
        slim, {}, {"text": "is it red", "options": ["yes", "yes"]}, {"text": "is it red", "top_p": 0.5}
    )
    assert {empty.status_code, twice.status_code, without.status_code} == {400}
    assert "give a question, a picture or both" in empty.json()["error"]
    assert "give each answer once" in twice.json()["error"]
    assert "give a temperature above 0 too" in without.json()["error"]
