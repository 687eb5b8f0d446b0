"""The names of the files of ONNX models in a slim directory."""

from __future__ import annotations

#: Backend → file of its model.
ONNX_FILES = {"onnx": "model.onnx", "onnx-int8": "model-int8.onnx"}
