"""Words and figures as HTML: rows of name and value, badges, lines that were said. Every text is escaped."""

from collections.abc import Iterable
from html import escape

import numpy as np

from vital_core.errors import ErrorCode, shortened
from vital_monitor.drawing.ink import BLUE, GREEN, GREY, INK, LIGHT, LONGEST, ORANGE, RED, badge, block, table
from vital_monitor.state.heard import Gate, Kind, Result, Run, Said, Session
from vital_monitor.state.picture import Picture

MODES = {"idle": GREY, "moving": GREEN, "holding": ORANGE, "stopped": RED}


def amount(value: float, unit: str, digits: int = 1) -> str:
    """A number with its unit, a dash where there is none."""
    return f"{value:.{digits}f} {unit}" if np.isfinite(value) else "–"


def duration(seconds: float) -> str:
    """A time for people."""
    if not np.isfinite(seconds):
        return "–"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def gate_status(picture: Picture, now_s: float) -> str:
    """Who has the arm, and why it stands where it stands."""
    gate = picture.gate
    if gate is None or not picture.fresh("gate", now_s):
        silent = "is not heard" if gate is None else f"is silent for {duration(picture.age_s('gate', now_s))}"
        return block(badge("NO GATE", GREY) + table([("", f"the command gate {silent}: is a stack running?")]))
    rows = [("owner", gate.owner or "nobody")]
    if gate.stopped:
        rows.append(("stop", f"{_code(gate.stop_code)}: {gate.stop_reason}"))
    elif gate.mode == "holding":
        rows.append(("why", gate.hold_reason))
    rows.append(("commands", f"{gate.accepted} taken, {gate.rejected} refused, {gate.holds} holds"))
    rows.append(("joints, touch", f"{_age(gate.joint_state_age_s)}, {_age(gate.tactile_age_s)} old"))
    return block(badge(gate.mode.upper(), MODES.get(gate.mode, GREY)) + table(rows))


def _code(code: int) -> str:
    return ErrorCode.told(code, ErrorCode.INTERNAL).name if code else "stop"


def _age(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if 0.0 <= seconds < 10.0 else "unknown"


def what_is_wanted(picture: Picture, now_s: float) -> str:
    """The one sentence for the person: what the session or the run says."""
    session = picture.session
    if session is not None and not (session.finished and picture.running):
        return block(_wanted(session))
    ended = "" if picture.result is None else _ended(picture.result)
    if picture.running:
        run = picture.run or Run("run", "", float("nan"))
        elapsed = duration(run.elapsed_s + picture.age_s("run", now_s))
        return block(f"{badge(run.phase.upper() or 'RUN', BLUE)} {_words(run.message)}, {elapsed}{ended}")
    return block(f"<span style='color:{GREY}'>no session and no run is under way</span>{ended}")


def _ended(result: Result) -> str:
    how = "SUCCESS" if result.success else "FAILED"
    words = f"'{result.sentence}' before, after {duration(result.duration_s)}"
    if not result.success:
        words += f", in {result.phase or 'no phase'}: {result.message or 'no reason is told'}"
    return f"<div style='margin-top:6px'>{badge(how, GREEN if result.success else RED)} {_words(words)}</div>"


def _wanted(session: Session) -> str:
    asks = session.phase in ("ready", "labelling", "paused", "recording")
    unit = "demonstrations" if session.kind is Kind.RECORD else "steps"
    words = _words(session.message)
    return (
        f"{badge(session.phase.upper(), ORANGE if asks else BLUE)} "
        f"<span style='color:{GREY}'>{escape(session.task)}, {session.done} of {session.wanted} {unit}</span>"
        f"<div style='font-size:15px;font-weight:600;margin-top:4px'>{words}</div>"
    )


def _words(message: str) -> str:
    return escape(shortened(message, LONGEST))


def policy_table(picture: Picture, now_s: float) -> str:
    """What acts, how punctually, and how old what it sees is."""
    tick = picture.tick
    if tick is None:
        return block(f"<span style='color:{GREY}'>no policy has been heard</span>")
    live = picture.fresh("policy", now_s)
    version, age = tick.weights_version, duration(picture.weights_age_s(now_s))
    state = tick.phase if live else f"silent for {duration(picture.age_s('policy', now_s))}"
    rows = [
        ("policy", f"{tick.task}, {state}"),
        ("weights", f"residual {version}, {age} old" if version else "base alone"),
        ("checkpoint", tick.checkpoint_sha256[:12] or "–"),
        ("tick", f"{tick.seq}, {amount(1000 * tick.inference_s, 'ms')} to think"),
        ("lateness p99", amount(1000 * picture.jitter_p99_s, "ms")),
        ("image, touch", f"{_age(tick.image_age_s)}, {_age(tick.tactile_age_s)} old"),
    ]
    if not tick.commanded and tick.message:
        rows.append(("no command", tick.message))
    return block(table(rows))


def training_table(picture: Picture, now_s: float) -> str:
    """How learning goes."""
    learner, session = picture.learner, picture.session
    if learner is None:
        return block(f"<span style='color:{GREY}'>no learner has been heard</span>")
    steps = (
        f"{learner.steps}"
        if session is None or session.kind is not Kind.TRAINING
        else f"{learner.steps} of {session.wanted}"
    )
    rows = [
        ("last twenty", "–" if not np.isfinite(learner.success_20) else f"{100 * learner.success_20:.0f} % succeeded"),
        ("episodes, steps", f"{learner.episodes}, {steps}"),
        ("updates", f"{learner.updates}, {learner.updates_per_s:.0f} a second"),
        ("owed", f"{learner.owed} updates"),
        ("weights", f"{learner.weights_version}, {duration(picture.weights_age_s(now_s))} old"),
    ]
    if learner.message:
        rows.append(("learner", learner.message))
    return block(table(rows))


def touch_line(picture: Picture, gate: Gate | None) -> str:
    """The baseline, and how near the limit is."""
    touch = picture.touch
    if touch is None:
        return block(f"<span style='color:{GREY}'>no reading of the pad has come</span>")
    baseline = f"baseline {touch.baseline_id}" if touch.baseline_id else "no baseline: take one at rest"
    bad = int((~touch.valid).sum())
    words = f"{baseline}, largest change {touch.sizes_ut.max(initial=0.0):.0f} µT"
    if gate is not None and gate.tactile_limit_ut > 0.0:
        words += f" of {gate.tactile_limit_ut:.0f} allowed"
    return block(escape(words) + (f" {badge(f'{bad} not read', RED)}" if bad else ""))


def lines_said(said: Iterable[Said], now_s: float) -> str:
    """What was done and answered, newest first."""
    rows = "".join(
        f"<div style='color:{RED if one.is_bad else INK};border-top:1px solid {LIGHT};padding:2px 0'>"
        f"<span style='color:{GREY}'>{duration(now_s - one.steady_s)} ago</span> {_words(one.text)}</div>"
        for one in reversed(list(said))
    )
    return block(rows or f"<span style='color:{GREY}'>nothing was done from this page yet</span>")
