"""What a fault is: injected into a scene, and what must hold afterwards."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from vital_bringup.chaos.driver import Driver
from vital_bringup.chaos.judgement import Found, Parameters
from vital_bringup.chaos.stack import Stack
from vital_bringup.chaos.watching.clocks import NodeClock


class Expect(StrEnum):
    """What a fault must lead to."""

    GOES_ON = "goes on"  # the task runs on, or ends in order
    STOPS = "stops"  # the arm is at rest within 1 s
    SAFE = "stops or goes on"  # either, as long as no command is unsafe and the task ends with a code
    ENDS = "ends"  # the arm is at rest within 1 s, and the whole stack ends


@dataclass(frozen=True)
class Scene:
    """Into what a fault is injected: a stack at work, and the numbers that this fault draws. clock: of the
    node whose clock can jump."""

    stack: Stack
    driver: Driver
    draw: random.Random
    folder: Path
    clock: NodeClock | None = None


@dataclass(frozen=True)
class Injected:
    """A fault that was injected at ``at_s`` and lasted until ``until_s``, steady time.

    named: regular expressions, one of which must match a line that was logged since; none: it needs no line.
    in_diagnostics: a counter there names it as well. codes: exit codes of the launch that are right. end_within_s: of
    the stack, after at_s. answers: violations that the fault itself has seen.
    """

    parameters: Parameters
    expect: Expect
    at_s: float
    until_s: float
    named: tuple[str, ...] = ()
    in_diagnostics: tuple[str, ...] = ()
    codes: tuple[int, ...] = ()
    end_within_s: float = 12.0
    answers: tuple[str, ...] = ()
    joints_trusted: bool = True  # false: another simulator publishes joint states too


@dataclass(frozen=True)
class Kind:
    """A kind of fault. words: for the table; family: of the comparison with others' systems. jumps: the stack
    must be started with a node whose clock can jump; also_idle: it may come while nobody owns the arm."""

    name: str
    family: str
    words: str
    inject: Callable[[Scene], Injected]
    jumps: bool = False
    also_idle: bool = True


@dataclass(frozen=True)
class Station:
    """A kind of fault with processes of its own: run from start to end in a folder and a domain."""

    name: str
    family: str
    words: str
    run: Callable[[Path, int, random.Random], Found]
    small_disk: bool = False  # which root alone may mount
    jumps: bool = field(default=False, init=False)


AnyKind = Kind | Station
