"""Run the tutorials and store their outputs: ``python docs/tools/run_notebooks.py [NAME…]``.

Each runs in a temporary directory, as a reader would run it. Progress bars and machine-dependent metadata are left out.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

TUTORIALS = Path(__file__).parents[1] / "tutorials"


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Execute ``notebook`` in ``folder``.

    Raises:
        CellExecutionError: a cell raised.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # where !skiptune is found
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, kernel_name="python3", timeout=900, resources=resources)
    client.execute(env={**os.environ, "PATH": path})
    return notebook


def clean(notebook: NotebookNode) -> NotebookNode:
    """Without progress bars, counts and times of execution."""
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        cell.execution_count = None
        cell.metadata.pop("execution", None)
        cell.outputs = list(filter(_says_something, cell.outputs))
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = None
            if "image/png" in output.get("data", {}):
                output.data = {"image/png": output.data["image/png"]}
    notebook.metadata.pop("language_info", None)
    return notebook


def _says_something(output: NotebookNode) -> bool:
    """A picture, printed text or a value; not warnings, progress bars or what belongs to the machine."""
    if output.output_type == "stream":
        return output.name == "stdout" and bool(output.text.strip())
    return output.output_type == "execute_result" or "image/png" in output.get("data", {})


if __name__ == "__main__":
    for path in sorted(TUTORIALS.glob("*.ipynb")):
        if len(sys.argv) == 1 or path.stem in sys.argv[1:]:
            with tempfile.TemporaryDirectory() as scratch:
                nbformat.write(clean(run(nbformat.read(path, as_version=4), Path(scratch))), path)
