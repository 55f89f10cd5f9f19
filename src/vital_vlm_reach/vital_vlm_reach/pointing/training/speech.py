"""What people say, drawn at random: sentences and what each of them asks for, a known thing or nothing.

Built of clauses: what is asked for may be described by what goes into it, stand beside other things, come after other
errands or against a thing that is not meant; and sentences that forbid, ask for what is not known, or ask for nothing.
"""

from collections.abc import Sequence

import numpy as np

from vital_vlm_reach.pointing.training import prompts, vocabulary
from vital_vlm_reach.pointing.training.prompts import LEARNED, NAMES, TARGETS

# Of the things that only stand about, and of everything else, among what is asked for.
_PROP_SHARE = 0.12
_SAID, _LANGUAGES = vocabulary.speech(), vocabulary.languages()
# Keys that are struck by mistake.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_BESIDE = {
    letter: "".join(row[k] for row in _ROWS for k in (i - 1, i, i + 1) if 0 <= k < len(row) and row[k] != letter)
    for own in _ROWS
    for i, letter in enumerate(own)
}


def frames() -> tuple[str, ...]:
    """Every template of an English sentence that is not of `prompts`."""
    errands = [errand for own in _SAID.errands.values() for errand in own]
    return (
        *_SAID.asks,
        *_SAID.fits,
        *_SAID.relations,
        *_SAID.before,
        *_SAID.instead,
        *_SAID.forbidding,
        *_SAID.elsewhere,
        *errands,
    )


def class_of(thing: str | None) -> int:
    """Index of a known thing; one past the last for nothing."""
    return NAMES.index(thing) if thing is not None else len(NAMES)


def sentence(rng: np.random.Generator) -> tuple[str, str | None]:
    """A sentence, and the known thing that it asks for, None for nothing."""
    text, thing = _foreign(rng) if rng.random() < 0.14 else _english(rng)
    return _as_typed(text, rng), thing


def _english(rng: np.random.Generator) -> tuple[str, str | None]:
    kind = rng.random()
    if kind < 0.60:
        thing = _thing(rng)
        return _around(_asking(thing, rng), rng), thing
    if kind < 0.72:
        return _around(_filled(_pick(_SAID.forbidding, rng), _thing(rng), rng), rng), None
    if kind < 0.92:
        return _around(_unknown(rng), rng), None
    return _nothing(rng), None


def _thing(rng: np.random.Generator) -> str:
    return _pick(TARGETS if rng.random() > _PROP_SHARE else [n for n in NAMES if n not in TARGETS], rng)


def _pick(among: Sequence[str], rng: np.random.Generator) -> str:
    return among[int(rng.integers(len(among)))]


def held(thing: str, rng: np.random.Generator) -> str:
    """What goes into a target; of another thing, what goes into any."""
    owner = thing if thing in _SAID.held else _pick(list(_SAID.held), rng)
    return _pick((*LEARNED.held[owner], *_SAID.held[owner]), rng)


def named(thing: str, rng: np.random.Generator) -> str:
    """A known thing by one of its names, without an article."""
    names = LEARNED.names[thing]
    return _pick(_SAID.names[thing] if thing in _SAID.names and rng.random() < 0.5 else names, rng)


def _other(thing: str, rng: np.random.Generator) -> str:
    """A thing that is not meant: mostly another target."""
    if rng.random() < 0.25:
        return _noun(rng)
    other = _thing(rng)
    return named(other, rng) if other != thing else _noun(rng)


def _noun(rng: np.random.Generator) -> str:
    """Of nothing that is known."""
    choice = rng.random()
    if choice < 0.5:
        return _pick(_SAID.unknown, rng).replace("-", " ")
    if choice < 0.7:
        return _pick(prompts.ABSENT_LEARNED, rng)
    return _pick(_SAID.almost, rng) if choice < 0.85 else prompts.strange_word(rng)


def _adjective(rng: np.random.Generator) -> str:
    if rng.random() < 0.15:
        return prompts.strange_word(rng)
    return _pick(LEARNED.looks if rng.random() < 0.4 else _SAID.adjectives, rng)


def _filled(frame: str, thing: str, rng: np.random.Generator, name: str | None = None) -> str:
    """A frame's places: {d} the thing, {o} and {p} others, {h} what is held, {u} and {y} what is not known."""
    name = name or named(thing, rng)
    if rng.random() < 0.2:
        name = f"{_adjective(rng)} {name}"
    hands = held(thing, rng) if rng.random() < 0.85 else held("", rng)
    verbs = {"v": _pick(_SAID.verbs, rng), "w": _pick(_SAID.verbs, rng)}
    others = {"o": _other(thing, rng), "p": _other(thing, rng), "u": _noun(rng), "y": _noun(rng)}
    return frame.format(d=name, h=hands, **verbs, **others)


def _asking(thing: str, rng: np.random.Generator) -> str:
    """A sentence that asks for a known thing."""
    kind = rng.random()
    if kind < 0.2 and thing in _SAID.errands and _SAID.errands[thing]:
        text = _pick(_SAID.errands[thing], rng).format(h=held(thing, rng))
    elif kind < 0.4:
        text = _filled(_pick(_SAID.instead, rng), thing, rng)
    elif kind < 0.6:
        text = _core(loosened(_pick(_SAID.relations, rng), rng), thing, rng)
    else:
        text = _core("{d}", thing, rng)
    if rng.random() < 0.25:
        text = f"{_filled(loosened(_pick(_SAID.before, rng), rng), thing, rng)} {text}"
    elif rng.random() < 0.08:
        text = f"{text} {_pick(('and not the', 'but not the', 'never the', 'not the'), rng)} {_other(thing, rng)}"
    return text


def _core(place: str, thing: str, rng: np.random.Generator) -> str:
    """A frame around a name, a description, or what fits."""
    choice, with_held = rng.random(), LEARNED.held.get(thing) is not None
    name = named(thing, rng)
    if choice < 0.12 and thing in _SAID.looks:
        name = _pick(_SAID.looks[thing], rng).removeprefix("the ")
    elif choice < 0.27 and with_held:
        name = _pick(_SAID.fits, rng).format(h=held(thing, rng)).removeprefix("the ")
    name = place.replace("{d}", name) if place != "{d}" else name
    name = _filled(name, thing, rng) if "{" in name else name
    if rng.random() < (0.4 if with_held else 0.1):
        return _filled(loosened(_pick(LEARNED.with_held, rng), rng), thing, rng, name)
    frames = _SAID.asks if rng.random() < 0.65 else LEARNED.alone
    return _filled(loosened(_pick(frames, rng), rng), thing, rng, name)


def loosened(frame: str, rng: np.random.Generator) -> str:
    """A frame as others would say it: words of its own that decide nothing replaced, and more between them."""
    if rng.random() < 0.6:
        return frame
    said = []
    for word in frame.split():
        free = "{" not in word and word not in _SAID.decide
        if rng.random() < 0.08:
            said.append(_filler(rng))
        said.append(_filler(rng) if free and rng.random() < 0.12 else word)
    return " ".join(said)


def _filler(rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        return prompts.strange_word(rng)
    word = _pick(_SAID.loose, rng)
    return word if word not in _SAID.decide else "the"


def _unknown(rng: np.random.Generator) -> str:
    """A sentence that asks for what is not known, in the words in which the known is asked for."""
    kind, noun = rng.random(), _noun(rng)
    if kind < 0.28:
        return _filled(loosened(_pick(_SAID.asks, rng), rng), "", rng, noun)
    if kind < 0.4:
        return _filled(loosened(_pick(LEARNED.alone, rng), rng), "", rng, noun)
    if kind < 0.65:
        return _filled(loosened(_pick((*_SAID.elsewhere, *LEARNED.with_held), rng), rng), "", rng, noun)
    if kind < 0.75:
        return _filled(_pick(_SAID.before, rng), "", rng, noun) + " " + _filled(_pick(_SAID.asks, rng), "", rng, noun)
    if kind < 0.85:
        instead = _pick([frame for frame in _SAID.instead if frame.count("{o}") == 1], rng)
        return _filled(instead, "", rng, noun)
    if kind < 0.93:
        return _filled(_pick(_SAID.forbidding, rng), "", rng, noun)
    return f"{_pick(_SAID.verbs, rng)} {_filled(_pick(_SAID.relations, rng), '', rng, noun)}"


def _nothing(rng: np.random.Generator) -> str:
    """Talk, or words in no order, with what is unknown among them."""
    if rng.random() < 0.5:
        return _pick(_SAID.chatter, rng)
    words = [_pick(_SAID.loose, rng) for _ in range(int(rng.integers(1, 10)))]
    for i in range(len(words)):
        if rng.random() < 0.2:
            words[i] = _noun(rng) if rng.random() < 0.7 else str(rng.integers(1000))
    return " ".join(words)


def _around(text: str, rng: np.random.Generator) -> str:
    if rng.random() < 0.2:
        text = f"{_pick((*_SAID.polite, *LEARNED.before), rng)} {text}"
    while rng.random() < 0.25:
        text = f"{text} {_pick((*_SAID.ends, *LEARNED.after), rng)}"
    return text


def _foreign(rng: np.random.Generator) -> tuple[str, str | None]:
    """A sentence of another language."""
    language, kind = _LANGUAGES[int(rng.integers(len(_LANGUAGES)))], rng.random()
    thing = _pick(TARGETS, rng)
    name = _pick(language.names[thing], rng)
    if kind < 0.2:
        return _pick(language.forbidding, rng).format(d=name), None
    asked = thing if kind < 0.7 else None
    if asked is None:
        name = _pick(language.unknown, rng)
    if thing in language.held and rng.random() < 0.5:
        return _pick(language.with_held, rng).format(d=name, h=_pick(language.held[thing], rng)), asked
    return _pick(language.frames, rng).format(d=name), asked


def _as_typed(text: str, rng: np.random.Generator) -> str:
    """As it may arrive: slips of the fingers, words run together or torn apart, an article lost."""
    words = text.split()
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 4))):
            i = int(rng.integers(len(words)))
            words[i] = _slipped(words[i], rng)
    if len(words) > 2 and rng.random() < 0.06:
        i = int(rng.integers(len(words) - 1))
        words[i : i + 2] = [words[i] + words[i + 1]]
    if rng.random() < 0.12:
        words = [word for word in words if word not in ("the", "a", "to")] or words
    return " ".join(words)


def _slipped(word: str, rng: np.random.Generator) -> str:
    """A word of four letters or more with one slip; a short one seldom, as it would be another."""
    if len(word) < 4 and rng.random() < 0.6:
        return word
    if len(word) > 5 and rng.random() < 0.08:
        i = int(rng.integers(2, len(word) - 2))
        return f"{word[:i]} {word[i:]}"
    choice = rng.random()
    if choice < 0.08:
        return word[0] + "".join(c for c in word[1:] if c not in "aeiou")
    if choice < 0.25:
        i = int(rng.integers(len(word)))
        return word[:i] + _pick(_BESIDE.get(word[i], word[i]), rng) + word[i + 1 :]
    return prompts.slip(word, rng)
