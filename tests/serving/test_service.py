"""Answers of a service are those of ``predict``, whoever else asks; and what it does when too much is asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra ray is not installed")
pytest.importorskip("prometheus_client", reason="the extra ray is not installed")

import httpx

from conftest import MakeModel
from skiptune import Record, SkipConfig, Vqa, pipeline
from skiptune.predicting.results import Prediction
from skiptune.serving.app import application
from skiptune.serving.batches import Batches, Turn
from skiptune.serving.limits import Limits
from skiptune.serving.metrics import Metrics
from skiptune.serving.prepared import Prepared
from skiptune.serving.served import Served
from skiptune.serving.service import Service
from tiny_service import in_base64, save_slim, service_of

#: Padding and other sizes of batches move the last digits.
TOLERANCE = 1e-5


def asked(service: Service, requests: Sequence[tuple[str, dict[str, Any]]]) -> list[Any]:
    """The responses to requests, each the name of a model and JSON, which are all sent at once."""

    async def ask() -> list[Any]:
        transport = httpx.ASGITransport(application(service), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            posts = (client.post(f"/v1/models/{name}/ask", json=body) for name, body in requests)
            return list(await asyncio.gather(*posts))

    return asyncio.run(ask())


@pytest.fixture
def slim(make_model: MakeModel, task: Vqa, tmp_path: Path) -> Path:
    return save_slim(tmp_path / "kitchen", make_model(SkipConfig(), noise=0.1), task)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Models wait for this before they answer, after they were opened."""
    free, answer = threading.Event(), Served.answer

    def late(self: Served, questions: Any) -> list[Prediction]:
        free.wait(60)
        return answer(self, questions)

    monkeypatch.setattr(Served, "answer", late)
    yield free
    free.set()


def requests_of(records: Sequence[Record], name: str = "kitchen") -> list[tuple[str, dict[str, Any]]]:
    return [(name, {"image": in_base64(Path(str(each.image))), "text": each.text, "top": 2}) for each in records]


@pytest.mark.parametrize("batch", [1, 16])
def test_answers_are_those_of_predict(slim: Path, records: list[Record], batch: int) -> None:
    found = asked(service_of(slim, batch=batch), requests_of(records[:10]))
    alone = pipeline(slim)
    for record, response in zip(records[:10], found, strict=True):
        (told,) = response.json()["predictions"]
        wanted = alone(str(record.image), record.text, top=2)
        assert [each["answer"] for each in told["answers"]] == [each.answer for each in wanted]
        chances = [each["probability"] for each in told["answers"]]
        assert chances == pytest.approx([each.probability for each in wanted], abs=TOLERANCE)


def test_questions_that_come_together_are_answered_together(slim: Path, records: list[Record]) -> None:
    service = service_of(slim)
    asked(service, requests_of(records[:12]))
    counts = service.metrics.text().decode()
    batches = next(line for line in counts.splitlines() if line.startswith("skiptune_batch_size_count"))
    assert float(batches.split()[1]) < 8
    assert 'skiptune_requests_total{model="kitchen"' in counts
    assert 'status="200"} 12.0' in counts


def test_several_models_on_one_base(
    make_model: MakeModel, task: Vqa, tmp_path: Path, base_folder: Path, records: list[Record]
) -> None:
    folders = [
        save_slim(
            tmp_path / name, make_model(SkipConfig(), noise=0.1, seed=seed, name=str(base_folder)), task, "adapters"
        )
        for seed, name in enumerate(("one", "two"))
    ]
    service = service_of(*folders)
    assert [(each.name, each.skipped) for each in service.told()] == [("one", ("1",)), ("two", ("1",))]
    assert len({each.base for each in service.told()} - {None}) == 1
    found = asked(service, [*requests_of(records[:2], "one"), *requests_of(records[:2], "two")])
    for response, folder in zip(found, [folders[0]] * 2 + [folders[1]] * 2, strict=True):
        record = records[found.index(response) % 2]
        wanted = pipeline(folder)(str(record.image), record.text, top=2)
        assert response.json()["predictions"][0]["answers"][0]["answer"] == wanted.answer


def test_further_requests_are_told_that_it_is_busy(slim: Path, records: list[Record], held: threading.Event) -> None:
    service = service_of(slim, queue=3)

    def free_at_last() -> None:
        while 'status="503"} 7.0' not in service.metrics.text().decode():
            time.sleep(0.01)
        held.set()

    threading.Thread(target=free_at_last, daemon=True).start()
    found = asked(service, requests_of(records[:10]))
    assert sorted(response.status_code for response in found) == [200] * 3 + [503] * 7
    busy = next(response for response in found if response.status_code == 503)
    assert "busy: 3 requests wait already" in busy.json()["error"]
    assert busy.headers["retry-after"] == "1"
    assert service.inside == 0


def test_a_request_has_its_time(slim: Path, records: list[Record], held: threading.Event) -> None:
    service = service_of(slim, seconds=0.2)
    (late,) = asked(service, requests_of(records[:1]))
    assert late.status_code == 504
    assert "no answer within 0.2 s" in late.json()["error"]


def test_a_model_that_fails_says_so_and_goes_on(
    slim: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails, answer = [True], Served.answer
    monkeypatch.setattr(Served, "answer", lambda *given: 1 / 0 if fails and fails.pop() else answer(*given))
    found = asked(service_of(slim, batch=1), requests_of(records[:2]))
    fine, failed = sorted(found, key=lambda response: response.status_code)  # either may be decoded first
    assert failed.status_code == 500
    assert failed.json() == {"error": "the model failed; the log of the service says why"}
    assert fine.status_code == 200


def test_a_question_at_which_the_model_fails_spoils_no_other(
    slim: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = Served.answer

    def fails(self: Served, questions: Sequence[Prepared]) -> list[Prediction]:
        if any(each.record.text == "fail" for each in questions):
            raise ArithmeticError
        return answer(self, questions)

    monkeypatch.setattr(Served, "answer", fails)
    requests = requests_of(records[:6])
    requests[3][1]["text"] = "fail"
    found = asked(service_of(slim), requests)
    assert [response.status_code for response in found] == [200, 200, 200, 500, 200, 200]


def test_who_is_left_for_the_next_batch_does_not_wait_for_a_further_question() -> None:
    def answer(questions: Sequence[Prepared]) -> list[Prediction]:
        return [Prediction(()) for _ in questions]

    async def ask() -> None:
        turn = Turn(ThreadPoolExecutor(1), asyncio.Lock())
        batches = Batches("kitchen", answer, Limits(batch_wait=20, seconds=1), turn, Metrics())
        alike = [Prepared(Record(None, "?"), {}, 1) for _ in range(3)]
        await asyncio.gather(*map(batches.ask, alike))
        other = Prepared(Record(None, "?"), {}, 1, (("seed", 1),))
        await asyncio.wait_for(asyncio.gather(batches.ask(alike[0]), batches.ask(other)), 5)

    asyncio.run(ask())


def test_without_a_place_it_is_not_ready(slim: Path) -> None:
    from starlette.testclient import TestClient

    service = service_of(slim, queue=1)
    with TestClient(application(service)) as client:
        assert (client.get("/healthz").text, client.get("/readyz").text) == ("ok", "ok")
        assert (client.head("/healthz").status_code, client.head("/readyz").status_code) == (200, 200)
        service.inside = 1
        assert (client.get("/healthz").text, client.get("/readyz").status_code) == ("ok", 503)
        assert "busy" in client.post("/v1/models/kitchen/ask").json()["error"]
