"""Molmo's answers: points read as written, absence believed, anything else without a point."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_vlm_reach.pointing.molmo_answer import points_percent, read_answer

percent = st.integers(0, 1000).map(lambda tenths: tenths / 10)


@given(percent, percent)
@settings(max_examples=60, deadline=None)
def test_one_point_is_read_in_pixels(x, y):
    answer = read_answer(f' <point x="{x}" y="{y}" alt="USB port">USB port</point>', 640, 480)
    assert answer.pixel_uv == pytest.approx((x * 6.4, y * 4.8))
    assert answer.confidence == 1.0


@given(st.lists(st.tuples(percent, percent), min_size=1, max_size=15))
@settings(max_examples=60, deadline=None)
def test_several_points_are_read_in_order(points):
    text = " ".join(f'x{i}="{x}" y{i}="{y}"' for i, (x, y) in enumerate(points, 1))
    answer = f'<points {text} alt="x1=3 and y1=4">ports</points>'
    assert points_percent(answer) == pytest.approx(points)
    assert read_answer(answer, 100, 100).pixel_uv == pytest.approx(points[0])


@pytest.mark.parametrize(
    "sentence",
    [
        "This isn't in the image.",
        "There are no USB ports visible in the picture.",
        "The socket is not present here.",
        "I cannot see any socket.",
        "There is none in the image",
    ],
)
def test_a_sentence_of_absence_is_no_point(sentence):
    answer = read_answer(sentence, 640, 480)
    assert answer.pixel_uv is None and answer.confidence == 0.0
    assert answer.message.startswith("not in view")


@pytest.mark.parametrize("broken", ["", "<point x=>", '<point x="10">', '<point x="140" y="20">', "<points>", "(3, 4)"])
def test_an_answer_without_a_usable_point_is_told_apart(broken):
    answer = read_answer(broken, 640, 480)
    assert answer.pixel_uv is None
    assert "no point in it" in answer.message


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_text_breaks_the_reader(text):
    pixel = read_answer(text + "<point" + text, 640, 480).pixel_uv
    assert pixel is None or (0 <= pixel[0] <= 640 and 0 <= pixel[1] <= 480)
