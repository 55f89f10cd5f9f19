"""The notebook runs in Jupyter as it stands, in the time it promises, and its policy succeeds."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
import run_notebook as notebook
from nbclient.exceptions import CellExecutionError

NOTEBOOK = Path(__file__).parents[3] / "docs" / "benchmark.ipynb"


def successes(path: Path, policy: str) -> int:
    """Of 20 trials, as the notebook printed it."""
    return int(re.search(rf"^{policy}: (\d+) of 20", "".join(notebook.outputs_of(path)), re.M)[1])


def cpu_minutes(path: Path) -> float:
    return float(re.search(r"clock, ([\d.]+) of processor time", "".join(notebook.outputs_of(path)))[1])


@pytest.mark.slow
def test_notebook_trains_a_policy_that_succeeds_in_most_trials(tmp_path: Path) -> None:
    copy = Path(shutil.copy(NOTEBOOK, tmp_path))
    notebook.run(copy)
    assert successes(copy, "cloned from the state") >= 10 and successes(copy, "blind push") <= 5
    assert cpu_minutes(copy) < 15.0


def test_kept_outputs_are_those_of_a_whole_run() -> None:
    assert successes(NOTEBOOK, "cloned from the state") >= 10 and successes(NOTEBOOK, "blind push") <= 5
    assert cpu_minutes(NOTEBOOK) < 15.0
    cells = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert "image/png" in cells[-1].outputs[-1].data


def made(path: Path, *cells: str) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells]), path)
    return path


def test_cells_work_in_one_namespace_and_what_they_print_is_kept(tmp_path: Path) -> None:
    path = made(tmp_path / "a.ipynb", "x = 2\nprint('said')", "print(x + 1)")
    notebook.run(path)
    assert notebook.outputs_of(path) == ["said\n", "3\n"]


def test_a_cell_that_fails_ends_the_run_and_the_file_stays_as_it_was(tmp_path: Path) -> None:
    path = made(tmp_path / "a.ipynb", "1 / 0", "print('not reached')")
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebook.run(path)
    assert path.read_bytes() == before
