"""Who labels: one word each, older words still read, and no truth where there is no simulator."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_core.labeller import ALSO_READ, AUTO, Labeller, choose_labeller, read_labeller


@pytest.mark.parametrize("labeller", Labeller)
def test_a_labeller_is_read_from_its_own_word(labeller):
    assert read_labeller(str(labeller)) is labeller


@pytest.mark.parametrize(("word", "labeller"), [("simulation", "sim_truth"), ("person", "operator")])
def test_words_of_older_arguments_and_labels_are_read(word, labeller):
    assert str(read_labeller(word)) == labeller


@given(st.text().filter(lambda word: word not in {*Labeller, *ALSO_READ}))
def test_any_other_word_is_refused_with_those_there_are(word):
    with pytest.raises(VitalError, match="expected sim_truth or operator") as refused:
        read_labeller(word)
    assert refused.value.code is ErrorCode.BAD_PARAMETER


@pytest.mark.parametrize(
    ("word", "simulated", "labeller"),
    [
        (AUTO, True, Labeller.SIM_TRUTH),
        (AUTO, False, Labeller.OPERATOR),
        ("operator", True, Labeller.OPERATOR),
        ("person", False, Labeller.OPERATOR),
        ("sim_truth", True, Labeller.SIM_TRUTH),
    ],
)
def test_auto_is_the_simulator_where_there_is_one(word, simulated, labeller):
    assert choose_labeller(word, simulated=simulated) is labeller


def test_truth_without_a_simulator_is_refused():
    with pytest.raises(VitalError, match="hardware:=sim"):
        choose_labeller("sim_truth", simulated=False)
