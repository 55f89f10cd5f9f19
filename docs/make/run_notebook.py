"""Runs a notebook in a kernel of Jupyter's and keeps its outputs.

./vital shell -c 'python docs/make/run_notebook.py docs/benchmark.ipynb'
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def run(path: Path) -> None:
    """Run every cell in order and write what they gave into the notebook. Raises CellExecutionError at the first
    that fails; the file stays as it was."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=None, record_timing=False).execute(cwd=path.parent)
    nbformat.write(notebook, path)


def outputs_of(path: Path) -> list[str]:
    """What the cells of a notebook printed when it was run last, an entry for each cell of code."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]


if __name__ == "__main__":
    run(Path(sys.argv[1]))
