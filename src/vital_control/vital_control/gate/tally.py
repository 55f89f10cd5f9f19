"""What the gate has judged so far, and how often it had to hold."""

from collections import Counter

from vital_control.gate.verdict import Judgement, Verdict
from vital_core.errors import ErrorCode


class Tally:
    """Verdicts and holds since the gate began.

    last: the newest judgement. last_judged_seq: of the newest command. projected: commands that were carried out along
    the workspace box, as their targets left it. holds: ends of motion that nobody asked for.
    stalls: rests on the path that may be gone on from. gaps: how often the gate itself stood still, last_gap_s for how
    long the last time.
    """

    def __init__(self) -> None:
        self.last = Judgement(Verdict.ACCEPTED, "no command yet")
        self.last_judged_seq = 0
        self.projected = self.holds = self.stalls = self.gaps = 0
        self.last_gap_s = 0.0
        self.verdicts: Counter[Verdict] = Counter()

    def record(self, judgement: Judgement) -> Judgement:
        """Count a judgement, and hand it on."""
        self.last = judgement
        self.verdicts[judgement.verdict] += 1
        self.projected += judgement.projected
        return judgement

    def note_hold(self, code: ErrorCode) -> None:
        """The arm was brought to rest; it counts unless its owner cancelled, or the motion had come to its end."""
        self.holds += code not in (ErrorCode.OK, ErrorCode.CANCELLED)

    def note_gap(self, gap_s: float) -> None:
        """The gate has stood still for so long."""
        self.gaps, self.last_gap_s = self.gaps + 1, gap_s

    @property
    def accepted(self) -> int:
        """Commands and trajectories that the arm was given."""
        return self.verdicts[Verdict.ACCEPTED]

    @property
    def rejected(self) -> int:
        """Commands and trajectories that it was not given."""
        return self.verdicts.total() - self.accepted

    @property
    def counts(self) -> dict[str, int]:
        """Everything that is counted here, by a name for people."""
        return {
            "accepted": self.accepted,
            "rejected": self.rejected,
            "projected onto the box": self.projected,
            **{f"refused {v.name}": n for v, n in self.verdicts.items() if v is not Verdict.ACCEPTED},
            "holds": self.holds,
            "stalls gone on from": self.stalls,
            "gaps of the gate itself": self.gaps,
        }
