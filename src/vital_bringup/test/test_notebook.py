"""The notebook runs as it stands, in the time it promises, and its policy succeeds."""

import shutil
from pathlib import Path

import pytest
import run_notebook as notebook

NOTEBOOK = Path(__file__).parents[3] / "docs" / "benchmark.ipynb"


@pytest.mark.slow
def test_notebook_trains_a_policy_that_succeeds_in_most_trials(tmp_path: Path) -> None:
    copy = Path(shutil.copy(NOTEBOOK, tmp_path))
    made = notebook.run(copy)
    blind = next(o for o in notebook.outputs_of(copy) if "blind push" in o)
    assert made["successes"] >= 10 and made["cpu_minutes"] < 15.0
    assert int(blind.split("blind push: ")[1].split(" of")[0]) <= 5


def test_kept_outputs_are_those_of_a_whole_run() -> None:
    said = "".join(notebook.outputs_of(NOTEBOOK))
    assert "blind push" in said and "cloned from the state" in said and "everything" in said


def test_a_cell_gives_what_it_prints_and_its_last_value() -> None:
    names = {}
    outputs = notebook.run_cell("x = 2\nprint('said')\nx + 1", names, 1)
    assert outputs[0]["text"] == ["said\n"] and outputs[1]["data"]["text/plain"] == "3" and names["x"] == 2
    assert notebook.run_cell("y = x", names, 2) == []


def test_a_cell_that_fails_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        notebook.run_cell("1 / 0", {}, 1)
