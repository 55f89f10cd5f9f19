"""Owners: the words of the messages, and who may take the arm from whom."""

import itertools

import pytest

from vital_core.owner import OWNERS, Owner


def test_words_are_those_that_messages_carry():
    assert [str(owner) for owner in OWNERS] == ["policy", "reach", "teleop", "reset"]
    assert Owner("") is Owner.NOBODY and not Owner.NOBODY and Owner.NOBODY not in OWNERS


@pytest.mark.parametrize(("taker", "holder"), itertools.product(Owner, Owner))
def test_a_person_may_take_the_arm_from_a_machine_and_nobody_else_from_anybody(taker, holder):
    allowed = taker.may_take_over and holder.may_be_taken_from
    assert allowed == (taker in ("teleop", "reset") and holder in ("policy", "reach"))


def test_an_owner_that_there_is_not_is_none():
    with pytest.raises(ValueError, match="'root' is not a valid Owner"):
        Owner("root")
