"""A server that speaks as much of Triton's protocol as the client of the guide needs, with onnxruntime."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np

_TENSOR = re.compile(
    r'\{ name: "(\w+)" data_type: TYPE_(\w+) dims: \[ ([-\d, ]+) \](?: label_filename: "([\w.]+)")? \}'
)
_KINDS = {"INT64": "tensor(int64)", "FP32": "tensor(float)"}
_NUMPY = {"INT64": np.int64, "FP32": np.float32}


def tensors(config: str, block: str) -> dict[str, tuple[str, list[int], str]]:
    """Of ``input`` or ``output`` in a ``config.pbtxt``: name → onnxruntime's type, dimensions, file of labels."""
    found = re.search(rf"^{block} \[\n(.*?)\n\]$", config, re.MULTILINE | re.DOTALL)
    assert found is not None
    return {
        name: (_KINDS[kind], [int(part) for part in dims.split(",")], labels)
        for name, kind, dims, labels in _TENSOR.findall(found[1])
    }


@contextmanager
def served(repository: Path) -> Iterator[str]:
    """The address of a server of the models in a repository."""
    import onnxruntime

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *given: Any) -> None:
            pass

        def do_POST(self) -> None:
            path = re.fullmatch(r"/v2/models/([\w-]+)/infer", self.path)
            assert path is not None
            folder = repository / path[1]
            config = tensors((folder / "config.pbtxt").read_text(encoding="utf-8"), "input")
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            given = {}
            for entry in asked["inputs"]:
                kind, dims, _ = config[entry["name"]]
                assert _KINDS[entry["datatype"]] == kind
                assert len(entry["shape"]) == len(dims) + 1
                assert all(wanted in (-1, length) for wanted, length in zip(dims, entry["shape"][1:], strict=True))
                given[entry["name"]] = np.array(entry["data"], _NUMPY[entry["datatype"]]).reshape(entry["shape"])
            session = onnxruntime.InferenceSession(folder / "1" / "model.onnx")
            names = [output.name for output in session.get_outputs()]
            outputs = [
                {"name": name, "shape": list(value.shape), "data": value.ravel().tolist()}
                for name, value in zip(names, session.run(names, given), strict=True)
            ]
            body = json.dumps({"outputs": outputs}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
