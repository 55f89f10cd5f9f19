"""The words and templates that sentences to learn from are built of, from their files."""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypeVar

from vital_core.errors import ErrorCode
from vital_core.files import schema
from vital_core.files.schema import Source

Texts = tuple[str, ...]
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Speech:
    """English. In templates {d} is what is asked for, {o} and {p} are other things, {h} is in the hand, {u} and {y} are
    not known, {v} and {w} are verbs."""

    verbs: Texts
    asks: Texts
    """Ask for {d}."""
    fits: Texts
    """Name a thing by what goes into it."""
    relations: Texts
    """{d} beside another thing."""
    before: Texts
    """Said before what is asked for, and not it."""
    instead: Texts
    """Ask for {d} and not for {o}."""
    forbidding: Texts
    """Nothing is asked for."""
    elsewhere: Texts
    """What is held goes to a {d} that is not known."""
    polite: Texts
    """Said before."""
    ends: Texts
    """Said after."""
    adjectives: Texts
    """Said before a name."""
    decide: Texts
    """Words without which a sentence may ask for something else, or for nothing."""
    loose: Texts
    """Words of nonsense."""
    names: dict[str, Texts]
    """Of each target, beside those of `prompts`."""
    looks: dict[str, Texts]
    """Descriptions of each target."""
    held: dict[str, Texts]
    """What goes into each target, beside those of `prompts`."""
    errands: dict[str, Texts]
    """Tell the target without naming it."""
    unknown: Texts
    """Nouns of nothing that is known."""
    almost: Texts
    """The same, of words that targets have too."""
    chatter: Texts
    """Ask for nothing."""


@dataclass(frozen=True)
class Language:
    """names: of each target, with the articles that are said. held: what goes into it. frames, with_held: ask for {d}.
    forbidding: after these nothing is asked for. unknown: other nouns."""

    names: dict[str, Texts]
    held: dict[str, Texts]
    frames: Texts
    with_held: Texts
    forbidding: Texts
    unknown: Texts


def _read(name: str, kind: type[Kind]) -> Kind:
    source = Source(f"training's {name}", ErrorCode.INTERNAL, f"restore pointing/training/{name}")
    data = resources.files(__package__).joinpath(name).read_bytes()
    return schema.checked(schema.plain_yaml(data, source), kind, source)


@cache
def speech() -> Speech:
    """English."""
    return _read("speech.yaml", Speech)


@cache
def languages() -> tuple[Language, ...]:
    """The other ones."""
    return _read("languages.yaml", tuple[Language, ...])  # type: ignore[arg-type]  # mypy takes no tuple for a type
