"""The operator's sentence, checked, and the question that a vision-language model is asked about it.

A sentence goes to a model inside a question; so it may not hold what could end the question, stand for a turn of the
conversation, or be taken for an answer.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from vital_core.errors import ErrorCode, VitalError, shortened

MOST_SENTENCE_CHARACTERS = 300
# Marks of conversation templates, of tags and of JSON.
_MARKUP = re.compile(r"[<>{}\[\]|`\\]")


def checked_sentence(sentence: str) -> str:
    """The sentence on one line. Raises VitalError(BAD_PARAMETER) for one that is empty, too long or holds markup."""
    if len(sentence) > MOST_SENTENCE_CHARACTERS:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"the sentence has {len(sentence)} characters, at most {MOST_SENTENCE_CHARACTERS}: name the target alone",
        )
    text = " ".join(sentence.split())
    if not text:
        raise VitalError(ErrorCode.BAD_PARAMETER, "the sentence is empty: name the thing to find")
    if (mark := _MARKUP.search(text)) or not text.isprintable():
        held = repr(mark[0]) if mark else "a character that cannot be shown"
        raise VitalError(
            ErrorCode.BAD_PARAMETER, f"the sentence holds {held}, expected plain words: {shortened(text, 60)!r}"
        )
    return text.replace('"', "'")


class Units(StrEnum):
    """What the numbers of an answer count."""

    PIXEL = "pixel"
    """Pixels of the image as the model saw it."""
    FRACTION = "fraction"
    """0 to 1 of width and height."""
    PERCENT = "percent"
    """0 to 100 of width and height."""
    PERMILLE = "permille"
    """0 to 1000 of width and height."""


@dataclass(frozen=True)
class Dialect:
    """How a family of models is asked, and the units in which it answers in JSON.

    question: with ``{sentence}`` in it. units: None where its own tags say what they count.
    pixel_multiple: pixels are told in an image whose sides are multiples of this, as the model rounds them.
    """

    question: str
    units: Units | None
    pixel_multiple: int = 1

    def ask(self, sentence: str) -> str:
        """The question about a checked sentence."""
        return self.question.format(sentence=sentence)


_TARGET = 'A robot arm is told: "{sentence}". Point to the one thing in the image to which the arm must move for that. '
_POINTS = 'Answer in JSON alone: a list of {{"point_2d": [x, y], "label": "..."}}, '
_EMPTY = "an empty list if it is not in the image."

DIALECTS = {
    "molmo": Dialect('Point to the thing to which a robot arm must move when it is told: "{sentence}"', None),
    "qwen_pixel": Dialect(_TARGET + _POINTS + _EMPTY, Units.PIXEL, 28),
    "qwen_permille": Dialect(_TARGET + _POINTS + _EMPTY, Units.PERMILLE),
    "json_pixel": Dialect(_TARGET + _POINTS + "x and y in pixels, " + _EMPTY, Units.PIXEL),
    "json_fraction": Dialect(_TARGET + _POINTS + "x and y from 0 to 1 of width and height, " + _EMPTY, Units.FRACTION),
    "json_percent": Dialect(
        _TARGET + _POINTS + "x and y from 0 to 100 percent of width and height, " + _EMPTY, Units.PERCENT
    ),
    "json_permille": Dialect(
        _TARGET + _POINTS + "x and y from 0 to 1000 of width and height, " + _EMPTY, Units.PERMILLE
    ),
}
# The first that fits a model's name: Qwen 2.5 alone of its family counts pixels.
_BY_NAME = (
    (re.compile(r"molmo", re.IGNORECASE), "molmo"),
    (re.compile(r"qwen[-_ ]?2[._-]?5[-_ ]?vl", re.IGNORECASE), "qwen_pixel"),
    (re.compile(r"qwen[-_ ]?(2|3)([._-]?5)?[-_ ]?vl", re.IGNORECASE), "qwen_permille"),
)


def dialect(name: str, model: str) -> Dialect:
    """By its name, or with ``auto`` by the model's. Raises VitalError(BAD_PARAMETER)."""
    if name != "auto":
        if name not in DIALECTS:
            raise VitalError(
                ErrorCode.BAD_PARAMETER,
                f"there is no dialect '{shortened(name, 40)}', expected auto or one of {', '.join(DIALECTS)}",
            )
        return DIALECTS[name]
    for pattern, known in _BY_NAME:
        if pattern.search(model):
            return DIALECTS[known]
    raise VitalError(
        ErrorCode.BAD_PARAMETER,
        f"nothing is known of how the model '{shortened(model, 80)}' counts: set pointing_dialect to one of "
        f"{', '.join(DIALECTS)}",
    )


_ASKING = re.compile(
    r"^(please |can you |could you |now )*(pick up|pick|find|locate|point (to|at)|go to|move to|reach( for)?|grasp|"
    r"grab|take|show me|where is|where are|touch|press|open)\b",
    re.IGNORECASE,
)
_TOWARDS = re.compile(r"\b(into|through|onto|in|on|at|to|towards)\b(?! (front|top|order))", re.IGNORECASE)
_ARTICLE = re.compile(r"^(the|a|an|this|that)\s+", re.IGNORECASE)


def target_phrase(sentence: str) -> str:
    """The thing that an instruction is about, for a detector, which is asked for things: 'insert the stick into the USB
    port' gives 'usb port'. A sentence of another form is given back whole."""
    text = sentence.strip().rstrip("?.!")
    asked = _ASKING.match(text)
    if asked:
        text = text[asked.end() :]
    elif towards := list(_TOWARDS.finditer(text)):
        text = text[towards[-1].end() :]
    phrase = _ARTICLE.sub("", text.strip()).lower()
    return phrase or sentence.strip().lower()
