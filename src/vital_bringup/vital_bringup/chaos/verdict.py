"""What must hold after a fault, judged from the log, the recording, the task and the processes."""

import re
import time
from dataclasses import dataclass

from vital_bringup.chaos.driver import IN_ORDER
from vital_bringup.chaos.faults.kind import Expect, Injected
from vital_bringup.chaos.judgement import Judgement, traceback_in
from vital_bringup.chaos.stack import Ending
from vital_bringup.chaos.watching import motion
from vital_bringup.chaos.watching.live import Live
from vital_core.clock import steady_s, wait_until
from vital_core.task import load_task

REST_WITHIN_S = 1.0
WATCHED_S = 1.6  # after a fault, at least
NAMED_WITHIN_S = 1.5  # after that
REST_SEEN_S = 0.4  # for how long at rest
COUNTER = re.compile(r"([^,;]+?) (-?\d+)(?=[,;]|$)")


def counters(diagnostics: dict[str, str], words: tuple[str, ...]) -> int:
    """The sum of all counters in the diagnostics whose name has one of ``words``."""
    found = (m for text in diagnostics.values() for m in COUNTER.finditer(text))
    return sum(int(m.group(2)) for m in found if any(word in m.group(1).lower() for word in words))


@dataclass(frozen=True)
class Before:
    """What was noted before a fault: where the log ended, and the counters in the diagnostics."""

    log_bytes: int
    diagnostics: dict[str, str]


def before(live: Live) -> Before:
    """Note how it is."""
    live.stack.note_segments()
    return Before(live.stack.log_size(), dict(live.driver.diagnostics))


def judge_motion(judgement: Judgement, live: Live, injected: Injected, to_s: float) -> None:
    """Unsafe commands since the fault before, and rest where it must be."""
    recording, at_s = live.recording(), injected.at_s
    from_s, live.judged_s = min(at_s, live.judged_s), to_s
    if not injected.joints_trusted:
        recording = recording.unseen_from(at_s)
    lines = motion.unsafe(recording, load_task(live.driver.task), from_s, at_s, to_s)
    judgement.note("safe", f"{len(lines)} unsafe, the first: {lines[0]}" if lines else None)
    judgement.note("safe", motion.too_fast(recording, at_s, to_s))
    if injected.expect in (Expect.STOPS, Expect.ENDS):
        rest_s = at_s + REST_WITHIN_S
        # A node that was frozen may go on with the task afterwards.
        until_s = max(min(to_s, injected.until_s), rest_s + REST_SEEN_S)
        judgement.note("rest", motion.moving(recording, rest_s, until_s))


def judge_words(judgement: Judgement, live: Live, injected: Injected, was: Before) -> None:
    """The line that names the fault, or the counter that does; no traceback."""

    def said() -> bool:
        log = live.stack.log_since(was.log_bytes)
        if any(re.search(pattern, line) for pattern in injected.named for line in log.splitlines()):
            return True
        counted = counters(live.driver.diagnostics, injected.in_diagnostics)
        return bool(injected.in_diagnostics) and counted > counters(was.diagnostics, injected.in_diagnostics)

    if injected.named or injected.in_diagnostics:
        named = wait_until(said, steady_s() + NAMED_WITHIN_S)
        expected = " or ".join(injected.named) or "a line"
        also = ", nor did a counter in /diagnostics grow" if injected.in_diagnostics else ""
        judgement.note("named", None if named else f"no line matches {expected}{also}")
    error = traceback_in(live.stack.log_since(was.log_bytes))
    judgement.note("quiet", error and f"a traceback: {error}")


def judge_ending(judgement: Judgement, ending: Ending, injected: Injected) -> None:
    """How a stack ended that had to, and what it left."""
    judgement.figures["end_s"] = ending.seconds
    in_time = ending.seconds <= injected.end_within_s
    judgement.note("ended", None if in_time else f"took {ending.seconds:.1f} s, at most {injected.end_within_s:.0f} s")
    if ending.code not in injected.codes:
        judgement.note("ended", f"exit code {ending.code}, expected {' or '.join(map(str, injected.codes))}")
    judgement.note("clean", (left := ending.left()) and f"left {left}")


def judge_course(judgement: Judgement, live: Live, injected: Injected) -> str:
    """Whether the stack lives, and the task goes on or has ended as it should; the outcome in words."""
    goal = live.driver.goal
    if not live.stack.whole():
        judgement.note(
            "went on", f"the stack died (launch {live.stack.launch.poll()}, alive {list(live.stack.nodes())})"
        )
        return "stack died"
    if goal is None:
        return "stays idle"
    in_order = goal.running or goal.code in IN_ORDER
    if injected.expect is Expect.GOES_ON:
        judgement.note("went on", None if in_order else f"the task {goal.words()}")
    if goal.running:
        return "goes on"
    return "task done" if in_order else f"stopped, {goal.code.name}"


def judge(live: Live, injected: Injected, was: Before) -> tuple[Judgement, str, Ending | None]:
    """Wait as long as the fault needs, and judge. The ending of a stack that had to end, or has died."""
    judgement = Judgement()
    for answer in injected.answers:
        judgement.note("answered", answer)
    ending: Ending | None = None
    outcome = ""
    if injected.expect is Expect.ENDS:
        ending = live.stack.ended(injected.at_s)
        outcome = f"ended with code {ending.code}"
        judge_ending(judgement, ending, injected)
    time.sleep(max(0.0, max(injected.until_s, injected.at_s + WATCHED_S) - steady_s()))
    judge_motion(judgement, live, injected, steady_s())
    judge_words(judgement, live, injected, was)
    if ending is None:
        outcome = judge_course(judgement, live, injected)
        if outcome == "stack died":
            ending = live.stack.end()
    return judgement, outcome, ending
