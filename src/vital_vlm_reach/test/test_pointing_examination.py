"""The examination of pointing: its sentences and scenes are not those of training, and it counts what happened."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from vital_vlm_reach.pointing import examination, training
from vital_vlm_reach.pointing.examination.examine import Outcome, examined, report
from vital_vlm_reach.pointing.examination.scenes import Stage
from vital_vlm_reach.pointing.examination.sentences import MAY_REFUSE, sentences
from vital_vlm_reach.pointing.interface import Pointing
from vital_vlm_reach.pointing.questions import checked_sentence
from vital_vlm_reach.pointing.text import words_of
from vital_vlm_reach.pointing.training import prompts, speech, vocabulary

SAID = vocabulary.speech()
GRAMMARS = (prompts.LEARNED, prompts.KEPT_BACK)
# Words that every sentence of a kind must have: articles, prepositions, and those with which one forbids.
COMMON = {"the", "a", "an", "this", "that", "to", "in", "of", "there", "you", "do", "don't", "not", "must", "never"}


def folder(package):
    return Path(package.__file__).parent


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize(("of", "never"), [(training, "examination"), (examination, "training")], ids=str)
def test_training_and_examination_know_nothing_of_each_other(of, never):
    for path in folder(of).glob("*.py"):
        assert not [name for name in imports(path) if f"pointing.{never}" in name], path.name


def test_there_are_at_least_two_hundred_sentences_of_every_kind_and_target():
    known = sentences()
    assert len({s.text.lower() for s in known}) == len(known) >= 200
    for target in prompts.TARGETS:
        own = [s for s in known if s.target == target]
        assert {s.kind for s in own} == {"plain", "paraphrase", "typo", "several", "negation", MAY_REFUSE}
        assert len(own) >= 40
    assert len([s for s in known if s.target is None]) >= 70
    assert all(checked_sentence(s.text) for s in known)


def skeleton(frame):
    """A template as a pattern: what it leaves open may be up to six words."""
    parts = [r"\S+(?: \S+){0,5}" if "{" in part else re.escape(part) for part in re.split(r"(\{\w\})", frame)]
    return re.compile("".join(parts), re.IGNORECASE)


def frames():
    """Every template that training's sentences are built on."""
    for grammar in GRAMMARS:
        yield from (*grammar.alone, *grammar.with_held, *grammar.implied)
    for language in vocabulary.languages():
        yield from (*language.frames, *language.with_held, *language.forbidding)
    yield from speech.frames()


def templates():
    """Those that have two words of their own: 'the {d}' fits whatever anybody says."""
    for frame in frames():
        own = [
            word for word in re.findall(r"[^\W\d_]+(?:'[a-z]+)?", re.sub(r"\{\w\}", "", frame)) if word not in COMMON
        ]
        if len(own) >= 2:
            yield frame, skeleton(frame)


def test_no_sentence_is_built_on_a_template_of_training():
    known = list(templates())
    assert len(known) > 300
    for sentence in sentences():
        bare = sentence.text.rstrip("?.! ")
        shared = [frame for frame, pattern in known if pattern.fullmatch(bare)]
        assert not shared, f"{sentence.text!r} is built on {shared}"


def test_things_that_are_not_there_are_none_of_trainings():
    nouns = {*prompts.ABSENT_LEARNED, *prompts.ABSENT_KEPT_BACK, *SAID.unknown, *SAID.almost}
    learned = {noun for noun in nouns if " " not in noun}
    for sentence in sentences():
        if sentence.kind == "absent":
            words = re.findall(r"[a-z]+", sentence.text.lower())
            assert not set(words) & learned, sentence.text
            assert not {" ".join(pair) for pair in pairwise(words)} & nouns, sentence.text


def test_nothing_that_is_said_in_examination_is_said_in_training():
    rng = np.random.default_rng(0)
    said = {" ".join(words_of(speech.sentence(rng)[0])) for _ in range(3_000)} | set(SAID.chatter)
    for sentence in sentences():
        if len(words_of(sentence.text)) > 2:
            assert " ".join(words_of(sentence.text)) not in said, sentence.text


def test_a_part_of_the_targets_is_named_as_training_never_does():
    names = {name for t in prompts.TARGETS for g in GRAMMARS for name in g.names[t]}
    names |= {name for t in prompts.TARGETS for name in (*SAID.names[t], *SAID.looks[t])}
    heard = re.compile(rf"\b({'|'.join(sorted(map(re.escape, names), key=len, reverse=True))})s?\b")
    asked = [s for s in sentences() if s.target is not None and s.kind != MAY_REFUSE]
    assert sum(heard.search(s.text.lower()) is None for s in asked) >= len(asked) // 8


class Everywhere:
    """Points at the place of one target, whatever is asked."""

    def __init__(self, pixel) -> None:
        self.pixel = pixel

    def point(self, rgb, prompt):
        return Pointing(self.pixel, 1.0, "there")


@pytest.fixture(scope="module")
def stage():
    made = Stage("lock")
    yield made
    made.close()


def test_scene_shows_its_target_where_it_says(stage):
    with_it, again = stage.shoot(3, with_target=True), stage.shoot(3, with_target=True)
    assert np.array_equal(with_it.view.rgb, again.view.rgb) and "lock" in with_it.pixels_uv
    without = stage.shoot(3, with_target=False)
    assert "lock" not in without.points_m and "lock" not in without.pixels_uv


def test_every_outcome_is_told_from_the_others(stage):
    seed = 800_000 + 10_000 * 2
    pixel = stage.shoot(seed, with_target=True).pixels_uv["lock"]
    right, language, nothing = examined(Everywhere(pixel), stage, "lock", 0, with_target=True)
    assert right.outcome is language.outcome is Outcome.RIGHT and right.error_mm < 10.0
    assert nothing.outcome is Outcome.FALSE and nothing.target is None
    off = examined(Everywhere((pixel[0] + 60, pixel[1])), stage, "lock", 0, with_target=True)
    assert off[0].outcome is Outcome.ELSEWHERE and (off[0].error_mm is None or off[0].error_mm > 10.0)
    missed = examined(Everywhere(None), stage, "lock", 0, with_target=True)
    assert [a.outcome for a in missed] == [Outcome.MISSED, Outcome.MISSED, Outcome.REFUSED]
    absent = examined(Everywhere(pixel), stage, "lock", 0, with_target=False)
    assert {a.outcome for a in absent} == {Outcome.FALSE}
    text = report([a.row() for a in (right, language, nothing, *off, *missed, *absent)])
    assert "within 10 mm: **1 of 3" in text and "false finds: **4 of 5" in text
