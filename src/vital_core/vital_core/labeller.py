"""Who says whether an episode has succeeded. The policy never does."""

from enum import StrEnum

from vital_core.errors import ErrorCode, VitalError

AUTO = "auto"


class Labeller(StrEnum):
    """Who labels."""

    SIM_TRUTH = "sim_truth"  # the simulator, which knows
    OPERATOR = "operator"  # a person who looks


# Other words that arguments and recorded labels may hold for the same two.
ALSO_READ = {"simulation": Labeller.SIM_TRUTH, "person": Labeller.OPERATOR}


def read_labeller(word: str) -> Labeller:
    """The labeller that a ``word`` stands for. Raises VitalError(BAD_PARAMETER)."""
    try:
        return ALSO_READ[word] if word in ALSO_READ else Labeller(word)
    except ValueError:
        expected = " or ".join(Labeller)
        raise VitalError(ErrorCode.BAD_PARAMETER, f"labeller is '{word}', expected {expected}") from None


def choose_labeller(word: str, *, simulated: bool) -> Labeller:
    """As `read_labeller`; `AUTO` is the simulator where there is one, else the operator.

    Raises VitalError(BAD_PARAMETER), too, for a truth that only a simulator would know.
    """
    if word == AUTO:
        return Labeller.SIM_TRUTH if simulated else Labeller.OPERATOR
    labeller = read_labeller(word)
    if labeller is Labeller.SIM_TRUTH and not simulated:
        raise VitalError(
            ErrorCode.BAD_PARAMETER,
            f"labeller is '{word}', which only a simulator knows: use {Labeller.OPERATOR}, or hardware:=sim",
        )
    return labeller
