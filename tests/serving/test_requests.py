"""What a service takes and what it refuses: each with a status and a sentence, and nothing is opened or run."""

from __future__ import annotations

import base64
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the extra ray is not installed")
pytest.importorskip("prometheus_client", reason="the extra ray is not installed")

from malformed import JSON, malformed
from starlette.testclient import TestClient

from conftest import MODEL
from skiptune import SkipConfig, Vqa, insert, load_model
from skiptune.serving.app import application
from skiptune.serving.service import Service
from tiny_service import in_base64, save_slim, service_of

ASK = "/v1/models/kitchen/ask"


@pytest.fixture(scope="module")
def service(task: Vqa, tmp_path_factory: pytest.TempPathFactory) -> Service:
    model = load_model(MODEL, task.model_class, **task.model_changes())
    insert(model, SkipConfig())
    folder = save_slim(tmp_path_factory.mktemp("service") / "kitchen", model.eval(), task)
    return service_of(folder, queue=4, mebibytes=0.1, megapixels=0.01, letters=100, texts=3)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(application(service), raise_server_exceptions=False) as found:
        yield found


@pytest.fixture
def picture(data_folder: Path) -> Path:
    return data_folder / "images" / "0.png"


def sentence(response: Any, status: int) -> str:
    """The sentence of a refusal."""
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    found = response.json()["error"]
    assert isinstance(found, str)
    assert "Traceback" not in found
    assert "\n" not in found
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"image": "/etc/passwd"}, "no picture in base64; send the bytes of the file"),
        ({"image": "https://host.invalid/a.png"}, "no picture in base64"),
        ({"image": "data:image/png;base64,aGVsbG8="}, "no picture in base64"),
        ({"image": base64.b64encode(b"/etc/passwd").decode()}, "not JPEG, PNG, GIF, WEBP, BMP or TIFF"),
        ({"image": 3}, "image: 3 is not a picture in base64, or a list of them"),
        ({"image": []}, "image: 0 given; this model is about 1"),
        ({"imgae": "x"}, "imgae: unknown field; did you mean 'image'?"),
        ({"text": None}, "text: None is not a text"),
        ({"text": " "}, "the question is empty"),
        ({"text": "x" * 101}, "text: 101 letters, at most 100 are taken"),
        ({"text": ["a"] * 4}, "text: 4 given, at most 3 are taken"),
        ({"top": 0}, "top: 0 is not a whole number in [1, 100]"),
        ({"top": True}, "top: True is not"),
        ({"temperature": 0.7}, "writes no text"),
        ({"max_new_tokens": 10**6}, "max_new_tokens: 1,000,000, at most 512 are written"),
        # of these not every entry is looked at
        ({"text": [0] * 20_000}, "text: 20,000 given, at most 3 are taken"),
        ({"image": [[]] * 20_000}, "image: 20,000 given, at most 8 are taken"),
        ({str(number): 0 for number in range(9_000)}, "9,002 fields; there are 10"),
        ({"x" * 90_000: 0}, "a field's name has 90,000 letters"),
    ],
)
def test_a_request_that_is_not_valid(client: TestClient, picture: Path, change: dict[str, Any], said: str) -> None:
    response = client.post(ASK, json={"image": in_base64(picture), "text": "colour?", **change})
    assert said in sentence(response, 400)


def test_all_problems_are_told_at_once(client: TestClient, picture: Path) -> None:
    said = sentence(client.post(ASK, json={"image": in_base64(picture), "text": 1, "top": 0}), 400)
    assert "text: 1" in said
    assert "top: 0" in said


@pytest.mark.parametrize(
    ("path", "method", "status", "said"),
    [
        ("/v1/models/kitchn/ask", "POST", 404, "did you mean 'kitchen'?"),
        ("/v1/models/..%2F..%2Fetc%2Fpasswd/ask", "POST", 404, ""),
        ("/photos/kitchen.jpg", "GET", 404, "not found; see /docs"),
        (ASK, "GET", 405, "method not allowed"),
    ],
)
def test_addresses(client: TestClient, path: str, method: str, status: int, said: str) -> None:
    assert said in sentence(client.request(method, path, json={}), status)


def test_a_body_that_is_too_large_is_refused_before_it_is_read(client: TestClient) -> None:
    read = []

    def parts() -> Iterator[bytes]:
        for number in range(10_000):
            read.append(number)
            yield b" " * 10_000

    headers = {"content-type": "application/json"}
    assert "more than 0.1 MiB" in sentence(client.post(ASK, content=b" " * 200_000, headers=headers), 413)
    assert "more than 0.1 MiB" in sentence(client.post(ASK, content=parts(), headers=headers), 413)
    headers["content-length"] = "9" * 5_000  # more digits than Python makes a number of
    assert "more than 0.1 MiB" in sentence(client.post(ASK, content=b"{}", headers=headers), 413)


def test_a_picture_of_many_pixels_is_refused_undecoded(client: TestClient, tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (200, 100)).save(tmp_path / "large.png")
    response = client.post(ASK, json={"image": in_base64(tmp_path / "large.png"), "text": "colour?"})
    assert "200 × 100 pixels; at most 0.01 megapixels are taken" in sentence(response, 400)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"content-type": "text/plain"}, "send application/json or multipart/form-data"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, "not compressed"),
        ({}, "content-type: 'none'"),
    ],
)
def test_bodies_of_other_kinds(client: TestClient, headers: dict[str, str], said: str) -> None:
    assert said in sentence(client.post(ASK, content=b"{}", headers=headers), 415)


def test_a_form_is_answered_like_json(client: TestClient, picture: Path) -> None:
    form = client.post(ASK, files={"image": picture.read_bytes()}, data={"text": ["colour?", "which?"], "top": "2"})
    asked = {"image": in_base64(picture), "text": ["colour?", "which?"], "top": 2}
    assert form.status_code == 200, form.text
    assert form.json() == client.post(ASK, json=asked).json()
    assert [len(each["answers"]) for each in form.json()["predictions"]] == [2, 2]


@pytest.mark.parametrize(
    ("data", "files", "said"),
    [
        ({"text": "colour?", "image": "/etc/passwd"}, {}, "send the picture as a file of the form"),
        ({"text": "colour?", "top": "many"}, {"image": b"x"}, "top: 'many' is not a whole number"),
        ({"text": "colour?", "top": ["1", "2"]}, {"image": b"x"}, "top: given twice"),
        ({"text": "x" * 500}, {"image": b"x"}, "the form cannot be read"),
        ({"text": "colour?"}, {"picture": b"x"}, "picture: unknown field"),
    ],
)
def test_forms_that_are_not_valid(client: TestClient, data: Any, files: Any, said: str) -> None:
    files = files or {"image": b"x"}
    assert said in sentence(client.post(ASK, data=data, files=files), 400)


def test_of_malformed_requests_nothing_is_opened_and_nothing_runs(
    client: TestClient, service: Service, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    watching = [True]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event in ("open", "os.listdir", "subprocess.Popen", "os.system", "socket.connect"):
            opened.append(f"{event} {arguments[:2]}")

    monkeypatch.setattr("skiptune.serving.batches.Batches.ask", lambda *given: pytest.fail("a model was asked"))
    draw = random.Random(0)
    requests = [malformed(draw, picture.read_bytes()) for _ in range(60)]
    client.post(ASK, content=b"", headers={"content-type": JSON})  # what is imported late is imported
    sys.addaudithook(watch)
    try:
        for kind, body in requests:
            sentence_of_any(client.post(ASK, content=body, headers={"content-type": kind}))
    finally:
        watching.clear()
    assert opened == []


def sentence_of_any(response: Any) -> None:
    assert 400 <= response.status_code < 500, response.text
    assert response.json()["error"], response.text


def test_the_page_and_the_description_load_nothing(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "<script" not in page
    assert "://" not in page.replace("http://127.0.0.1", "")
    assert "/v1/models/{name}/ask" in page
    description = client.get("/openapi.json").json()
    body = description["paths"]["/v1/models/{name}/ask"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}
    assert "422" not in description["paths"]["/v1/models/{name}/ask"]["post"]["responses"]
    assert {"image", "text", "top"} <= set(body["application/json"]["schema"]["properties"])
    assert json.dumps(description).count("http") < 40
