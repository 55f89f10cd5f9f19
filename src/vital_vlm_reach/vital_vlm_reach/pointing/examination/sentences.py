"""The examination's sentences, written by hand: what each asks for, if anything."""

from dataclasses import dataclass
from importlib import resources

from vital_core.errors import ErrorCode
from vital_core.files import schema
from vital_core.files.schema import Source

REFUSE = "refuse"
# Of this kind, refusing is right as well.
MAY_REFUSE = "language"
_SOURCE = Source("examination's sentences", ErrorCode.INTERNAL, "restore pointing/examination/sentences.yaml")


@dataclass(frozen=True)
class Sentence:
    """What an operator says. target: the thing to be found, by `TARGET_NAMES`, None where nothing is."""

    text: str
    kind: str
    target: str | None


def sentences() -> tuple[Sentence, ...]:
    """All of them, in the file's order."""
    data = resources.files(__package__).joinpath("sentences.yaml").read_bytes()
    kinds = schema.checked(schema.plain_yaml(data, _SOURCE), dict[str, dict[str, tuple[str, ...]]], _SOURCE)
    return tuple(
        Sentence(text, kind, None if target == REFUSE else target)
        for kind, targets in kinds.items()
        for target, texts in targets.items()
        for text in texts
    )
