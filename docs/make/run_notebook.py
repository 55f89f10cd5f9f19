"""Runs a notebook and keeps what it printed and showed.

    ./vital shell -c 'python docs/make/run_notebook.py docs/benchmark.ipynb'

The code cells run in order in one namespace, as in Jupyter, which is not needed for it. What a cell prints is kept, and
the value of its last line: a picture (`PIL.Image`) as PNG, anything else as text.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

from PIL import Image


class _Heard(io.StringIO):
    """Standard output that is kept and passed on."""

    def write(self, text: str) -> int:
        sys.__stdout__.write(text)
        sys.__stdout__.flush()
        return super().write(text)


def _shown(value: Any, number: int) -> dict[str, Any]:
    data: dict[str, Any] = {"text/plain": repr(value)}
    if isinstance(value, Image.Image):
        coded = io.BytesIO()
        value.save(coded, "PNG", optimize=True)
        data = {"image/png": base64.b64encode(coded.getvalue()).decode(), "text/plain": "picture"}
    return {"output_type": "execute_result", "execution_count": number, "metadata": {}, "data": data}


def run_cell(source: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """The outputs of a cell, in the notebook's format; ``names`` is what it works in."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = None
    with contextlib.redirect_stdout(_Heard()) as heard:
        exec(compile(tree, f"<cell {number}>", "exec"), names)
        if last is not None:
            value = eval(compile(last, f"<cell {number}>", "eval"), names)
    said = heard.getvalue()
    outputs: list[dict[str, Any]] = []
    if said:
        outputs.append({"output_type": "stream", "name": "stdout", "text": said.splitlines(keepends=True)})
    return outputs if value is None else [*outputs, _shown(value, number)]


def run(path: Path) -> dict[str, Any]:
    """Run a notebook and write its outputs into it; returns the names that its cells have made."""
    notebook, names, number = json.loads(path.read_text()), {"__name__": "__main__"}, 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            number += 1
            cell["execution_count"] = number
            cell["outputs"] = run_cell("".join(cell["source"]), names, number)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return names


def outputs_of(path: Path) -> list[str]:
    """What the cells of a notebook printed when it was run last."""
    cells = json.loads(path.read_text())["cells"]
    return ["".join(output.get("text", "")) for cell in cells for output in cell.get("outputs", [])]


if __name__ == "__main__":
    run(Path(sys.argv[1]))
