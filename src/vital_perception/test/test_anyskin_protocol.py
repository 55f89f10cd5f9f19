"""The frame parser: whatever happens to the bytes, it costs the frames it happened to."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_perception.anyskin.anyskin_protocol import END, FRAME_BYTES, Frame, FrameParser, Plausible, encode

CRLF_FLOATS = [
    # Floats of a field that have CR LF among their bytes.
    struct.unpack("<f", bytes)[0]
    for bytes in (b"\x0d\x0a\x80\x44", b"\x11\x0d\x0a\x45", b"\x00\x00\x0d\x0a"[::-1], b"\x0d\x0a\x0d\x45")
]
FIELDS = st.one_of(
    st.floats(-12_000, 12_000, width=32).filter(lambda v: v == 0.0 or abs(v) >= 0.01),
    st.sampled_from([v for v in CRLF_FLOATS if 0.01 <= abs(v) <= 12_000]),
)
# As the sensor gives them: fields that are not all tiny, so that a shift by whole floats is no reading.
TEMPERATURES = st.floats(15.0, 60.0, width=32)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    temperature = np.array(draw(st.lists(TEMPERATURES, min_size=5, max_size=5)), np.float32)
    field = np.array(draw(st.lists(FIELDS, min_size=15, max_size=15)), np.float32).reshape(5, 3)
    return encode(temperature, field)


def content(frame: Frame) -> bytes:
    return encode(frame.temperature_c, frame.field_ut)


def feed(parser: FrameParser, data: bytes, cuts: list[int]) -> list[bytes]:
    """The frames of ``data`` fed in pieces."""
    found, start = [], 0
    for end in [*sorted(c % (len(data) + 1) for c in cuts), len(data)]:
        found += [content(frame) for frame in parser.feed(data[start:end])]
        start = end
    return found


def ordinary(count: int, seed: int = 0) -> list[bytes]:
    rng = np.random.default_rng(seed)
    rest = 3000.0 * rng.uniform(0.2, 1.0, (5, 3)) * rng.choice([-1, 1], (5, 3))
    return [encode(30 + rng.standard_normal(5), rest + 2 * rng.standard_normal((5, 3))) for _ in range(count)]


@given(st.lists(frames(), min_size=1, max_size=6), st.lists(st.integers(0, 10_000), max_size=12))
def test_every_frame_comes_out_whatever_the_splitting_and_whatever_its_floats_hold(sent, cuts):
    parser = FrameParser()
    assert feed(parser, b"".join(sent), cuts) == sent
    c = parser.counters
    assert (c.frames, c.resyncs, c.dropped, c.implausible) == (len(sent), 0, 0, 0)


@given(st.integers(0, 2**32 - 1), st.integers(1, FRAME_BYTES - 1), st.integers(0, 4), st.lists(st.integers(0, 999)))
def test_truncated_frame_costs_itself_alone(seed, missing, which, cuts):
    sent = ordinary(6, seed)
    start = seed % (FRAME_BYTES - missing)
    cut = sent[which][:start] + sent[which][start + missing :]
    got = feed(FrameParser(), b"".join([*sent[:which], cut, *sent[which + 1 :]]), cuts)
    assert got == sent[:which] + sent[which + 1 :]


@given(st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=300), st.integers(0, 5), st.lists(st.integers(0, 999)))
def test_garbage_between_frames_costs_nothing(seed, garbage, where, cuts):
    sent = ordinary(6, seed)
    parser = FrameParser()
    got = feed(parser, b"".join([*sent[:where], garbage, *sent[where:]]), cuts)
    assert got == sent
    assert parser.counters.resyncs == (1 if where and len(garbage) % FRAME_BYTES else 0)


@given(st.integers(0, 2**32 - 1), st.binary(min_size=1, max_size=40), st.integers(1, 4), st.integers(0, 81))
def test_overwritten_bytes_cost_at_most_their_frame_and_give_nothing_impossible(seed, noise, which, where):
    sent = ordinary(6, seed)
    stream = bytearray(b"".join(sent))
    start = which * FRAME_BYTES + min(where, FRAME_BYTES - len(noise))
    stream[start : start + len(noise)] = noise
    got = feed(FrameParser(), bytes(stream), [])
    untouched = sent[:which] + sent[which + 1 :]
    others = [frame for frame in got if frame not in sent]
    # A frame whose changed bytes can have been measured cannot be told from a measured one.
    assert [frame for frame in got if frame in untouched] == untouched and len(others) <= 1


@settings(max_examples=60)
@given(st.binary(max_size=3000), st.lists(st.integers(0, 5000), max_size=20))
def test_whatever_comes_nothing_implausible_is_emitted_and_little_is_held(data, cuts):
    parser = FrameParser()
    plausible = Plausible()
    start = 0
    for end in [*sorted(c % (len(data) + 1) for c in cuts), len(data)]:
        for frame in parser.feed(data[start:end]):
            assert plausible.allows(np.column_stack([frame.temperature_c, frame.field_ut]))
        assert len(parser._held) < FRAME_BYTES
        start = end


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6, 1e-20])
def test_impossible_value_is_counted_and_costs_its_frame(value):
    sent = ordinary(5)
    temperature, field = np.full(5, 30.0), np.full((5, 3), 1000.0)
    field[2, 1] = value
    parser = FrameParser()
    assert feed(parser, b"".join([*sent[:2], encode(temperature, field), *sent[2:]]), [100]) == sent
    c = parser.counters
    assert (c.implausible, c.dropped, c.resyncs) == (1, 1, 0)


def test_wrong_place_that_ends_in_crlf_is_not_taken():
    """CR LF 82 bytes after a start in the middle of a frame: only plausibility tells."""
    first, second = ordinary(2)
    parser = FrameParser()
    shifted = first[4:FRAME_BYTES] + second[:2] + END + second[4:]
    assert [content(f) for f in parser.feed(shifted + second)][-1] == second


def test_beginning_in_the_middle_of_a_frame_is_no_fault():
    sent = ordinary(4)
    parser = FrameParser()
    assert feed(parser, b"".join(sent)[30:], [5, 50]) == sent[1:]
    assert (parser.counters.resyncs, parser.counters.dropped) == (0, 0)


def test_trailing_bytes_tell_how_long_ago_a_frame_was_complete():
    sent = ordinary(3)
    assert [f.trailing_bytes for f in FrameParser().feed(b"".join(sent) + b"abc")] == [167, 85, 3]


def test_after_a_reset_the_begun_frame_is_forgotten():
    first, second = ordinary(2)
    parser = FrameParser()
    parser.feed(first[:40])
    parser.reset()
    assert [content(f) for f in parser.feed(second)] == [second]


def test_throughput_has_room():
    """A second of the sensor is 11.5 kB; here a hundred of them, in small pieces."""
    data = b"".join(ordinary(100)) * 140
    parser = FrameParser()
    total = sum(len(parser.feed(data[i : i + 64])) for i in range(0, len(data), 64))
    assert total == 14_000


def test_limits_that_are_none_are_refused():
    with pytest.raises(VitalError, match="not empty") as refusal:
        Plausible(lowest_c=50.0, highest_c=40.0)
    assert refusal.value.code is ErrorCode.BAD_PARAMETER
