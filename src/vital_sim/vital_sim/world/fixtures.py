"""What each task's world is built of: the thing in the hand and the thing on the table."""

from vital_core.errors import ErrorCode, VitalError
from vital_sim.world.block import BLOCK, Block
from vital_sim.world.card_reader import CARD_READER, CardReader
from vital_sim.world.connectors import KEY, TWO_PRONG, USB_A, Connector

# What a gripper holds from the start; a block it has yet to grasp.
Held = Connector | CardReader
Fixture = Held | Block
FIXTURES: dict[str, Fixture] = {
    "usb_stick": USB_A,
    "plug": TWO_PRONG,
    "key": KEY,
    "card": CARD_READER,
    "block": BLOCK,
}
# What the pointing model is asked for.
TARGET_NAMES = {
    "usb_stick": "USB port",
    "plug": "socket",
    "key": "lock",
    "card": "card reader",
    "block": "block",
}


def fixture_for(held_object: str) -> Fixture:
    """The fixture of a task's object. Raises VitalError(BAD_PARAMETER) for an unknown one."""
    if held_object not in FIXTURES:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"the simulation has no '{held_object}', expected one of {', '.join(sorted(FIXTURES))}",
        )
    return FIXTURES[held_object]
