"""Slim models as ONNX files."""
