"""The demonstrator's laws on made-up truths: every phase moves on, speeds are limited, errors lead to their cure."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vital_core import pose as pose_of
from vital_core.task import load_task
from vital_sim.demonstrator.expert import law_for
from vital_sim.demonstrator.laws import HOLD_S, InsertLaw, PickLaw, SwipeLaw
from vital_sim.demonstrator.rollout import PERIOD_S
from vital_sim.demonstrator.style import INTENTION, Phase, Style, human_style
from vital_sim.world.fixtures import BLOCK, CARD_READER, KEY, TWO_PRONG, USB_A
from vital_sim.world.truth import Truth

INSERT, SWIPE, PICK = load_task("usb_insertion"), load_task("card_swipe"), load_task("pick_block")
TARGET = pose_of.from_vector((0.45, 0.05, 0.035), (0.0, 0.0, 0.3))
SURE = np.zeros(5)
LAWS = {"insert": (INSERT, USB_A), "swipe": (SWIPE, CARD_READER), "pick": (PICK, BLOCK)}


def truth(tip_m=(0.0, 0.0, 0.1), *, tilt_rad=(0.0, 0.0, 0.0), force_n=0.0, success=False, travel_m=0.0):
    """A tip at ``tip_m`` in the target's frame, turned by ``tilt_rad`` from straight."""
    t_target_tip = pose_of.point_down(np.array(tip_m)) @ pose_of.from_vector(np.zeros(3), np.array(tilt_rad))
    tip = TARGET @ t_target_tip
    lateral_m = float(np.hypot(tip_m[0], tip_m[1]))
    return Truth(success, -tip_m[2], lateral_m, travel_m, force_n, 0.0, TARGET, tip, tip, np.eye(4))


def law(skill):
    return law_for(*LAWS[skill])


def updated(law, *truths, seconds=PERIOD_S):
    for each in truths:
        law.update(each, seconds)
    return law.phase


@pytest.mark.parametrize(
    ("task", "fixture", "kind"),
    [
        (INSERT, USB_A, InsertLaw),
        (load_task("plug_in_socket"), TWO_PRONG, InsertLaw),
        (load_task("key_in_lock"), KEY, InsertLaw),
        (SWIPE, CARD_READER, SwipeLaw),
        (PICK, BLOCK, PickLaw),
    ],
)
def test_each_fixture_has_the_law_of_its_skill(task, fixture, kind):
    assert type(law_for(task, fixture)) is kind


def test_insertion_goes_from_the_air_over_the_rim_into_the_opening_and_holds():
    insert, goal_m = law("insert"), INSERT.success_depth_m
    assert insert.phase is Phase.APPROACH
    assert updated(insert, truth((0.001, 0, 0.0), force_n=4.0)) is Phase.TOUCH
    assert updated(insert, truth((0.0, 0, -USB_A.engaged_m - 0.001))) is Phase.INSERT
    done = truth((0.0, 0, -goal_m - 0.002), success=True)
    assert updated(insert, done) is Phase.HOLD
    assert updated(insert, *[done] * int(HOLD_S / PERIOD_S + 1)) is Phase.DONE


def test_insertion_that_slides_off_the_rim_is_approached_again():
    insert = law("insert")
    assert updated(insert, truth((0.002, 0, 0.0), force_n=4.0)) is Phase.TOUCH
    assert updated(insert, truth((0.002, 0, 0.01))) is Phase.APPROACH


def test_tip_beside_the_opening_is_not_taken_for_one_in_it():
    assert updated(law("insert"), truth((0.01, 0, -USB_A.engaged_m - 0.002))) is Phase.APPROACH


def test_touching_tip_presses_and_lets_go_by_the_force():
    insert = law("insert")
    insert.update(truth((0.001, 0, 0.0), force_n=2.0), PERIOD_S)
    style = Style(press_n=6.0)
    light = insert.twist(style, truth((0.001, 0, 0.0), force_n=2.0), SURE)
    heavy = insert.twist(style, truth((0.001, 0, 0.0), force_n=10.0), SURE)
    assert light[2] < 0.0 < heavy[2]


def test_misjudged_force_presses_harder():
    insert, touching = law("insert"), truth((0.001, 0, 0.0), force_n=6.0)
    insert.update(touching, PERIOD_S)
    harder = insert.twist(Style(), touching, np.array([0, 0, 0, 0, 4.0]))
    assert harder[2] < insert.twist(Style(), touching, SURE)[2]


def test_jammed_insertion_backs_out():
    insert = law("insert")
    insert.update(truth((0, 0, -0.004)), PERIOD_S)
    assert insert.phase is Phase.INSERT
    assert insert.twist(Style(), truth((0, 0, -0.004), force_n=60.0), SURE)[2] > 0.0


@given(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05), st.floats(0.02, 0.15))
def test_approach_goes_towards_the_opening(x, y, height):
    twist = law("insert").twist(Style(), truth((x, y, height)), SURE)
    assert twist[0] * x <= 1e-12 and twist[1] * y <= 1e-12


@given(st.floats(0.005, 0.03), st.floats(0.005, 0.02))
def test_approach_far_off_axis_and_low_goes_no_further_down(aside, height):
    allowed = Style().aim_m + Style().aim_slope * height
    twist = law("insert").twist(Style(), truth((aside + allowed, 0.0, height)), SURE)
    assert twist[2] >= 0.0


@given(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_tilt_is_turned_back(about_x, about_y, about_z):
    """A small turn by the commanded rate brings the tip nearer to straight."""
    crooked = truth((0, 0, 0.08), tilt_rad=(about_x, about_y, about_z))
    rate = law("insert").twist(Style(), crooked, SURE)[3:]
    turn = pose_of.from_vector(np.zeros(3), TARGET[:3, :3] @ rate * 0.02)[:3, :3]
    straight = (TARGET @ pose_of.point_down(np.zeros(3)))[:3, :3]

    def angle(rotation):
        return np.arccos(np.clip((np.trace(straight.T @ rotation) - 1) / 2, -1, 1))

    assert angle(turn @ crooked.t_base_tip[:3, :3]) <= angle(crooked.t_base_tip[:3, :3]) + 1e-7


@pytest.mark.parametrize("skill", sorted(LAWS))
@given(
    tip=st.tuples(*[st.floats(-0.15, 0.15)] * 3),
    tilt=st.tuples(*[st.floats(-0.5, 0.5)] * 3),
    force_n=st.floats(0.0, 80.0),
    travel_m=st.floats(-0.05, 0.1),
    seed=st.integers(0, 1000),
)
def test_every_speed_is_one_that_an_arm_in_contact_can_have(skill, tip, tilt, force_n, travel_m, seed):
    one, style = law(skill), human_style(np.random.default_rng(seed))
    seen = truth(tip, tilt_rad=tilt, force_n=force_n, travel_m=travel_m)
    for _ in range(3):
        one.update(seen, PERIOD_S)
        twist = one.twist(style, seen, np.zeros(5))
        assert np.isfinite(twist).all()
        if skill != "pick" or tip[2] > 0.0:  # a gripper below the table is no state to be in
            assert np.linalg.norm(twist[:3]) < 0.13 and np.linalg.norm(twist[3:]) <= 0.5 + 1e-9
        assert one.gripper in (0.0, 1.0)


@pytest.mark.parametrize("skill", sorted(LAWS))
def test_one_that_holds_stands_still(skill):
    one = law(skill)
    one.phase = Phase.HOLD
    for style in (Style(), INTENTION):
        assert not one.twist(style, truth((0.001, 0.001, 0.0), force_n=5.0), np.full(5, 0.01)).any()


A_THIRD_DEEP = -CARD_READER.slot_m[2] / 3
"""Where a card enters its slot, along z."""


def test_swipe_goes_to_the_entry_over_the_lead_in_and_through():
    swipe, entry = law("swipe"), CARD_READER.entry_m
    assert updated(swipe, truth((entry - 0.03, 0, A_THIRD_DEEP))) is Phase.APPROACH
    before = truth((entry - 0.03, 0, A_THIRD_DEEP))
    assert swipe.twist(Style(), before, SURE)[0] > 0.0
    assert updated(swipe, truth((entry, 0.001, A_THIRD_DEEP), force_n=2.0)) is Phase.TOUCH


def test_swipe_draws_the_card_on_inside_and_is_done_after_its_travel():
    swipe, entry = law("swipe"), CARD_READER.entry_m
    # Of a card in a slot the distance counts across it alone.
    inside = replace(truth((entry + 0.01, 0.0, -CARD_READER.slot_m[2])), lateral_m=0.0)
    assert updated(swipe, inside) is Phase.INSERT
    assert swipe.twist(Style(), inside, SURE)[0] == pytest.approx(0.009)
    swipe.update(replace(inside, contact_force_n=2.0), 1.0)
    assert swipe.twist(Style(), inside, SURE)[0] == pytest.approx(0.045)
    through = replace(inside, travel_m=SWIPE.success_travel_m + 0.003, success=True)
    assert updated(swipe, through) is Phase.HOLD


def test_swipe_in_front_of_the_reader_waits_until_it_is_straight():
    crooked = truth((CARD_READER.entry_m - 0.004, 0.01, A_THIRD_DEEP))
    assert law("swipe").twist(Style(), crooked, SURE)[0] <= 0.0


FELT_S = SwipeLaw.FEEL_S * 8  # as long as it takes to be sure


def in_the_slot(height_m: float, force_n: float, felt_before: bool = False):
    """A card well within its slot, its edge ``height_m`` above the floor, after it has been felt for a while."""
    swipe, floor = law("swipe"), -CARD_READER.slot_m[2]
    swipe.phase = Phase.INSERT
    tip_m = (CARD_READER.entry_m + 0.02, 0.0, floor + height_m)
    seen = replace(truth(tip_m, tilt_rad=(0.0, 0.02, 0.0), force_n=force_n), lateral_m=0.0)
    if felt_before:
        swipe.update(replace(seen, contact_force_n=2 * SwipeLaw.FELT_N), FELT_S)
    swipe.update(seen, FELT_S)
    return swipe.twist(Style(), seen, SURE)


def test_card_in_its_slot_goes_down_to_the_floor_and_is_pressed_on_it():
    assert in_the_slot(0.006, 0.0)[2] < -0.006, "down"
    assert in_the_slot(0.0, 0.0)[2] < 0.0, "onto it"
    assert in_the_slot(0.0, SwipeLaw.PRESS_N)[2] == pytest.approx(0.0, abs=1e-5), "and no further"
    assert in_the_slot(0.0, 2 * SwipeLaw.PRESS_N)[2] > 0.0


def test_card_goes_along_slowly_until_the_floor_is_felt_however_high_it_is():
    high, low, felt = in_the_slot(0.005, 0.0), in_the_slot(0.0, 0.0), in_the_slot(0.005, SwipeLaw.PRESS_N)
    assert high[0] == low[0] == pytest.approx(0.2 * felt[0])
    assert in_the_slot(0.005, 0.0, felt_before=True)[0] == felt[0], "what has been felt is known"
    on_a_wall = in_the_slot(CARD_READER.slot_m[2] - 0.004, SwipeLaw.PRESS_N)
    assert on_a_wall[0] == high[0], "what is felt above the depth that is asked for is no floor"


def test_card_on_the_floor_is_pressed_steadily():
    """It leaves the floor for moments; a hand that went after each drove it to and fro, and nobody can foresee that."""
    swipe, floor = law("swipe"), -CARD_READER.slot_m[2]
    swipe.phase = Phase.INSERT
    on_it = replace(truth((CARD_READER.entry_m + 0.02, 0.0, floor), force_n=SwipeLaw.PRESS_N), lateral_m=0.0)
    down = []
    for force_n in [SwipeLaw.PRESS_N] * 60 + [0.0, 2 * SwipeLaw.PRESS_N] * 30:
        now = replace(on_it, contact_force_n=force_n)
        swipe.update(now, 1.0 / 30.0)
        down.append(swipe.twist(Style(), now, SURE)[2])
    assert max(np.abs(down[60:])) < 0.001 and np.std(down[60:]) < 0.0005


def test_card_is_not_turned_about_the_axis_that_cannot_be_told():
    swipe = law("swipe")
    told = swipe.twist(Style(), truth((-0.1, 0.0, 0.0), tilt_rad=(0.1, 0.1, 0.1)), np.full(5, 0.01))
    assert told[4] == 0.0 and told[3] and told[5]
    assert swipe.free.tolist() == [1.0, 1.0, 1.0, 1.0, 0.0, 1.0], "nor disturbed about it"
    straight, pitched = (
        law("swipe").twist(Style(), truth((-0.1, 0.0, A_THIRD_DEEP), tilt_rad=(0.0, y, 0.0)), SURE) for y in (0.0, 0.1)
    )
    assert pitched[0] == pytest.approx(straight[0]), "nor waited for"


def test_card_that_is_stuck_above_the_floor_is_pressed_no_harder():
    """Its nose goes up as it is pressed down; to press because it is high drove it to 48 N."""
    assert in_the_slot(0.004, 20.0)[2] > 0.0


def test_block_is_approached_open_gripped_closed_and_lifted():
    pick, around = law("pick"), truth((0, 0, -BLOCK.size_m[2] / 2))
    assert updated(pick, truth((0, 0, 0.05))) is Phase.APPROACH and pick.gripper == 0.0
    assert updated(pick, around) is Phase.TOUCH and pick.gripper == 1.0
    assert not pick.twist(Style(), around, SURE).any()
    assert updated(pick, *[around] * int(PickLaw.CLOSE_S / PERIOD_S + 1)) is Phase.INSERT
    assert pick.twist(Style(), around, SURE)[2] > 0.0
    lifted = truth((0, 0, -BLOCK.size_m[2] / 2), travel_m=PICK.success_travel_m + 0.01, success=True)
    assert updated(pick, lifted) is Phase.HOLD and pick.gripper == 1.0


def test_block_that_stayed_behind_is_grasped_once_more():
    pick, around = law("pick"), truth((0, 0, -BLOCK.size_m[2] / 2))
    updated(pick, around, *[around] * int(PickLaw.CLOSE_S / PERIOD_S + 1))
    assert pick.phase is Phase.INSERT
    assert updated(pick, truth((0, 0, 0.02))) is Phase.APPROACH and pick.gripper == 0.0


@given(st.integers(0, 2**31 - 1))
def test_people_are_slower_than_the_expert_and_err_a_little(seed):
    style = human_style(np.random.default_rng(seed))
    assert style.pace < Style().pace and 0.001 <= style.error_m <= 0.004 and style.error_rad < np.deg2rad(1.6)
    assert Style().error_m == INTENTION.error_m == 0.0
