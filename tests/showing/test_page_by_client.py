"""The page as programs see it: answers are those of the library, and nothing else can be got out of it."""

from __future__ import annotations

import json
import re
import shutil
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import skiptune as st
from conftest import Call
from demo_page import RUN, ServedPage, demo_page, let_go
from docs_pages import PAGES
from skiptune.showing.guard import ASKED
from skiptune.showing.uploads import uploads_folder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module", autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    let_go()


@pytest.fixture(scope="module")
def served_page() -> ServedPage:
    return demo_page()


@pytest.fixture(scope="module")
def client(served_page: ServedPage) -> Any:
    from gradio_client import Client

    return Client(served_page.address, verbose=False, analytics_enabled=False)


def file(served_page: ServedPage, name: str) -> Any:
    from gradio_client import handle_file

    return handle_file(served_page.pictures / name)


def test_answers_are_those_of_the_library(client: Any, served_page: ServedPage) -> None:
    picture, other = served_page.pictures / "0.png", served_page.pictures / "1.png"
    asked = "what colour is it?"
    found = client.predict("run", file(served_page, "0.png"), asked, top=2, api_name="/ask")
    assert found["model"] == "run"
    assert found["answers"] == st.pipeline(RUN)(picture, asked, top=2).to_dict()["answers"]
    assert 0 < found["seconds"] < 60
    assert client.predict(picture=file(served_page, "0.png"), text=asked, api_name="/ask")["model"] == "run"

    reasoning = served_page.models["reasoning"].pipeline
    two = client.predict("reasoning", file(served_page, "0.png"), "both", file(served_page, "1.png"), api_name="/ask")
    assert two["answers"] == reasoning(picture, "both", image2=other).to_dict()["answers"]

    captions = client.predict("retrieval", file(served_page, "0.png"), "a square\n\na dog", api_name="/ask")["answers"]
    ranked = served_page.models["retrieval"].pipeline.rank(picture, ["a square", "a dog"])
    assert captions == [{"answer": each.item, "score": each.score} for each in ranked]

    written = client.predict("chat", None, "is it red", api_name="/ask")["answers"]
    assert written == served_page.models["chat"].pipeline(None, "is it red").to_dict()["answers"]
    chosen = client.predict("chat", None, "is it red", None, "yes\nno\nyes", api_name="/ask")["answers"]
    assert {each["answer"] for each in chosen} == {"yes", "no"}
    assert sum(each["probability"] for each in chosen) == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": "rnu"}, "Model: 'rnu'; did you mean 'run'?"),
        ({"model": ["run"]}, "Model: ['run']"),
        ({"picture": "wrong.png"}, "not JPEG, PNG, GIF, WEBP, BMP or TIFF"),
        ({"text": " "}, "The question is empty"),
        ({"text": "a" * 10_001}, "at most 10,000 are read"),
        ({"text": 3}, "Text: int given; expected a text"),
        ({"top": 0}, "Top: 0; expected a number from 1 to 100"),
        ({"model": "reasoning"}, "Image2: this model is about two images"),
        ({"model": "retrieval", "text": ""}, "at least one caption"),
        ({"picture": None}, "There is none to ask about"),
    ],
)
def test_wrong_questions_get_a_sentence(client: Any, served_page: ServedPage, given: dict[str, Any], said: str) -> None:
    from gradio_client.exceptions import AppError

    asked = {"model": "run", "picture": "0.png", "text": "what colour is it?", **given}
    if asked["picture"]:
        asked["picture"] = file(served_page, asked["picture"])
    with pytest.raises(AppError, match=re.escape(said)):
        client.predict(**asked, api_name="/ask")


def test_large_pictures_are_refused(client: Any, served_page: ServedPage) -> None:
    import numpy as np
    from gradio_client.exceptions import AppError
    from PIL import Image

    wide = served_page.pictures / "wide.png"
    Image.new("1", (2000, 501)).save(wide)
    with pytest.raises(AppError, match=r"2,000 × 501 pixels; at most 1 megapixels are taken"):
        client.predict("run", file(served_page, wide.name), "what?", api_name="/ask")
    noise = np.random.default_rng(0).integers(0, 255, (250, 250, 3), dtype=np.uint8)
    Image.fromarray(noise).save(served_page.pictures / "noise.png")
    with pytest.raises(Exception, match="size"):
        client.predict("run", file(served_page, "noise.png"), "what?", api_name="/ask")


def send(served_page: ServedPage, method: str, path: str, body: Any = None) -> tuple[int, str]:
    place = urlsplit(served_page.address)
    connection = HTTPConnection(str(place.hostname), place.port, timeout=30)
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    connection.request(method, path, content, {"content-type": "application/json"} if content else {})
    answer = connection.getresponse()
    text = answer.read().decode(errors="replace")
    connection.close()
    return answer.status, text


def ask_about(served_page: ServedPage, path: str) -> str:
    """What the page says to a request that names ``path`` as an uploaded picture."""
    named = {"path": path, "meta": {"_type": "gradio.FileData"}}
    status, said = send(
        served_page, "POST", "/gradio_api/call/ask", {"data": ["run", named, "what colour is it?", None, "", 5]}
    )
    assert status == 400
    return said


def test_no_other_file_and_no_address_is_read(served_page: ServedPage) -> None:
    own, uploads = served_page.pictures / "0.png", uploads_folder()
    other = ("/etc/passwd", f"{uploads}/../../{own.name}", "../0.png", "\0", "a" * 9999, str(uploads), "")
    addresses = (
        "http://127.0.0.1:9/a.png",
        "https://example.org/a.png",
        "file:///etc/passwd",
        "data:image/png;base64,",
    )
    for path in (str(own), *other, *addresses):
        assert "no other file and no address" in ask_about(served_page, path)
    for place in (own, "/etc/passwd", RUN / "results.json", "http://example.org/a.png"):
        assert send(served_page, "GET", f"/gradio_api/file={place}")[0] in (403, 404)
    assert send(served_page, "GET", "/gradio_api/proxy=http://example.org/a.png")[0] == 404


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/gradio_api/vibe-edit/", {"prompt": "a"}, 404),
        ("/gradio_api/run/ask", {"data": []}, 404),
        ("/gradio_api/process_recording", b"a", 404),
        ("/gradio_api/queue/join", b"{", 400),
        ("/gradio_api/queue/join", {"data": [], "fn_index": 999, "session_hash": "a"}, 404),
        ("/gradio_api/call/nothing", {"data": []}, 404),
        ("/gradio_api/call/ask", None, 400),
        ("/gradio_api/call/ask", {"data": []}, 400),
        ("/gradio_api/call/ask", {"data": {"model": "run"}}, 400),
        ("/gradio_api/call/ask", {"data": ["run", "0.png", "what?", None, "", 5]}, 400),
        ("/gradio_api/call/ask/", {"data": ["run", None, "what?", [None], "", 5]}, 400),
        ("/gradio_api/queue/join", {"data": [{"url": "http://example.org/a.png"}]}, 400),
        ("/gradio_api/queue/join", b"[" * 100_000, 400),
        ("/gradio_api/queue/join", b" " * (2**20 + 1), 413),
    ],
)
def test_other_requests_are_refused(served_page: ServedPage, path: str, body: Any, status: int) -> None:
    found, said = send(served_page, "POST", path, body)
    assert found == status
    assert json.loads(said)["error"]


def test_only_ask_is_offered(client: Any) -> None:
    offered = client.view_api(return_format="dict")["named_endpoints"]
    assert list(offered) == ["/ask"]
    names = [each["parameter_name"] for each in offered["/ask"]["parameters"]]
    assert tuple(names) == ASKED


def test_the_program_of_the_guide(
    served_page: ServedPage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (program,) = next(page for page in PAGES if page.name == "docs/guides/demo-page.md").of_kind("py")
    (tmp_path / "photos").mkdir()
    shutil.copy(served_page.pictures / "0.png", tmp_path / "photos" / "kitchen.jpg")
    monkeypatch.chdir(tmp_path)
    program = program.replace("http://127.0.0.1:7860", served_page.address).replace('"kitchen"', '"run"')
    exec(compile(program, "demo-page.md", "exec"), {})
    answer = st.pipeline(RUN)(served_page.pictures / "0.png", "what is on the table?").answer
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{answer} ")


def test_mistakes_on_the_command_line(call: Call, tmp_path: Path) -> None:
    assert "nowhere: not a slim model" in call("demo", "nowhere")[2]
    code, _, said = call("demo", RUN, "--original", "--backend", "onnx")
    assert (code, "--original: with --backend torch alone" in said) == (2, True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"--host 127.0.0.1 --port {port}: cannot listen there" in call("demo", RUN, "--port", str(port))[2]
    code, _, said = call("demo", RUN, "--host", "300.1.1.1")
    assert (code, "--host 300.1.1.1 --port any: cannot listen there" in said) == (2, True)
