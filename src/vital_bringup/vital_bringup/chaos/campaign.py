"""The campaign: faults drawn from a seed, one after the other, each judged and noted in the ledger."""

import math
import random
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vital_bringup.chaos import verdict
from vital_bringup.chaos.faults.kind import AnyKind, Kind, Scene, Station
from vital_bringup.chaos.judgement import Found, Judgement, Parameters
from vital_bringup.chaos.ledger import END_OF_STACK, NOT_USABLE, Entry, Ledger, Plan
from vital_bringup.chaos.stack import NODES
from vital_bringup.chaos.watching.live import Live
from vital_core.clock import steady_s
from vital_core.errors import ErrorCode, VitalError

FAULTS_PER_STACK = 25
TRIES = 3
IDLE_SHARE = 0.2  # of faults that come while nobody owns the arm
END_WITHIN_S = 10.0


def schedule(plan: Plan) -> list[str]:
    """The kind of each fault: all kinds equally often, in an order that follows from the seed."""
    draw, names = random.Random(plan.seed), []
    for _ in range(math.ceil(plan.faults / len(plan.kinds))):
        names += draw.sample(plan.kinds, len(plan.kinds))
    return names[: plan.faults]


@dataclass
class Progress:
    """How far it is, a line a fault."""

    total: int
    say: Callable[[str], None]
    done: int = 0
    violated: int = 0
    spent_s: float = 0.0

    def note(self, entry: Entry) -> None:
        """Say what came of a fault, and how long the rest will take."""
        if entry.number >= 0:
            self.done += 1
            self.spent_s += entry.seconds
        self.violated += not entry.held
        left_s = (self.total - self.done) * self.spent_s / max(1, self.done)
        parameters = " ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in entry.parameters.values())
        word = "ok" if entry.held else "VIOLATED"
        self.say(
            f"[{self.done}/{self.total}, {self.violated} violated, {left_s / 60:.0f} min left] {entry.kind} "
            f"{parameters[:60]}: {entry.outcome}, {word} ({entry.seconds:.1f} s)"
        )
        for violation in entry.violations:
            self.say(f"    {violation}")


class Campaign:
    """Runs what of a plan is not in the ledger.

    kinds: of faults, by name. domains: ROS domains, used in turn, so that what a killed stack leaves in the discovery
    does not meet the next.
    """

    def __init__(
        self,
        plan: Plan,
        kinds: Mapping[str, AnyKind],
        ledger: Ledger,
        folder: Path,
        domains: Sequence[int],
        progress: Progress,
    ) -> None:
        self._kinds = kinds
        self._plan, self._ledger, self._folder, self._domains = plan, ledger, folder, domains
        self._progress = progress
        self._live: Live | None = None
        self._stacks = 0
        self._spotless = True  # the living stack: nothing in its folder needs to be looked at

    def run(self) -> None:
        """Every fault that is left."""
        try:
            for number, name in enumerate(schedule(self._plan)):
                if number not in self._ledger.done:
                    self._run_one(number, name)
        finally:
            self._retire()

    def _room(self) -> tuple[Path, int]:
        """A folder and a domain that nobody has used yet, or not for long."""
        self._stacks += 1
        name = f"stack_{time.strftime('%d_%H%M%S')}_{self._stacks}"
        return self._folder / name, self._domains[self._stacks % len(self._domains)]

    def _note(self, entry: Entry) -> None:
        self._ledger.append(entry)
        self._progress.note(entry)
        self._spotless &= entry.held

    def _run_one(self, number: int, name: str) -> None:
        kind, draw = self._kinds[name], random.Random(f"{self._plan.seed}/{number}")
        if isinstance(kind, Station):
            self._at_station(number, kind, draw)
            return
        for attempt in range(TRIES):
            try:
                self._inject(number, kind, draw)
                return
            except VitalError as error:
                self._give_up_stack(error)
                if attempt == TRIES - 1:
                    raise

    def _at_station(self, number: int, kind: Station, draw: random.Random) -> None:
        folder, domain = self._room()
        start, judgement = steady_s(), Judgement()
        try:
            found = kind.run(folder, domain, draw)
        except VitalError as error:
            if error.code is ErrorCode.BAD_PARAMETER:
                raise
            judgement.note("answered", str(error))
            found = Found({}, "violated", judgement)
        self._note(_entry(number, kind, found.parameters, found.outcome, found.judgement, steady_s() - start, False))
        if not found.judgement.violations:
            shutil.rmtree(folder, ignore_errors=True)

    def _inject(self, number: int, kind: Kind, draw: random.Random) -> None:
        start = steady_s()
        live = self._stack_for(kind, draw)
        idle = kind.also_idle and draw.random() < IDLE_SHARE
        if idle:
            live.idle(draw)
        else:
            live.at_work(draw)
        if not live.stack.whole():
            raise VitalError(ErrorCode.NODE_LOST, "the stack died before the fault came: of the one before?")
        was = verdict.before(live)
        injected = kind.inject(Scene(live.stack, live.driver, draw, live.folder, live.clock))
        live.driver.withdraw()
        judgement, outcome, ending = verdict.judge(live, injected, was)
        if ending is None and (outcome != "goes on" or injected.expect is not verdict.Expect.GOES_ON):
            judgement.note("task ended", live.settle())
        live.faults += 1
        self._note(_entry(number, kind, injected.parameters, outcome, judgement, steady_s() - start, not idle))
        if ending is not None:
            live.closed(ending)
            self._put_away(live)
        elif judgement.invariants["task ended"] is False:
            self._retire()
        live.tail.forget_before(steady_s() - 60.0)

    def _stack_for(self, kind: Kind, draw: random.Random) -> Live:
        """The living stack, or another where that has done its work, has died, or cannot have a clock that jumps."""
        clock_of = draw.choice(NODES) if kind.jumps else None
        live = self._live
        if live is not None and (
            live.faults >= FAULTS_PER_STACK or clock_of != live.clock_of or not live.stack.whole()
        ):
            self._retire()
        if self._live is None:
            folder, domain = self._room()
            self._live = Live(folder, domain, self._plan.task, clock_of)
            self._spotless = True
        return self._live

    def _retire(self) -> None:
        """End the living stack in order, and note how that went."""
        if self._live is None:
            return
        live, start = self._live, steady_s()
        lived = live.stack.whole()
        ending = live.close()
        problems = []
        if not lived:
            problems.append(f"went on: the stack had died with exit code {ending.code} after the last fault was judged")
        elif ending.code != 0:
            problems.append(f"ended: exit code {ending.code} after Ctrl-C, expected 0")
        if ending.seconds > END_WITHIN_S:
            problems.append(f"ended: took {ending.seconds:.1f} s, at most {END_WITHIN_S:.0f} s")
        if left := ending.left():
            problems.append(f"clean: left {left}")
        invariants = {"ended": ending.code == 0, "clean": ending.left() is None}
        parameters = {"faults": live.faults}
        self._note(Entry(-1, END_OF_STACK, parameters, "ended", dict(invariants), tuple(problems), steady_s() - start))
        self._put_away(live)

    def _give_up_stack(self, error: VitalError) -> None:
        """A stack that does not come up, or does not do its work: noted, and another one is taken."""
        self._note(Entry(-1, NOT_USABLE, {}, ErrorCode(error.code).name, {}, (f"answered: {error}",), 0.0))
        self._retire()

    def _put_away(self, live: Live) -> None:
        self._live = None
        if self._spotless:
            live.forget()


def _entry(
    number: int, kind: AnyKind, parameters: Parameters, outcome: str, judgement: Judgement, seconds: float, moved: bool
) -> Entry:
    violations = tuple(judgement.violations)
    return Entry(
        number, kind.name, parameters, outcome, judgement.invariants, violations, seconds, moved, judgement.figures
    )
