"""The part of the page with which a person steers, one for each page that is open, so that each is told its own."""

import contextlib
from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import viser

from vital_core.clock import steady_s
from vital_monitor.drawing.ink import block
from vital_monitor.page.part import BLUE, GREEN, GREY, ORANGE, put
from vital_monitor.state.key_hand import KeyHand
from vital_monitor.state.offers import Deed
from vital_monitor.state.seat import LONGEST_NAME, Answer, Seat

# In this order on the page, and the colour of each button.
SHOWN = {
    Deed.START: GREEN,
    Deed.SUCCESS: GREEN,
    Deed.FAILURE: ORANGE,
    Deed.REDO: GREY,
    Deed.PAUSE: GREY,
    Deed.FINISH: GREY,
    Deed.CLEAR: ORANGE,
    Deed.BASELINE: GREY,
    Deed.RUN: BLUE,
    Deed.CANCEL: ORANGE,
}
Do = Callable[[Deed, str, str], None]


class Controls:
    """Buttons of one page. do: carries out what somebody who may steer has pressed."""

    def __init__(
        self, client: viser.ClientHandle, folder: viser.GuiFolderHandle, seat: Seat, hand: KeyHand, do: Do
    ) -> None:
        self._page, self._seat, self._hand, self._do = client.client_id, seat, hand, do
        self._refusal, self._refused_under = "", seat.holder
        self._buttons: dict[Deed, viser.GuiButtonHandle] = {}
        with folder:
            gui = client.gui
            self._who = gui.add_html("")
            self._name = gui.add_text("your name", "", hint=f"up to {LONGEST_NAME} characters")
            self._sit = gui.add_button("STEER FROM THIS PAGE", color=BLUE)
            self._sit.on_click(lambda _: self._on_sit())
            for deed, colour in SHOWN.items():
                if deed is Deed.RUN:
                    self._sentence = gui.add_text("sentence", "", hint="empty: the sentence of the task")
                button = gui.add_button(str(deed), color=colour, visible=False)
                button.on_click(partial(self._on_click, deed))
                self._buttons[deed] = button
        self.show(frozenset())

    def _on_sit(self) -> None:
        if self.holds:
            self._hand.leave(self._page)
            self._seat.leave(self._page)
            self._refusal = ""
        else:
            self._tell(self._seat.take(self._page, self._name.value, steady_s()))

    def _tell(self, answer: Answer) -> None:
        """Keep a refusal on the page for as long as the same person has the seat, or nobody."""
        self._refusal, self._refused_under = "" if answer.may else answer.text, self._seat.holder

    @property
    def holds(self) -> bool:
        """Whether this page steers."""
        holder = self._seat.holder
        return holder is not None and holder.page == self._page

    def _on_click(self, deed: Deed, _event: Any) -> None:
        self.press(deed)

    def press(self, deed: Deed) -> None:
        """Do it, where this page steers."""
        answer: Answer = self._seat.ask(self._page, steady_s())
        holder = self._seat.holder
        self._tell(answer)
        if not answer.may or holder is None:
            return
        if deed is not Deed.START:  # what comes is not the hand's
            self._hand.open_clutch()
        self._do(deed, holder.name, self._sentence.value)

    def show(self, offered: frozenset[Deed]) -> None:
        """Let the page tell who steers and offer what can be done; only what has changed is sent."""
        # viser refuses to change the parts of a page that has just gone.
        with contextlib.suppress(RuntimeError):
            self._show(offered)

    def _show(self, offered: frozenset[Deed]) -> None:
        answer, holds = self._seat.ask(self._page, steady_s()), self.holds
        if self._seat.holder != self._refused_under:
            self._refusal = ""
        put(self._who, "content", block(escape(self._refusal or answer.text)))
        put(self._sit, "label", "GIVE UP STEERING" if holds else "STEER FROM THIS PAGE")
        put(self._sit, "color", GREY if holds else BLUE)
        put(self._name, "visible", not holds)
        put(self._sentence, "visible", holds and bool({Deed.RUN} & offered))
        for deed, button in self._buttons.items():
            put(button, "visible", holds and deed in offered)
