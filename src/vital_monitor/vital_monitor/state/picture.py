"""Everything that is known of the stack at the moment, and how fresh it is."""

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vital_core.pose import Pose
from vital_monitor.state.heard import Array, Gate, Learner, Lens, Result, Run, Said, Session, Teleop, Tick, Touch
from vital_monitor.state.history import History

TOUCH_WINDOW_S = 10.0
TOUCH_ROWS = 200
# Ticks over which jitter is told: a minute at 6 Hz.
TICKS = 360
LINES = 5
EPISODES = 2000
# A state that comes ten times a second is old after this; one that comes on change never is.
OLD_S = 1.5


@dataclass
class Images:
    """The newest pictures: (H, W, 3) uint8 of the cameras, (H, W) uint16 depth in mm."""

    wrist: NDArray[np.uint8] | None = None
    scene: NDArray[np.uint8] | None = None
    depth_mm: NDArray[np.uint16] | None = None
    lens: Lens | None = None


@dataclass
class Picture:
    """What the node has heard and the page shows. Frames are poses of the frame in `link_base`; lengths in m.

    joints_rad: by name. target_m: (3,) of the newest localisation. path_m: (n, 3) of the TCP along the newest planned
    motion. learned: (episodes, share of the last twenty that succeeded), as heard.
    """

    gate: Gate | None = None
    tick: Tick | None = None
    touch: Touch | None = None
    learner: Learner | None = None
    session: Session | None = None
    teleop: Teleop | None = None
    run: Run | None = None
    running: bool = False
    result: Result | None = None
    joints_rad: dict[str, float] = field(default_factory=dict)
    target_m: Array | None = None
    path_m: Array | None = None
    frames: dict[str, Pose] = field(default_factory=dict)
    images: Images = field(default_factory=Images)
    touches: History = field(default_factory=lambda: History(TOUCH_WINDOW_S, TOUCH_ROWS))
    learned: dict[int, float] = field(default_factory=dict)
    said: deque[Said] = field(default_factory=lambda: deque(maxlen=LINES))
    _heard_s: dict[str, float] = field(default_factory=dict)
    _lateness_s: deque[float] = field(default_factory=lambda: deque(maxlen=TICKS))
    _weights: tuple[int, float] = (0, 0.0)

    def came(self, name: str, now_s: float) -> None:
        """Something of this name has just been heard."""
        self._heard_s[name] = now_s

    def age_s(self, name: str, now_s: float) -> float:
        """Since this was last heard; infinite before the first time."""
        return now_s - self._heard_s.get(name, -np.inf)

    def feel(self, touch: Touch, now_s: float) -> None:
        """A reading of the pad."""
        self.touch = touch
        sizes = touch.sizes_ut
        self.touches.add(now_s, np.concatenate([[sizes.max(initial=0.0)], sizes]))

    def take_tick(self, tick: Tick, now_s: float) -> None:
        """A tick of the policy."""
        if self.tick is None or tick.seq < self.tick.seq:
            self._lateness_s.clear()
        if tick.weights_version != self._weights[0]:
            self._weights = (tick.weights_version, now_s)
        self.tick = tick
        if np.isfinite(tick.lateness_s):
            self._lateness_s.append(tick.lateness_s)

    def learn(self, learner: Learner) -> None:
        """Where the learner stands."""
        if self.learner is not None and learner.episodes < self.learner.episodes:
            self.learned.clear()
        self.learner = learner
        if np.isfinite(learner.success_20):
            self.learned[learner.episodes] = learner.success_20
            while len(self.learned) > EPISODES:
                del self.learned[next(iter(self.learned))]

    def say(self, text: str, now_s: float, *, is_bad: bool = False) -> None:
        """A line for the person; the same one in a row is kept once."""
        if self.said and self.said[-1].text == text:
            self.said.pop()
        self.said.append(Said(now_s, text, is_bad))

    @property
    def jitter_p99_s(self) -> float:
        """Of the ticks lately, how late the latest percent was; NaN without any."""
        return float(np.percentile(self._lateness_s, 99.0)) if self._lateness_s else float("nan")

    def weights_age_s(self, now_s: float) -> float:
        """Since the residual's version that acts was first heard of; NaN without a residual."""
        if self.session is not None and np.isfinite(self.session.weights_age_s):
            return self.session.weights_age_s
        version, since_s = self._weights
        return now_s - since_s if version else float("nan")

    def fresh(self, name: str, now_s: float) -> bool:
        """Whether this was heard a moment ago."""
        return self.age_s(name, now_s) < OLD_S
