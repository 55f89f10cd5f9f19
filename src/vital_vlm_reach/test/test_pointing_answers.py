"""Answers of vision-language models: places inside the image, or a refusal with a code; nothing in between."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing.answers import MOST_CHARACTERS, Reader, choose
from vital_vlm_reach.pointing.interface import Candidate
from vital_vlm_reach.pointing.questions import Units

SIZE = (640, 480)
FULL = {Units.PIXEL: SIZE, Units.FRACTION: (1, 1), Units.PERCENT: (100, 100), Units.PERMILLE: (1000, 1000)}
percent = st.integers(11, 990).map(lambda tenths: tenths / 10)
shares = st.tuples(st.floats(0.02, 0.98), st.floats(0.02, 0.98))
REFUSALS = {ErrorCode.NOT_IN_VIEW, ErrorCode.AMBIGUOUS, ErrorCode.BAD_ANSWER}


def read(answer, units=Units.PERCENT, **given):
    return Reader(SIZE, units, **given).read(answer)


def refused(answer, units=Units.PERCENT):
    with pytest.raises(VitalError) as refusal:
        read(answer, units)
    assert ": " in refusal.value.message and len(refusal.value.message) < 600
    return refusal.value.code


@given(percent, percent)
@settings(max_examples=60, deadline=None)
def test_a_point_tag_counts_percent_whatever_the_backend_declares(x, y):
    for units in (*Units, None):
        (found,) = read(f' <point x="{x}" y="{y}" alt="USB port">USB port</point>', units)
        assert found.pixel_uv == pytest.approx((x * 6.4, y * 4.8)) and found.label == "USB port"


@given(st.lists(st.tuples(percent, percent), min_size=1, max_size=15))
@settings(max_examples=60, deadline=None)
def test_several_points_of_a_tag_keep_their_order(points):
    text = " ".join(f'x{i}="{x}" y{i}="{y}"' for i, (x, y) in enumerate(points, 1))
    found = read(f'<points {text} alt="x1=3 and y1=4">ports</points>')
    assert [c.pixel_uv for c in found] == [pytest.approx((x * 6.4, y * 4.8)) for x, y in points]


def test_coords_are_thousandths_after_the_image_and_a_number():
    answer = 'Counting the <points coords="1 1 105 203 2 300 400">ports</points> shows a total of 2.'
    assert [c.pixel_uv for c in read(answer, None)] == [pytest.approx(p) for p in ((67.2, 97.44), (192, 192))]


@pytest.mark.parametrize("coords", ["", "1", "2 1 105 203", "1 1 105", "1 1 105 203 2", "1 1 nan 203", "1 1 105 2034"])
def test_coords_of_another_form_are_refused(coords):
    assert refused(f'<points coords="{coords}">a</points>') is ErrorCode.BAD_ANSWER


@given(shares, st.sampled_from(list(Units)), st.sampled_from(["point_2d", "xy", "bbox_2d", "points", "fence"]))
@settings(max_examples=150, deadline=None)
def test_json_is_read_in_the_declared_units(share, units, form):
    right, bottom = FULL[units]
    x, y = share[0] * right, share[1] * bottom
    half = 0.01
    item = {
        "bbox_2d": {"bbox_2d": [x - half * right, y - half * bottom, x + half * right, y + half * bottom]},
        "xy": {"x": x, "y": y},
    }.get(form, {"point_2d": [x, y]}) | {"label": "port"}  # fmt: skip
    value = {"points": [item]} if form == "points" else [item]
    text = json.dumps(value)
    (found,) = read(f"Here it is:\n```json\n{text}\n```" if form == "fence" else text, units)
    assert found.pixel_uv == pytest.approx((share[0] * 640, share[1] * 480)) and found.label == "port"


def test_pixels_count_in_the_image_as_the_model_saw_it():
    (found,) = read('[{"point_2d": [322, 238]}]', Units.PIXEL, seen_px=(644, 476))
    assert found.pixel_uv == pytest.approx((320, 240))


def test_json_without_declared_units_is_refused():
    assert refused('[{"point_2d": [320, 240]}]', None) is ErrorCode.AMBIGUOUS


@pytest.mark.parametrize("units", [Units.PIXEL, Units.PERCENT, Units.PERMILLE])
def test_what_may_be_a_fraction_is_not_taken_for_the_corner(units):
    assert refused('[{"point_2d": [0.31, 0.72]}]', units) is ErrorCode.AMBIGUOUS
    assert refused('<point x="0.31" y="0.72">a</point>') is ErrorCode.AMBIGUOUS
    assert refused('{"bbox_2d": [0.1, 0.2, 0.3, 0.4]}', units) is ErrorCode.AMBIGUOUS


@pytest.mark.parametrize("units", list(Units))
def test_the_origin_stands_for_no_point(units):
    assert refused('{"x": 0, "y": 0}', units) is ErrorCode.AMBIGUOUS


@pytest.mark.parametrize(
    "sentence",
    [
        "This isn't in the image.",
        "There are no USB ports visible in the picture.",
        "The socket is not present here.",
        "I cannot see any socket.",
        "There are none.",
        "[]",
        '```json\n{"points": []}\n```',
        '{"objects": null}',
        "There is no socket in the image: []",
    ],
)
def test_absence_is_not_in_view(sentence):
    assert refused(sentence) is ErrorCode.NOT_IN_VIEW
    assert refused(sentence, None) is ErrorCode.NOT_IN_VIEW


CONTRADICTIONS = [
    '<point x="10" y="20">a</point> [{"point_2d": [50, 60]}]',
    '<point x="10" y="20" coords="1 1 100 200">a</point>',
    '<point x="10" y="20">a</point> But it isn\'t in the image.',
    'There is no port in the image. {"point_2d": [50, 60]}',
    '[{"point_2d": [50, 60]}] or rather [{"point_2d": [20, 10]}]',
    '```json\n{"x": 50, "y": 60}\n```\n```json\n{"x": 20, "y": 10}\n```',
    '{"points": [{"x": 50, "y": 60}], "objects": [{"x": 20, "y": 10}]}',
    '{"point_2d": [90, 90], "bbox_2d": [10, 10, 20, 20]}',
    '{"point": [50, 60]}',
]


@pytest.mark.parametrize("answer", CONTRADICTIONS, ids=range(len(CONTRADICTIONS)))
def test_an_answer_that_contradicts_itself_is_ambiguous(answer):
    assert refused(answer) is ErrorCode.AMBIGUOUS


NONSENSE = [
    "",
    "(3, 4)",
    "<point x=>",
    '<point x="10">',
    '<point x="140" y="20">',
    '<point x="nan" y="20">',
    '<point x="-1" y="20">',
    '<point x="1e9" y="20">',
    '<point x="10" x="90" y="20">a</point>',
    '<points x1="10" y2="20">a</points>',
    "<points>",
    "<point",
    "[[",
    "[" * 16_000,
    '{"point_2d": [NaN, 3]}',
    '{"point_2d": [1e9, 3]}',
    '{"point_2d": [1e999, 3]}',
    '{"point_2d": [' + "9" * 9000 + ", 3]}",
    '{"point_2d": [true, 30]}',
    '{"point_2d": ["50", "60"]}',
    '{"point_2d": [50]}',
    '{"point_2d": [50, 60, 70]}',
    '{"point_2d": [50, 101]}',
    '{"bbox_2d": [60, 60, 50, 50]}',
    '{"bbox_2d": [0, 0, 100, 100]}',
    '{"x": 50, "y": 60, "x": 20}',
    '{"x": 50, "y": 60, "confidence": 7}',
    '{"points": 7}',
    "[7]",
    '{"label": "port"}',
    "<think>perhaps at <point x='10' y='20'>a</point>",
    json.dumps([{"x": 50, "y": 60}] * 65),
    '<point x="10" y="20">' + "a" * MOST_CHARACTERS,
]


@pytest.mark.parametrize("answer", NONSENSE, ids=range(len(NONSENSE)))
def test_nonsense_is_a_bad_answer(answer):
    assert refused(answer) is ErrorCode.BAD_ANSWER


def test_what_was_thought_is_not_what_was_said():
    (found,) = read('<think>At <point x="10" y="20">a</point>? No.</think> <point x="50" y="50">a</point>')
    assert found.pixel_uv == (320, 240)


PIECES = st.sampled_from(
    ["<point", "<points", ' x="10"', ' y="20.5"', ' x1="3"', ' y1="4"', ">", "</point>", ' coords="1 1 10 20"', "[",
     "]", "{", "}", '"point_2d":', '"bbox_2d":', "[10, 20]", "[1, 2, 30, 40]", '"x": 5,', '"y": 6', "NaN", "1e9", "-3",
     ",", "```json\n", "```", "<think>", "</think>", " isn't in the image", "label", "\x00", "é"]
)  # fmt: skip


def check_inside_or_refused(answer, units):
    try:
        found = read(answer, units)
    except VitalError as refusal:
        assert refusal.code in REFUSALS
        return
    assert found and all(0 <= c.pixel_uv[0] <= 639 and 0 <= c.pixel_uv[1] <= 479 for c in found)
    assert all(0.0 <= c.confidence <= 1.0 for c in found)


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=24).map("".join)), st.sampled_from([*Units, None]))
@settings(max_examples=400, deadline=None)
@example("<point x='10' y='20'" * 50, Units.PIXEL)
def test_any_text_gives_places_inside_the_image_or_a_refusal(text, units):
    check_inside_or_refused(text, units)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["point_2d", "bbox_2d", "x", "y", "points", "label", "score"]), inner),
    ),
    max_leaves=12,
)


@given(json_values)
@settings(max_examples=200, deadline=None)
def test_any_json_gives_places_inside_the_image_or_a_refusal(value):
    check_inside_or_refused(json.dumps(value), Units.PERMILLE)


def test_the_surest_place_comes_first():
    found = read(
        '[{"x": 50, "y": 60, "score": 0.2}, {"x": 20, "y": 10, "score": 0.9}, {"x": 30, "y": 10, "score": 0.5}]'
    )
    assert [c.confidence for c in found] == [0.9, 0.5, 0.2]


def test_one_place_and_places_close_together_are_chosen():
    near = (Candidate((100, 100), "port"), Candidate((110, 105)))
    chosen = choose(near, SIZE)
    assert chosen.pixel_uv == (100, 100) and chosen.candidates == near and "'port'" in chosen.message


def test_a_place_with_a_clear_lead_is_chosen():
    rivals = (Candidate((100, 100), "", 0.8), Candidate((400, 100), "", 0.5))
    assert choose(rivals, SIZE).confidence == 0.8


def test_places_that_fit_alike_are_ambiguous():
    with pytest.raises(VitalError, match=r"2 places fit.*\(100, 100\), \(400, 100\)") as refusal:
        choose((Candidate((100, 100)), Candidate((102, 100)), Candidate((400, 100))), SIZE)
    assert refusal.value.code is ErrorCode.AMBIGUOUS
