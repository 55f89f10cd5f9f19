"""A refusal keeps its code wherever it goes."""

import pickle  # what a pool of processes sends a refusal with

from vital_core.errors import ErrorCode, VitalError


def test_refusal_comes_whole_out_of_another_process():
    error = pickle.loads(pickle.dumps(VitalError(ErrorCode.BAD_CHECKPOINT, "the file is torn")))
    assert (error.code, error.message) == (ErrorCode.BAD_CHECKPOINT, "the file is torn")
    assert str(error) == "[BAD_CHECKPOINT 31] the file is torn"
