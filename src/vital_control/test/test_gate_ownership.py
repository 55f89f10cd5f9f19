"""A name alone moves nothing: each acquisition has a token, and only who has it is the owner."""

import numpy as np
import pytest

from vital_control.gate.verdict import Mode, Verdict
from vital_core.errors import ErrorCode


def test_command_with_the_owners_name_and_another_token_moves_nothing_and_uses_up_no_number(rig):
    rig.own("policy")
    for token in (0, rig.token + 1, 2**64 - 1):
        text = rig.send_expecting(Verdict.NOT_OWNER, token=token, seq=2**32 - 1)
        assert "acquire_control" in text and str(rig.token) not in text
    rig.send_expecting(Verdict.ACCEPTED)


def test_impostor_cannot_acquire_in_the_owners_name_while_it_is_at_work(rig):
    rig.own("policy")
    rig.send_expecting(Verdict.ACCEPTED)
    answer = rig.gate.acquire("policy", None, rig.now_s)
    assert not answer.granted and answer.code is ErrorCode.NOT_OWNER and answer.token == 0
    rig.wait(1 / 6)
    rig.send_expecting(Verdict.ACCEPTED)


def test_owner_may_acquire_again_with_its_token_and_gets_a_new_one(rig):
    rig.own("policy")
    old = rig.token
    rig.own("policy")
    assert rig.token not in (0, old)
    rig.send_expecting(Verdict.NOT_OWNER, token=old)
    rig.send_expecting(Verdict.ACCEPTED)


def test_owner_that_died_can_be_replaced_by_itself_after_its_time(rig):
    rig.own("policy")
    assert not rig.gate.acquire("policy", None, rig.now_s).granted
    rig.wait(10.1)
    assert rig.gate.acquire("policy", None, rig.now_s).granted


def test_impostor_cannot_release_in_the_owners_name(rig):
    rig.own("reach")
    assert rig.judge(rig.request(rig.set_point())).accepted
    assert not rig.gate.release("reach", 0, rig.now_s).granted
    assert rig.gate.mode is Mode.MOVING and rig.gate.executing


def test_trajectory_without_the_token_is_refused(rig):
    rig.own("reach")
    judgement = rig.judge(rig.request(rig.set_point(), token=rig.token ^ 1))
    assert judgement.verdict is Verdict.NOT_OWNER and not rig.issued


def test_tokens_are_in_no_representation(rig):
    rig.own("policy")
    answer = rig.gate.acquire("policy", None, rig.now_s, token=rig.token)
    secret = str(answer.token)
    rig.token = answer.token
    shown = [repr(answer), answer.text, repr(rig.command()), repr(rig.request(rig.set_point()))]
    assert not any(secret in text for text in shown)


@pytest.mark.parametrize("late_s", [0.1, 10.0])
def test_trajectory_past_its_valid_until_is_refused(rig, late_s):
    rig.own("reach")
    request = rig.request(rig.set_point(), valid_until_s=rig.ros_now_s - late_s)
    judgement = rig.judge(request)
    assert judgement.verdict is Verdict.STALE and f"{late_s:.1f} s after" in judgement.text and not rig.issued


def test_trajectory_without_a_valid_until_is_refused(rig):
    rig.own("reach")
    judgement = rig.judge(rig.request(rig.set_point(), valid_until_s=0.0))
    assert judgement.verdict is Verdict.STALE


def test_tokens_differ_from_acquisition_to_acquisition(rig):
    tokens = []
    for _ in range(50):
        rig.own("policy")
        tokens.append(rig.token)
        rig.release()
    assert len(set(tokens)) == 50 and np.min(tokens) > 0
