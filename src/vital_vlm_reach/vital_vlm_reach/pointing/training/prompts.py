"""Sentences to learn from, and others, kept back, to be examined with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LETTERS = "aeioubcdfghklmnprst"
_ONSETS = ("b", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pl",
           "pr", "qu", "r", "s", "sc", "sh", "sl", "sp", "st", "str", "t", "th", "tr", "v", "w", "y", "z",
           "")  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ee", "oa", "oo", "ou", "ie", "y")
_CODAS = ("", "", "", "b", "ck", "d", "g", "l", "ll", "m", "n", "nd", "ng", "nt", "p", "r", "rd", "s", "ss", "st", "t",
          "x", "er", "le", "or", "in")  # fmt: skip


@dataclass(frozen=True)
class Grammar:
    """Names of each thing, and sentences around them: {d} is what to point at, {h} what is in the hand.

    implied: sentences that name only what is in the hand and mean where it belongs. before, after: what people
    say around a sentence; looks: what they say before a noun. slips: share of nouns with a typing error; strange:
    share of sentences with a word in them that nobody has heard of.
    """

    names: dict[str, tuple[str, ...]]
    held: dict[str, tuple[str, ...]]
    alone: tuple[str, ...]
    with_held: tuple[str, ...]
    implied: tuple[str, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    looks: tuple[str, ...]
    slips: float = 0.0
    strange: float = 0.0


def _each_with_each(first: str, second: str) -> tuple[str, ...]:
    return tuple(f"{a} {b}" for a in first.split(", ") for b in second.split(", "))


_HELD = {
    "USB port": ("usb stick", "stick", "thumb drive", "flash drive", "usb drive", "memory stick", "usb key",
                 "usb flash drive", "pen drive", "usb plug"),
    "socket": ("plug", "power plug", "power cord", "charger", "two prong plug", "lamp plug", "mains plug",
               "adapter", "electric plug", "plug of the lamp"),
    "lock": ("key", "brass key", "door key", "small key", "house key", "key of the door"),
    "card reader": ("card", "bank card", "credit card", "key card", "badge", "access card", "id card"),
}  # fmt: skip
# What a task is about; everything else only stands about.
TARGETS = ("USB port", "socket", "lock", "card reader", "block")
LEARNED = Grammar(
    names={
        "USB port": ("usb port", "usb slot", "port", "usb", "usb hub", "hub", "thumb drive port", "usb a port",
                     "slot of the usb hub", "port on the hub", "usb female connector",
                     *_each_with_each("usb, usb, usb 3, computer, data, usb stick",
                                      "port, slot, socket, connector, opening, jack, input, outlet, receptacle, gap")),
        "socket": ("socket", "outlet", "receptacle", "power point", "mains", "socket in the wall", "plug socket",
                   *_each_with_each("wall, power, mains, electrical, electric, ac, two hole, plug",
                                    "socket, outlet, receptacle, connector, opening, point")),
        "lock": ("lock", "keyhole", "key hole", "cylinder lock", "door lock", "padlock", "brass lock", "lock cylinder",
                 *_each_with_each("key, door, brass, cylinder, security", "lock, opening, slot, hole")),
        "card reader": ("card reader", "reader", "card slot", "swipe reader", "card machine", "card swiper",
                        *_each_with_each("card, swipe, badge, credit card, magnetic, payment, key card",
                                         "reader, terminal, machine, slot")),
        "mug": ("mug", "cup", "coffee mug", "coffee cup"),
        "ball": ("ball", "round ball", "sphere"),
        "block": ("block", "cube", "little block", "wooden block", "building block", "brick", "box shaped block"),
        "bottle": ("bottle", "water bottle", "flask"),
        "tape roll": ("tape roll", "roll of tape", "tape", "adhesive tape"),
        "screwdriver": ("screwdriver", "screw driver", "driver tool"),
    },
    held=_HELD,
    alone=("{d}", "the {d}", "point to the {d}", "find the {d}", "where is the {d}?", "locate the {d}", "a {d}",
           "go to the {d}", "move above the {d}", "show me the {d}", "look for the {d}", "point at a {d}",
           "do you see the {d}", "is there a {d}?", "reach for the {d}", "where do you see a {d}", "touch the {d}",
           "the {d} is your goal", "{d} location", "i need the {d}", "show me where the {d} is", "is the {d} there",
           "{d}s", "the {d} that stands here", "pick up the {d}", "pick the {d} up", "grasp the {d}", "take the {d}",
           "lift the {d}", "get me the {d}", "pick {d}", "grab the {d}"),
    with_held=("insert the {h} into the {d}", "put the {h} into the {d}", "put the {h} in the {d}",
               "plug the {h} into the {d}", "push the {h} into the {d}", "connect the {h} to the {d}",
               "plug the {h} in the {d}", "insert the {h} in the {d}", "the {h} goes into the {d}",
               "take the {h} and put it into the {d}", "move the {h} above the {d}", "use the {d} for the {h}",
               "into the {d} goes the {h}", "with the {h} in your hand go to the {d}",
               "find the {d} for the {h}", "place {h} in {d}", "insert {h} into {d}", "attach the {h} to the {d}",
               "swipe the {h} through the {d}", "pull the {h} through the {d}", "open the {d} with the {h}",
               "swipe {h} through {d}", "slide the {h} along the {d}"),
    implied=("insert the {h}", "plug the {h} in", "plug in the {h}", "connect the {h}"),
    before=("please", "now", "robot", "could you", "ok", "next", "then", "can you", "i want you to"),
    after=("please", "on the left", "on the right", "on the table", "now", "in front of you", "over there", "for me",
           "next to the others", "carefully", "in the middle", "behind it", "at the back", "slowly", "of the desk",
           "that you see", "in the picture", "all the way"),
    looks=("small", "black", "white", "grey", "blue", "nearest", "empty", "free", "left", "right", "old", "big"),
    slips=0.15,
    strange=0.2,
)  # fmt: skip
NAMES = tuple(LEARNED.names)
KEPT_BACK = Grammar(
    names={
        "USB port": ("usb-port", "usb plug hole", "open usb slot", "usb  prot", "usb hole"),
        "socket": ("power point socket", "electricity outlet", "wall power outlet", "scoket",
                   "electrical wall socket"),
        "lock": ("key slot of the lock", "steel lock", "the lock's keyhole"),
        "card reader": ("card swipe machine", "bank card reader", "swipe card slot"),
        "mug": ("tea mug", "mugs"),
        "ball": ("small ball",),
        "block": ("toy block",),
        "bottle": ("plastic bottle",),
        "tape roll": ("sticky tape",),
        "screwdriver": ("the screwdriver tool",),
    },
    held={"USB port": ("usb memory", "data stick", "thumbdrive"), "socket": ("power adapter", "lamp cord", "plug top"),
          "lock": ("apartment key", "spare key"), "card reader": ("plastic card", "visitor badge")},
    alone=("bring your hand over the {d}", "can you see the {d}", "which one is the {d}?", "tell me where the {d} is"),
    with_held=("stick the {h} into the {d}", "could you slide the {h} into the {d}", "bring the {h} to the {d}",
               "i would like the {h} to be plugged into the {d}", "fit this {h} in that {d}"),
    implied=("please get the {h} plugged in", "go and insert your {h}"),
    before=("kindly", "hey", "alright"),
    after=("quickly", "on the far side", "by the window", "thanks"),
    looks=("tiny", "dark", "unused", "bright"),
)  # fmt: skip
_ABSENT = [
    "banana", "keyboard", "apple", "phone", "hammer", "lamp", "book", "spoon", "fork", "knife", "plate", "shoe",
    "laptop", "monitor", "chair", "door", "window", "car", "dog", "cat", "bird", "tree", "flower", "clock", "watch",
    "pen", "pencil", "eraser", "ruler", "notebook", "paper", "bag", "box", "basket", "towel", "soap", "brush",
    "comb", "mirror", "pillow", "blanket", "carpet", "fridge", "oven", "stove", "kettle", "pan", "pot", "lid",
    "tray", "glove", "hat", "sock", "shirt", "belt", "coin", "wallet", "candle", "rope", "chain", "nail", "bolt",
    "wrench", "pliers", "saw", "drill", "battery", "cable", "camera", "speaker", "headphone", "mouse", "printer",
    "orange", "lemon", "grape", "tomato", "potato", "onion", "carrot", "bread", "cheese", "egg", "fish", "button",
    "handle", "lever", "switch", "person", "face", "table", "robot", "arm",
    "gripper", "finger", "sponge", "vase", "jar", "bucket", "ladder", "tent", "bicycle", "truck", "train", "boat",
    "plane", "kite", "drum", "piano", "trumpet", "painting", "poster", "stapler", "folder", "envelope", "stamp",
    "magnet", "marble", "puzzle", "doll", "teddy", "dice", "chess", "whistle", "bell", "torch", "lantern", "radio",
    "television", "tablet", "router", "modem", "antenna", "microphone", "projector", "scanner", "calculator",
    "thermometer", "compass", "binoculars", "telescope", "microscope", "syringe", "bandage", "pill", "toothbrush",
    "razor", "perfume", "lipstick", "necklace", "ring", "bracelet", "earring", "sunglasses", "cap", "scarf",
    "jacket", "boot", "sandal", "slipper", "zipper", "needle", "thread", "scissor", "tweezers", "funnel", "ladle",
    "whisk", "grater", "peeler", "blender",
]  # fmt: skip
_ABSENT_PARTLY_KNOWN = [
    "hdmi port", "ethernet port", "network port", "headphone jack", "light switch", "power button",
    "usb cable", "usb mouse", "extension cord", "vga connector", "coin slot", "light bulb", "wall clock",
    "power bank", "water tap", "tea pot", "bottle opener", "paper cup holder", "key ring", "usb fan", "wall paper",
]  # fmt: skip
ABSENT_LEARNED = [*_ABSENT, *_ABSENT_PARTLY_KNOWN]
ABSENT_KEPT_BACK = ["pineapple", "scissors", "umbrella", "guitar", "helmet", "violin", "mango", "toaster", "backpack",
                    "joystick"]  # fmt: skip


def sentence(grammar: Grammar, thing: str, rng: np.random.Generator) -> str:
    """A sentence that asks for ``thing``, one of the grammar's names or an absent noun."""
    text = _core(grammar, thing, rng)
    if rng.random() < 0.15:
        text = f"{rng.choice(grammar.before)} {text}"
    if rng.random() < 0.2:
        text = f"{text} {rng.choice(grammar.after)}"
    return text


def _core(grammar: Grammar, thing: str, rng: np.random.Generator) -> str:
    own = grammar.held.get(thing)
    if own is not None and rng.random() < 0.05:
        return str(rng.choice(grammar.implied)).format(h=rng.choice(own))
    name = str(rng.choice(grammar.names.get(thing, (thing,))))
    if rng.random() < grammar.slips:
        name = with_typo(name, rng)
    if rng.random() < 0.12:
        name = f"{rng.choice(grammar.looks)} {name}"
    if rng.random() < (0.55 if own is not None else 0.3):
        # Sometimes what does not belong there: it is the destination that counts.
        hands = own if own is not None and rng.random() < 0.8 else grammar.held[str(rng.choice(list(grammar.held)))]
        frame, hand = str(rng.choice(grammar.with_held)), str(rng.choice(hands))
    else:
        frame, hand = str(rng.choice(grammar.alone)), ""
    return _estranged(frame, grammar.strange, rng).format(h=hand, d=name)


def _estranged(frame: str, share: float, rng: np.random.Generator) -> str:
    """The frame with one of its own words replaced by a strange one: a verb unheard of changes no noun."""
    words = frame.split()
    own = [i for i, word in enumerate(words) if "{" not in word]
    if own and rng.random() < share:
        words[int(rng.choice(own))] = strange_word(rng)
    return " ".join(words)


def strange_word(rng: np.random.Generator) -> str:
    """A word that nobody has heard of: letters at random, or more often one that could be said."""
    if rng.random() < 0.25:
        return "".join(rng.choice(list(LETTERS), rng.integers(3, 10)))
    syllables = int(rng.integers(1, 4))
    return "".join(str(rng.choice(part)) for _ in range(syllables) for part in (_ONSETS, _VOWELS, _CODAS))


def absent_noun(rng: np.random.Generator) -> str:
    """A noun of nothing in any scene, sometimes one that nobody has heard of."""
    if rng.random() < 0.5:
        return strange_word(rng)
    return str(rng.choice(ABSENT_LEARNED))


def _swapped(text: str, i: int, letter: str) -> str:
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]


def _dropped(text: str, i: int, letter: str) -> str:
    return text[:i] + text[i + 1 :]


def _doubled(text: str, i: int, letter: str) -> str:
    return text[:i] + text[i] + text[i:]


def _replaced(text: str, i: int, letter: str) -> str:
    return text[:i] + letter + text[i + 1 :]


_TYPOS: tuple[Callable[[str, int, str], str], ...] = (_swapped, _dropped, _doubled, _replaced)


def with_typo(text: str, rng: np.random.Generator) -> str:
    """The sentence with one slip of the fingers: letters swapped, dropped, doubled or wrong."""
    return slip(text, rng) if len(text) >= 6 else text


def slip(text: str, rng: np.random.Generator) -> str:
    """With one slip, however short; one letter stays as it is."""
    if len(text) < 2:
        return text
    change = _TYPOS[int(rng.integers(len(_TYPOS)))]
    return change(text, int(rng.integers(len(text) - 1)), LETTERS[int(rng.integers(len(LETTERS)))])
