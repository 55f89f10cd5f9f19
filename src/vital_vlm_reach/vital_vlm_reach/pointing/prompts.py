"""Sentences to learn from, and others, kept back, to be examined with."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Grammar:
    """Names of each thing, and sentences around them: {d} is what to point at, {h} what is in the hand."""

    names: dict[str, tuple[str, ...]]
    held: dict[str, tuple[str, ...]]
    alone: tuple[str, ...]
    with_held: tuple[str, ...]


_HELD = {
    "USB port": ("usb stick", "stick", "thumb drive", "flash drive", "usb drive", "memory stick", "usb key"),
    "socket": ("plug", "power plug", "power cord", "charger", "two prong plug", "lamp plug", "mains plug"),
}
LEARNED = Grammar(
    names={
        "USB port": ("usb port", "usb slot", "usb socket", "usb hub", "port", "usb connector", "usb opening", "usb",
                     "usb jack", "computer port", "data port", "thumb drive port"),
        "socket": ("socket", "wall socket", "outlet", "power outlet", "mains socket", "power socket", "wall outlet",
                   "electrical outlet", "plug socket", "electric socket", "receptacle"),
        "mug": ("mug", "cup", "coffee mug", "coffee cup"),
        "ball": ("ball", "round ball", "sphere"),
        "block": ("block", "cube", "little block", "wooden block"),
        "bottle": ("bottle", "water bottle", "flask"),
        "tape roll": ("tape roll", "roll of tape", "tape", "adhesive tape"),
        "screwdriver": ("screwdriver", "screw driver", "driver tool"),
    },
    held=_HELD,
    alone=("{d}", "the {d}", "point to the {d}", "find the {d}", "where is the {d}?", "locate the {d}", "a {d}",
           "go to the {d}", "move above the {d}", "show me the {d}", "look for the {d}", "point at a {d} please"),
    with_held=("insert the {h} into the {d}", "put the {h} into the {d}", "put the {h} in the {d}",
               "plug the {h} into the {d}", "push the {h} into the {d}", "connect the {h} to the {d}",
               "plug the {h} in the {d}", "please insert the {h} in the {d}", "the {h} goes into the {d}"),
)  # fmt: skip
KEPT_BACK = Grammar(
    names={
        "USB port": ("usb-port", "usb plug hole", "usb receptacle", "open usb slot", "usb  prot"),
        "socket": ("power point socket", "mains outlet", "electricity outlet", "wall power outlet", "scoket"),
        "mug": ("tea mug", "mugs"),
        "ball": ("small ball",),
        "block": ("toy block",),
        "bottle": ("plastic bottle",),
        "tape roll": ("sticky tape",),
        "screwdriver": ("the screwdriver tool",),
    },
    held=_HELD,
    alone=("bring your hand over the {d}", "can you see the {d}", "which one is the {d}?"),
    with_held=("stick the {h} into the {d}", "could you slide the {h} into the {d}", "bring the {h} to the {d}"),
)
ABSENT_LEARNED = [
    "banana",
    "keyboard",
    "apple",
    "phone",
    "hammer",
    "lamp",
    "book",
    "spoon",
    "fork",
    "knife",
    "plate",
    "shoe",
    "laptop",
    "monitor",
    "chair",
    "door",
    "window",
    "car",
    "dog",
    "cat",
    "bird",
    "tree",
    "flower",
    "clock",
    "watch",
    "pen",
    "pencil",
    "eraser",
    "ruler",
    "notebook",
    "paper",
    "bag",
    "box",
    "basket",
    "towel",
    "soap",
    "brush",
    "comb",
    "mirror",
    "pillow",
    "blanket",
    "carpet",
    "fridge",
    "oven",
    "stove",
    "kettle",
    "pan",
    "pot",
    "lid",
    "tray",
    "glove",
    "hat",
    "sock",
    "shirt",
    "belt",
    "coin",
    "wallet",
    "candle",
    "rope",
    "chain",
    "nail",
    "bolt",
    "wrench",
    "pliers",
    "saw",
    "drill",
    "battery",
    "cable",
    "camera",
    "speaker",
    "headphone",
    "mouse",
    "printer",
    "orange",
    "lemon",
    "grape",
    "tomato",
    "potato",
    "onion",
    "carrot",
    "bread",
    "cheese",
    "egg",
    "fish",
    "button",
    "handle",
    "lever",
    "switch",
    "key",
    "lock",
    "card",
    "reader",
]
ABSENT_KEPT_BACK = [
    "pineapple",
    "scissors",
    "umbrella",
    "guitar",
    "helmet",
    "violin",
    "mango",
    "toaster",
    "backpack",
    "joystick",
]


def sentence(grammar: Grammar, thing: str, rng: np.random.Generator) -> str:
    """A sentence that asks for ``thing``, one of the grammar's names or an absent noun."""
    name = str(rng.choice(grammar.names.get(thing, (thing,))))
    hands = grammar.held.get(thing)
    if hands is None and rng.random() < 0.3:
        hands = grammar.held[str(rng.choice(list(grammar.held)))]
    if hands is not None and rng.random() < 0.55:
        return str(rng.choice(grammar.with_held)).format(h=rng.choice(hands), d=name)
    return str(rng.choice(grammar.alone)).format(d=name)


def absent_noun(rng: np.random.Generator) -> str:
    """A noun of nothing in any scene, sometimes one that nobody has heard of."""
    if rng.random() < 0.3:
        letters = rng.choice(list("aeioubcdfghklmnprst"), rng.integers(4, 9))
        return "".join(letters)
    return str(rng.choice(ABSENT_LEARNED))


def with_typo(text: str, rng: np.random.Generator) -> str:
    """The sentence with two neighbouring letters swapped."""
    if len(text) < 6:
        return text
    i = int(rng.integers(len(text) - 1))
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]
