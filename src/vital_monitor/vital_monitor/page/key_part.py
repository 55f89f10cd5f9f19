"""The part of a page with which a person moves the arm by keys."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import viser

from vital_core.clock import steady_s
from vital_monitor.drawing.ink import block
from vital_monitor.drawing.keys import hand_told, keys_told
from vital_monitor.page.part import BLUE, GREY, put
from vital_monitor.state.heard import Teleop
from vital_monitor.state.key_hand import KEYS, Key, KeyHand
from vital_monitor.state.offers import Deed, why_no_keys

# The same letters as in a terminal, but for START: Enter presses the button that was clicked last.
WORDS: dict[Key, Deed] = {"B": Deed.START, "Y": Deed.SUCCESS, "N": Deed.FAILURE, "R": Deed.REDO, "F": Deed.FINISH}
TAKE, LEAVE = "MOVE THE ARM BY KEYS", "LEAVE THE KEYS"


class KeyPart:
    """Of one page, whose number is ``client.client_id``.

    holds: whether the page has the seat. do: what a key stands for, as if its button was pressed.
    The keys are viser's shortcuts: they count on this page alone, not in a field that is written in, and not while
    another window has the keyboard.
    """

    def __init__(
        self,
        client: viser.ClientHandle,
        folder: viser.GuiFolderHandle,
        hand: KeyHand,
        holds: Callable[[], bool],
        do: Callable[[Deed], None],
    ) -> None:
        self._page, self._hand, self._holds, self._do = client.client_id, hand, holds, do
        self._offered: frozenset[Deed] = frozenset()
        with folder:
            self._button = client.gui.add_button(TAKE, color=BLUE, visible=False)
            self._told = client.gui.add_html("")
        self._button.on_click(lambda _: self._on_click())
        self._keys = [client.gui.add_command(f"arm: {key}", hotkey=key, disabled=True) for key in KEYS]
        for key, command in zip(KEYS, self._keys, strict=True):
            command.on_trigger(partial(self._on_key, key))

    @property
    def _takes(self) -> bool:
        return self._hand.page == self._page

    def _on_click(self) -> None:
        if self._takes:
            self._hand.leave(self._page)
        elif self._holds():
            self._hand.take(self._page)

    # In the server's loop, so that strokes keep their order.
    async def _on_key(self, key: Key, _event: Any) -> None:
        anew, deed = self._hand.stroke(self._page, key, steady_s()), WORDS.get(key)
        if anew and deed is not None and deed in self._offered:
            self._do(deed)

    def show(self, offered: frozenset[Deed], teleop: Teleop | None) -> None:
        """Offer the keys to a page that has the seat, and tell what they do. teleop: as heard a moment ago."""
        # viser refuses to change the parts of a page that has just gone.
        with contextlib.suppress(RuntimeError):
            self._show(offered, teleop)

    def _show(self, offered: frozenset[Deed], teleop: Teleop | None) -> None:
        self._offered, holds = offered, self._holds()
        why = why_no_keys(teleop, self._hand.page is not None)
        if self._takes and (not holds or teleop is None):
            self._hand.leave(self._page)
        hand = self._hand.now(steady_s()) if self._takes else None
        put(self._button, "visible", holds and (self._takes or why is None))
        put(self._button, "label", LEAVE if self._takes else TAKE)
        put(self._button, "color", GREY if self._takes else BLUE)
        told = keys_told(why if holds else "") if hand is None or teleop is None else hand_told(hand, teleop)
        put(self._told, "content", block(told) if told else "")
        for command in self._keys:
            put(command, "disabled", hand is None)
