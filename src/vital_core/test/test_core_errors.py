"""A refusal keeps its code wherever it goes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest

from vital_core.errors import ErrorCode, VitalError
from vital_core.task import load_task


def test_refusal_comes_whole_out_of_another_process():
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        with pytest.raises(VitalError, match="make_tea") as refused:
            pool.submit(load_task, "make_tea").result(60.0)
        assert refused.value.code is ErrorCode.UNKNOWN_TASK
        assert pool.submit(load_task, "usb_insertion").result(60.0).name == "usb_insertion"
