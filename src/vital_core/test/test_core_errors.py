"""A refusal keeps its code wherever it goes."""

import multiprocessing
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from vital_core.errors import ErrorCode, VitalError, coded
from vital_core.task import load_task


def test_refusal_comes_whole_out_of_another_process():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        with pytest.raises(VitalError, match="make_tea") as refused:
            pool.submit(load_task, "make_tea").result(60.0)
        assert refused.value.code is ErrorCode.UNKNOWN_TASK
        assert pool.submit(load_task, "usb_insertion").result(60.0).name == "usb_insertion"


def test_line_for_the_operator_is_the_same_with_and_without_an_exception():
    error = VitalError(ErrorCode.NODE_LOST, "the gate has gone")
    assert str(error) == coded(ErrorCode.NODE_LOST, "the gate has gone") == "[NODE_LOST 50] the gate has gone"


def test_no_source_writes_a_code_by_hand():
    sources = Path(__file__).parents[2]
    by_hand = re.compile(r"\[(" + "|".join(ErrorCode.__members__) + r") [\d{]")
    files = [path for path in sources.glob("vital_*/**/*.py") if "test" not in path.parts]
    assert len(files) > 200
    assert [str(path) for path in files if by_hand.search(path.read_text())] == []


def test_the_table_of_codes_has_each_one_with_its_meaning_and_what_to_do():
    table = (Path(__file__).parents[3] / "docs" / "errors.md").read_text()
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.+?) \| (.*?) ?\|$", table, re.MULTILINE)
    assert {name: int(number) for number, name, _, _ in rows} == {code.name: int(code) for code in ErrorCode}
    numbers = [int(number) for number, *_ in rows]
    assert numbers == sorted(set(numbers))
    assert [name for _, name, meaning, remedy in rows if name != "OK" and not (meaning and remedy)] == []
