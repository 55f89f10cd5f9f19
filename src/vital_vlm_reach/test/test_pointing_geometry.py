"""From boxes, heat and answers to one pixel: what is chosen moves with the image, and nothing is chosen by chance."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vital_core.errors import ErrorCode, VitalError
from vital_vlm_reach.pointing.answers import CLEAR_LEAD, MOST_CANDIDATES, SAME_PLACE, choose
from vital_vlm_reach.pointing.detectors import LEAST_BOX_PX, ranked
from vital_vlm_reach.pointing.http_exchange import Endpoint
from vital_vlm_reach.pointing.interface import Candidate
from vital_vlm_reach.pointing.network import HEIGHT_PX, STRIDE, WIDTH_PX, PointingNetwork, peak
from vital_vlm_reach.pointing.text import BUCKETS, PIECES_PER_WORD, WORDS, encode, pieces
from vital_vlm_reach.pointing.training import prompts, see, speech, vocabulary
from vital_vlm_reach.pointing.training.picture import Picture
from vital_vlm_reach.pointing.training.picture_sets import load_set, save_set

SIZE = (640, 480)
scores = st.floats(0.0, 1.0)
words = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12)
DIAGONAL_PX = float(np.hypot(*SIZE))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# Boxes.


@st.composite
def detections(draw):
    count = draw(st.integers(0, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corner, size = rng.uniform(-100, 640, (count, 2)), rng.exponential(120, (count, 2))
    return np.hstack([corner, corner + size]), rng.uniform(0, 1, count)


@given(detections(), st.floats(0.05, 0.9))
def test_what_is_ranked_lies_in_the_image_scores_enough_and_falls(found, threshold):
    boxes, score = found
    candidates = ranked(boxes, score, "lock", SIZE, threshold)
    sure = [c.confidence for c in candidates]
    assert sure == sorted(sure, reverse=True) and all(threshold <= s <= 1.0 for s in sure)
    assert len(candidates) <= min(MOST_CANDIDATES, len(boxes))
    assert all(0 <= u <= 639 and 0 <= v <= 479 for u, v in (c.pixel_uv for c in candidates))
    again = ranked(boxes[::-1], score[::-1], "lock", SIZE, threshold)
    assert again == candidates, "the order in which a detector lists its boxes says nothing"


sides = st.floats(LEAST_BOX_PX + 0.01, 90.0)  # what corners keep of a side is rounded


@given(st.floats(50, 590), st.floats(50, 430), sides, sides)
def test_a_box_inside_the_image_is_pointed_at_in_its_middle(u, v, width, height):
    box = np.array([[u - width / 2, v - height / 2, u + width / 2, v + height / 2]])
    (found,) = ranked(box, np.array([0.9]), "lock", SIZE, 0.5)
    assert found.pixel_uv == pytest.approx((u, v)) and found.label == "lock"


# Choosing.


@given(st.floats(0, 639), st.floats(0, 479), st.lists(st.tuples(scores, st.floats(0, 6.28), scores), max_size=6))
def test_places_near_the_first_are_one_thing_whatever_they_score(u, v, near):
    reach = 0.99 * SAME_PLACE * DIAGONAL_PX
    others = [
        Candidate((u + r * reach * np.cos(turn), v + r * reach * np.sin(turn)), "", sure) for r, turn, sure in near
    ]
    assert choose([Candidate((u, v), "port", 1.0), *others], SIZE).pixel_uv == (u, v)


@given(scores, scores, st.floats(1.01, 5.0))
def test_a_place_elsewhere_is_a_rival_unless_the_lead_is_clear(sure, less, times):
    first, second = max(sure, less), min(sure, less)
    apart = times * SAME_PLACE * DIAGONAL_PX
    pair = (Candidate((100.0, 100.0), "", first), Candidate((100.0 + apart, 100.0), "", second))
    if first - second >= CLEAR_LEAD:
        assert choose(pair, SIZE).confidence == first
    else:
        with pytest.raises(VitalError, match="2 places fit") as refusal:
            choose(pair, SIZE)
        assert refusal.value.code is ErrorCode.AMBIGUOUS


# Heat.


@settings(max_examples=25)
@given(st.floats(8.0, see.CUT_WIDTH_PX - 17.0), st.floats(8.0, see.CUT_HEIGHT_PX - 9.0))
def test_a_point_is_where_its_label_says_and_moves_with_it_by_whole_cells(u, v):
    heat, place, told = see.labels({"lock": (u, v)}, ("block",), prompts.NAMES)
    lock = prompts.NAMES.index("lock")
    logits, places = torch.from_numpy(heat[lock]).clamp(min=1e-6).log()[None], torch.from_numpy(place)[None]
    found, logit = peak(logits, places)
    np.testing.assert_allclose(found, [[u, v]], atol=1e-3)
    assert float(logit) == 0.0 and told.tolist() == [float(name != "block") for name in prompts.NAMES]
    moved, _ = peak(torch.roll(logits, 1, dims=2), torch.roll(places, 1, dims=3))
    np.testing.assert_allclose(moved - found, [[STRIDE, 0.0]], atol=1e-3)


def test_each_of_a_batch_is_looked_at_alone_and_an_empty_sentence_is_no_fault():
    network, generator = PointingNetwork().eval(), torch.Generator().manual_seed(0)
    images = torch.rand(3, 3, HEIGHT_PX, WIDTH_PX, generator=generator)
    sentences = torch.stack([encode("the usb port"), encode(""), encode("a key in the lock")])
    with torch.inference_mode():
        together = (*network.detector(images), network.reader(sentences))
        for i in range(3):
            alone = (*network.detector(images[i : i + 1]), network.reader(sentences[i : i + 1]))
            for one, several in zip(alone, together, strict=True):
                np.testing.assert_allclose(one[0], several[i], atol=1e-4, rtol=1e-4)
                assert bool(torch.isfinite(one).all())


# Words.


@given(words)
def test_pieces_of_a_word_are_its_own_bounded_and_always_the_same(word):
    numbers = pieces(word)
    assert 1 <= len(numbers) <= PIECES_PER_WORD and all(0 < n < BUCKETS for n in numbers)
    assert pieces(word) == numbers


@given(st.lists(words, max_size=2 * WORDS))
def test_the_last_words_count_and_stand_at_the_end(sentence):
    table = encode(" ".join(sentence).upper() + "?!")
    assert table.shape == (WORDS, PIECES_PER_WORD) and table.dtype == torch.long
    last = sentence[-WORDS:]
    assert (table[: WORDS - len(last)] == 0).all()
    for row, word in zip(table[WORDS - len(last) :], last, strict=True):
        assert tuple(n for n in row.tolist() if n) == pieces(word)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["receptacle", "screwdriver", "thumb drive"]))
def test_a_typing_error_leaves_most_of_a_long_word(seed, word):
    slipped = prompts.with_typo(word, np.random.default_rng(seed))
    assert abs(len(slipped) - len(word)) <= 1
    grams, changed = (set(pieces(w.replace(" ", ""))[1:]) for w in (word, slipped))
    assert len(grams & changed) >= 0.35 * len(grams)
    assert prompts.with_typo("port", np.random.default_rng(seed)) == "port", "short words keep their letters"


# Sentences to learn from.


def test_what_is_kept_back_for_the_examination_is_never_learned():
    learned, kept = prompts.LEARNED, prompts.KEPT_BACK
    for mine, other in ((learned.names, kept.names), (learned.held, kept.held)):
        for thing in other:
            assert not set(other[thing]) & set(mine.get(thing, ())), thing
    for part in ("alone", "with_held", "implied"):
        assert not set(getattr(learned, part)) & set(getattr(kept, part)), part
    assert not set(prompts.ABSENT_KEPT_BACK) & set(prompts.ABSENT_LEARNED)
    named = {name for names in learned.names.values() for name in names}
    named |= {name for names in vocabulary.speech().names.values() for name in names}
    absent = {
        *prompts.ABSENT_LEARNED,
        *prompts.ABSENT_KEPT_BACK,
        *vocabulary.speech().unknown,
        *vocabulary.speech().almost,
    }
    assert not named & absent, "what is there is not absent"


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=200)
def test_a_sentence_to_learn_from_is_whole_and_follows_from_its_seed(seed):
    text, thing = speech.sentence(np.random.default_rng(seed))
    assert text == text.strip() and not set("{}") & set(text) and (thing is None or thing in prompts.NAMES)
    assert (text, thing) == speech.sentence(np.random.default_rng(seed))


@given(st.sampled_from(vocabulary.speech().before + vocabulary.speech().asks), st.integers(0, 2**32 - 1))
@settings(max_examples=100)
def test_a_loosened_template_keeps_its_places_and_the_words_that_decide(frame, seed):
    decide = vocabulary.speech().decide
    loosened = speech.loosened(frame, np.random.default_rng(seed))
    for keeps in (lambda word: "{" in word, lambda word: word in decide):
        assert [w for w in loosened.split() if keeps(w)] == [w for w in frame.split() if keeps(w)]


@given(st.sampled_from(prompts.TARGETS), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_a_sentence_names_its_thing_or_what_belongs_there_and_keeps_no_braces(thing, seed):
    text = prompts.sentence(prompts.KEPT_BACK, thing, np.random.default_rng(seed))
    assert "{" not in text and text == text.strip()
    own = (*prompts.KEPT_BACK.names[thing], *prompts.KEPT_BACK.held.get(thing, ()))
    assert any(name in text for name in own)
    assert text == prompts.sentence(prompts.KEPT_BACK, thing, np.random.default_rng(seed))


def test_a_set_of_pictures_comes_back_with_what_is_seen_and_what_is_hidden(tmp_path):
    rng = np.random.default_rng(0)
    made = [
        Picture(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8), seen, hidden)
        for seen, hidden in (({"lock": (3.5, 7.25)}, ("block",)), ({}, ()), ({"block": (1.0, 2.0), "lock": (4, 5)}, ()))
    ]
    save_set(tmp_path / "new" / "set.npz", made)
    for before, after in zip(made, load_set(tmp_path / "new" / "set.npz"), strict=True):
        np.testing.assert_array_equal(after.image, before.image)
        assert after.seen == before.seen and after.hidden == before.hidden


# Addresses.

hosts = st.one_of(
    st.from_regex(r"\A[a-z][a-z0-9-]{0,10}(\.[a-z]{2,5})?\Z"),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda ip: f"[{ip}]"),
)


@given(st.sampled_from(["http", "https"]), hosts, st.integers(1, 65535), st.sampled_from(["", "/v1", "/a/b~c"]))
def test_an_endpoint_is_the_address_that_it_shows(scheme, host, port, path):
    endpoint = Endpoint.parse(f"{scheme}://{host}:{port}{path}/")
    assert (endpoint.scheme, endpoint.port, endpoint.path) == (scheme, port, path)
    assert Endpoint.parse(str(endpoint)) == endpoint
    assert endpoint.is_loopback == (endpoint.host in ("localhost", "127.0.0.1", "::1"))
