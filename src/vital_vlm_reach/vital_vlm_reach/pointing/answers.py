"""What a vision-language model answers, read into ranked places in the image, or refused with a code.

An answer is text from outside and is trusted with nothing: it either names places in one notation and one unit, all of
them inside the image, or it is refused. No value is clipped, repaired or guessed.

| notation | units |
|---|---|
| `<point x="10.5" y="20.3" alt="a">a</point>`, `<points x1="1" y1="2" x2="3" y2="4">` (Molmo) | percent |
| `<points coords="1 1 105 203 2 300 400">a</points>`: image, then number, x, y of each (Molmo 2) | thousandths |
| JSON: `point_2d`, `bbox_2d` (Qwen-VL), `x` and `y`; one, a list, or a list under `points` or `objects` | declared |
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, isfinite
from typing import Any, Never

from vital_core.errors import ErrorCode, VitalError, shortened
from vital_vlm_reach.pointing.interface import Candidate, Pointing
from vital_vlm_reach.pointing.questions import Units

MOST_CHARACTERS = 16_384
MOST_CANDIDATES = 64
# Places nearer to each other than this share of the image's diagonal are one thing.
SAME_PLACE = 0.04
# A place leads when it is surer by this than any that lies elsewhere.
CLEAR_LEAD = 0.2
# A box that fills more of the image than this, along both axes, has found nothing in it.
WHOLE_IMAGE = 0.9


_FULL_SCALE = {Units.FRACTION: 1.0, Units.PERCENT: 100.0, Units.PERMILLE: 1000.0}


@dataclass(frozen=True)
class Reader:
    """Reads answers about one image.

    image_px: width and height of the image in which places are given back. units: of JSON, as the backend declares
    them; None where it does not, and JSON is then refused. seen_px: the image as the model saw it, for pixels.
    """

    image_px: tuple[int, int]
    units: Units | None = None
    seen_px: tuple[int, int] | None = None

    def read(self, answer: str) -> tuple[Candidate, ...]:
        """At least one place, ranked: the surest first, else in the answer's order.

        Raises VitalError: NOT_IN_VIEW; AMBIGUOUS for an answer with two readings or that contradicts itself;
        BAD_ANSWER for one that cannot be read.
        """
        text = _spoken(answer)
        tags, rest = _cut_tags(text)
        has_json = "{" in rest or "[" in rest
        if tags and has_json:
            _refuse(ErrorCode.AMBIGUOUS, "points in two notations", answer)
        if tags:
            found = [place for tag in tags for place in self._tagged(tag, answer)]
        elif has_json:
            found, rest = self._from_json(rest, answer)
        else:
            _refuse(*_without_a_point(text), answer)
        if not found:
            _refuse(ErrorCode.NOT_IN_VIEW, "the list of places is empty", answer)
        if _ABSENT.search(rest):
            _refuse(ErrorCode.AMBIGUOUS, "points, and says that the thing is not there", answer)
        if len(found) > MOST_CANDIDATES:
            _refuse(ErrorCode.BAD_ANSWER, f"{len(found)} places, at most {MOST_CANDIDATES} are read", answer)
        return tuple(sorted(found, key=lambda candidate: -candidate.confidence))

    def _tagged(self, tag: "_Tag", answer: str) -> list[Candidate]:
        units, points = _tag_points(tag, answer)
        return [Candidate(self._pixel(x, y, units, answer), tag.label) for x, y in points]

    def _from_json(self, text: str, answer: str) -> tuple[list[Candidate], str]:
        """The places, and what is said around them."""
        value, around = _json_value(text, answer)
        items = _items(value, answer)
        if items and self.units is None:
            _refuse(ErrorCode.AMBIGUOUS, "numbers in JSON, and nothing declares what they count", answer)
        return [self._item(item, answer) for item in items], around

    def _item(self, item: Any, answer: str) -> Candidate:
        if not isinstance(item, dict):
            _refuse(ErrorCode.BAD_ANSWER, "an entry of its list is no object with names", answer)
        corners = self._corners(item, answer)
        point = self._point(item, answer)
        if corners is None and point is None:
            _refuse(ErrorCode.BAD_ANSWER, "an entry has neither point_2d, bbox_2d nor x and y", answer)
        if corners is not None and point is not None and not _inside(point, corners):
            _refuse(ErrorCode.AMBIGUOUS, "a point outside its own box", answer)
        if point is None and corners is not None:
            (left, top), (right, bottom) = corners
            point = ((left + right) / 2, (top + bottom) / 2)
        assert point is not None
        return Candidate(point, _label(item), _confidence(item, answer))

    def _point(self, item: dict, answer: str) -> tuple[float, float] | None:
        pair = item.get("point_2d", item.get("point"))
        if pair is None and "x" in item and "y" in item:
            pair = item
        if isinstance(pair, dict):
            pair = [pair.get("x"), pair.get("y")]
        elif pair is not None and "point_2d" not in item:
            # Models disagree on whether the row or the column comes first under this name.
            _refuse(ErrorCode.AMBIGUOUS, "'point' as a list does not say which number is the column", answer)
        return None if pair is None else self._declared(_numbers(pair, 2, answer), answer)

    def _corners(self, item: dict, answer: str) -> tuple[tuple[float, float], tuple[float, float]] | None:
        if (box := item.get("bbox_2d")) is None:
            return None
        left, top, right, bottom = _numbers(box, 4, answer)
        if not (left < right and top < bottom):
            _refuse(ErrorCode.BAD_ANSWER, "a box whose corners are not left, top, right, bottom", answer)
        first, second = (self._scaled(x, y, answer) for x, y in ((left, top), (right, bottom)))
        width, height = self.image_px
        if second[0] - first[0] > WHOLE_IMAGE * width and second[1] - first[1] > WHOLE_IMAGE * height:
            _refuse(ErrorCode.BAD_ANSWER, "a box around the whole image", answer)
        _check_unit((left + right) / 2, (top + bottom) / 2, self.units, answer)
        return first, second

    def _declared(self, pair: Sequence[float], answer: str) -> tuple[float, float]:
        assert self.units is not None
        return self._pixel(pair[0], pair[1], self.units, answer)

    def _pixel(self, x: float, y: float, units: Units, answer: str) -> tuple[float, float]:
        _check_unit(x, y, units, answer)
        return self._scaled(x, y, answer, units)

    def _scaled(self, x: float, y: float, answer: str, units: Units | None = None) -> tuple[float, float]:
        units = units or self.units or Units.PIXEL
        right, bottom = _full_scale(units, self.seen_px or self.image_px)
        if not (0.0 <= x <= right and 0.0 <= y <= bottom):
            _refuse(ErrorCode.BAD_ANSWER, f"({x:g}, {y:g}) in {units} is outside the image", answer)
        width, height = self.image_px
        return min(x / right * width, width - 1.0), min(y / bottom * height, height - 1.0)


def choose(candidates: Sequence[Candidate], image_px: tuple[int, int]) -> Pointing:
    """The place to go to. Raises VitalError(AMBIGUOUS) where several places are about as sure as each other."""
    first = candidates[0]
    reach = SAME_PLACE * hypot(*image_px)
    rivals = [c for c in candidates if hypot(*_difference(c, first)) > reach]
    if rivals and first.confidence - rivals[0].confidence < CLEAR_LEAD:
        places = ", ".join(f"({u:.0f}, {v:.0f})" for u, v in (c.pixel_uv for c in (first, *rivals[:3])))
        raise VitalError(
            ErrorCode.AMBIGUOUS,
            f"{1 + len(rivals)} places fit the sentence, at {places} px: say which, or take the others out of view",
        )
    u, v = first.pixel_uv
    named = f" '{first.label}'" if first.label else ""
    told = f"pointed at{named} ({u:.0f}, {v:.0f}) px"
    return Pointing(first.pixel_uv, first.confidence, told, tuple(candidates))


def _difference(one: Candidate, other: Candidate) -> tuple[float, float]:
    return one.pixel_uv[0] - other.pixel_uv[0], one.pixel_uv[1] - other.pixel_uv[1]


def _refuse(code: ErrorCode, why: str, answer: str) -> Never:
    told = shortened(" ".join(answer.split()), 120)
    remedy = {
        ErrorCode.NOT_IN_VIEW: "move the camera or name another thing",
        ErrorCode.AMBIGUOUS: "ask again in other words, or declare the units of the model's answers",
    }.get(code, "ask again, or serve a model that points")
    raise VitalError(code, f"the pointing model's answer: {why}; it was {told!r}: {remedy}")


def _full_scale(units: Units, seen_px: tuple[int, int]) -> tuple[float, float]:
    if units is Units.PIXEL:
        return float(seen_px[0]), float(seen_px[1])
    return _FULL_SCALE[units], _FULL_SCALE[units]


def _check_unit(x: float, y: float, units: Units | None, answer: str) -> None:
    """The top left corner is where fractions land that were taken for something else, and what models say for none."""
    if x == y == 0.0 or (units is not Units.FRACTION and x <= 1.0 and y <= 1.0):
        _refuse(ErrorCode.AMBIGUOUS, f"({x:g}, {y:g}) may be a fraction, or stand for no point at all", answer)


_THOUGHT = re.compile(r"<think>.*?</think>", re.IGNORECASE | re.DOTALL)
_ABSENT = re.compile(
    r"\b(isn'?t|is not|aren'?t|are not|no|not|none|cannot|can'?t|couldn'?t|unable|without)\b[^.!?]{0,80}"
    r"\b(in|visible|image|picture|see|find|there|present|any|view|shown)\b"
    r"|\bthere (is|are|'?s) (no|none)\b",
    re.IGNORECASE,
)


def _spoken(answer: str) -> str:
    """The answer without what the model thought aloud. Raises VitalError(BAD_ANSWER) for one that is too long."""
    if len(answer) > MOST_CHARACTERS:
        why = f"{len(answer)} characters, at most {MOST_CHARACTERS} are read"
        _refuse(ErrorCode.BAD_ANSWER, why, answer)
    text = _THOUGHT.sub(" ", answer)
    if "<think>" in text.lower() or "</think>" in text.lower():
        _refuse(ErrorCode.BAD_ANSWER, "it ends in the midst of thinking", answer)
    return text


def _without_a_point(text: str) -> tuple[ErrorCode, str]:
    if _ABSENT.search(text):
        return ErrorCode.NOT_IN_VIEW, "not in view"
    return ErrorCode.BAD_ANSWER, "there is no point in it"


_VALUE = r"(?:\"[^\"]*\"|'[^']*'|[^\s\"'<>=/]+)"
_TAG = re.compile(rf"<(points?)((?:\s+\w+\s*=\s*{_VALUE})*)\s*/?>(?:([^<]*)</\1\s*>)?", re.IGNORECASE)
_ATTRIBUTE = re.compile(rf"(\w+)\s*=\s*({_VALUE})")
_AXIS = re.compile(r"([xy])(\d{0,3})", re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,12})?")


@dataclass(frozen=True)
class _Tag:
    attributes: dict[str, str]
    label: str


def _cut_tags(text: str) -> tuple[list[_Tag], str]:
    """Every point tag, and the text around them. Raises VitalError(BAD_ANSWER) for a tag that is torn."""
    tags = []
    for match in _TAG.finditer(text):
        pairs = [(name.lower(), value.strip("\"'")) for name, value in _ATTRIBUTE.findall(match.group(2))]
        attributes = dict(pairs)
        if len(attributes) < len(pairs):
            _refuse(ErrorCode.BAD_ANSWER, "a tag gives one of its attributes twice", text)
        tags.append(_Tag(attributes, (match.group(3) or attributes.get("alt", "")).strip()[:80]))
    rest = _TAG.sub(" ", text)
    if re.search(r"<\s*/?\s*points?\b", rest, re.IGNORECASE):
        _refuse(ErrorCode.BAD_ANSWER, "a point tag is torn", text)
    return tags, rest


def _tag_points(tag: _Tag, answer: str) -> tuple[Units, list[tuple[float, float]]]:
    axes: dict[str, dict[int, float]] = {"x": {}, "y": {}}
    for name, value in tag.attributes.items():
        if axis := _AXIS.fullmatch(name):
            axes[axis[1].lower()][int(axis[2] or 0)] = _tag_number(value, answer)
    if "coords" in tag.attributes:
        if axes["x"] or axes["y"]:
            _refuse(ErrorCode.AMBIGUOUS, "a tag points in two notations", answer)
        return Units.PERMILLE, _coords(tag.attributes["coords"], answer)
    if not axes["x"] or axes["x"].keys() != axes["y"].keys():
        _refuse(ErrorCode.BAD_ANSWER, "there is no point in a tag, or half of one", answer)
    return Units.PERCENT, [(axes["x"][n], axes["y"][n]) for n in sorted(axes["x"])]


def _tag_number(text: str, answer: str) -> float:
    if not _NUMBER.fullmatch(text):
        _refuse(ErrorCode.BAD_ANSWER, f"{shortened(text, 20)!r} is no coordinate", answer)
    return float(text)


def _coords(text: str, answer: str) -> list[tuple[float, float]]:
    """Image 1, then number, x and y of each point."""
    numbers = [_tag_number(word, answer) for word in text.split(" ") if word]
    if len(numbers) < 4 or len(numbers) % 3 != 1 or numbers[0] != 1.0:
        _refuse(ErrorCode.BAD_ANSWER, "coords are not those of points in one image", answer)
    return list(zip(numbers[2::3], numbers[3::3], strict=True))


_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.IGNORECASE | re.DOTALL)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a name is given twice")
    return read


def _no_constant(name: str) -> Never:
    raise ValueError(f"{name} is no number")


_DECODER = json.JSONDecoder(object_pairs_hook=_without_twins, parse_constant=_no_constant)


def _json_value(text: str, answer: str) -> tuple[Any, str]:
    """The one JSON value in a text, in a fence or bare, and the text around it."""
    fences = _FENCE.findall(text)
    if len(fences) > 1:
        _refuse(ErrorCode.AMBIGUOUS, "several blocks of JSON", answer)
    body = fences[0] if fences else text
    start = min((at for at in (body.find("{"), body.find("[")) if at >= 0), default=0)
    try:
        value, end = _DECODER.raw_decode(body, start)
    except (ValueError, RecursionError) as error:
        _refuse(ErrorCode.BAD_ANSWER, f"JSON that cannot be read ({shortened(error, 60)})", answer)
    around = f"{_FENCE.sub(' ', text) if fences else ''} {body[:start]} {body[end:]}"
    if "{" in around or "[" in around:
        _refuse(ErrorCode.AMBIGUOUS, "several values of JSON", answer)
    return value, around


def _items(value: Any, answer: str) -> list[Any]:
    if isinstance(value, dict):
        lists = [value[name] for name in ("points", "objects") if name in value]
        if len(lists) > 1:
            _refuse(ErrorCode.AMBIGUOUS, "both points and objects", answer)
        value = (lists[0] or []) if lists else [value]
    if not isinstance(value, list):
        _refuse(ErrorCode.BAD_ANSWER, "its points are no list", answer)
    return value


def _numbers(values: Any, count: int, answer: str) -> list[float]:
    if not isinstance(values, list) or len(values) != count or not all(_is_number(v) for v in values):
        _refuse(ErrorCode.BAD_ANSWER, f"{shortened(values, 40)} where {count} numbers belong", answer)
    return [float(v) for v in values]


def _is_number(value: Any) -> bool:
    """A finite one of a size that an image can have."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e6 and isfinite(value)


def _label(item: dict) -> str:
    label = item.get("label", "")
    return label.strip()[:80] if isinstance(label, str) else ""


def _confidence(item: dict, answer: str) -> float:
    value = item.get("confidence", item.get("score", 1.0))
    if not _is_number(value) or not 0.0 <= value <= 1.0:
        _refuse(ErrorCode.BAD_ANSWER, f"a confidence of {shortened(value, 20)}, expected 0 to 1", answer)
    return float(value)


def _inside(point: tuple[float, float], corners: tuple[tuple[float, float], tuple[float, float]]) -> bool:
    (left, top), (right, bottom) = corners
    return left <= point[0] <= right and top <= point[1] <= bottom
