"""Commands that must not be carried out: a stranger's under the owner's name, and those of an owner gone mad."""

import math
import time
from collections.abc import Callable

from builtin_interfaces.msg import Time
from rclpy.duration import Duration

from vital_bringup.chaos.driver import Driver
from vital_bringup.chaos.faults.kind import Expect, Injected, Scene
from vital_core.clock import steady_s
from vital_interfaces.msg import EndEffectorDelta

TOPIC = "/vital/command"
RATE_HZ, FOR_S = 20.0, 0.5
# Of an owner: a line a second is logged of refusals, and others may come before.
OWNER_FOR_S = 1.3
FIRST_SEQ = 1_000_000
Change = Callable[[EndEffectorDelta, Scene], None]


def command(driver: Driver, owner: str, token: int, seq: int) -> EndEffectorDelta:
    """A command that would be carried out, if it came from who owns the arm."""
    now = driver.node.get_clock().now()
    message = EndEffectorDelta(owner=owner, token=token, seq=seq, duration_s=1 / 6, gripper=1.0)
    message.header.stamp, message.header.frame_id = now.to_msg(), "link_tcp"
    message.valid_until = (now + Duration(seconds=0.5)).to_msg()
    message.translation_m.z = -0.005
    return message


def _not_finite(message: EndEffectorDelta, scene: Scene) -> None:
    part = scene.draw.choice(("translation_m", "rotation_rad"))
    value = scene.draw.choice((math.nan, math.inf, -math.inf))
    setattr(getattr(message, part), scene.draw.choice("xyz"), value)


def _wrong_frame(message: EndEffectorDelta, scene: Scene) -> None:
    message.header.frame_id = scene.draw.choice(("link_base", "", "map"))


def _old_seq(message: EndEffectorDelta, scene: Scene) -> None:
    message.seq = 0


def _old_stamp(message: EndEffectorDelta, scene: Scene) -> None:
    age_s = scene.draw.choice((1.0, 60.0, 1e6))
    message.header.stamp = Time(sec=message.header.stamp.sec - round(age_s), nanosec=message.header.stamp.nanosec)
    if scene.draw.random() < 0.3:
        message.header.stamp = Time(sec=-5, nanosec=0)


def _huge_step(message: EndEffectorDelta, scene: Scene) -> None:
    setattr(
        message.translation_m, scene.draw.choice("xyz"), scene.draw.choice((-1, 1)) * 10 ** scene.draw.uniform(-1, 6)
    )


def _hostile(scene: Scene, change: Change, verdict: str) -> Injected:
    """Half of the time as the owner that it is not, with a token that it does not have; else as an owner in order,
    which has taken the arm."""
    as_owner = scene.draw.random() < 0.5
    publisher = scene.driver.publisher(EndEffectorDelta, TOPIC, 1)
    at_s, token, owner = steady_s(), scene.draw.getrandbits(63), scene.driver.gate.owner if scene.driver.gate else ""
    taken: int | None = None
    if as_owner:
        taken = scene.driver.acquire("teleop", take_over=True)
        owner, token = "teleop", 0 if taken is None else taken
    first = FIRST_SEQ
    for i in range(round(RATE_HZ * (OWNER_FOR_S if as_owner else FOR_S))):
        message = command(scene.driver, owner, token, first + i)
        change(message, scene)
        publisher.publish(message)
        time.sleep(1 / RATE_HZ)
    until_s = steady_s()
    parameters = {"as": owner, "owns": as_owner}
    if not as_owner:
        return Injected(
            parameters, Expect.GOES_ON, at_s, until_s, named=(r"refused command .*(NOT_OWNER|token)", verdict)
        )
    answers = () if taken is not None else ("teleop was refused the arm although it may take over",)
    time.sleep(max(0.0, at_s + 1.4 - steady_s()))
    if taken is not None:
        scene.driver.release("teleop", taken)
    return Injected(parameters, Expect.STOPS, at_s, at_s + 1.4, named=(verdict,), answers=answers)


def not_finite(scene: Scene) -> Injected:
    """NaN and infinity in a command."""
    return _hostile(scene, _not_finite, "NOT_FINITE")


def wrong_frame(scene: Scene) -> Injected:
    """A command in another frame."""
    return _hostile(scene, _wrong_frame, "WRONG_FRAME")


def old_stamp(scene: Scene) -> Injected:
    """A command from an observation long past, or from before the epoch."""
    return _hostile(scene, _old_stamp, "STALE")


def huge_step(scene: Scene) -> Injected:
    """Steps of 0.1 m to 1000 km."""
    return _hostile(scene, _huge_step, "STEP_TOO_LARGE")


def old_seq(scene: Scene) -> Injected:
    """The sequence number 0 over and over, from the owner's name."""
    return _stranger(scene, _old_seq, scene.driver.gate.owner if scene.driver.gate else "")


def wrong_owner(scene: Scene) -> Injected:
    """Commands in order from who does not own the arm."""
    names = ("teleop", "reset", "reach", "policy", "", "Policy", "root")
    owner = scene.draw.choice([n for n in names if scene.driver.gate is None or n != scene.driver.gate.owner])
    return _stranger(scene, lambda message, _: None, owner)


def wrong_token(scene: Scene) -> Injected:
    """Commands in order under the owner's name with a token made up, up to the largest sequence number."""

    def largest(message: EndEffectorDelta, scene: Scene) -> None:
        message.seq = 2**32 - 1

    return _stranger(scene, largest, scene.driver.gate.owner if scene.driver.gate else "")


def _stranger(scene: Scene, change: Change, owner: str) -> Injected:
    publisher = scene.driver.publisher(EndEffectorDelta, TOPIC, 1)
    at_s, token = steady_s(), scene.draw.getrandbits(63)
    for i in range(round(RATE_HZ * FOR_S)):
        message = command(scene.driver, owner, token, FIRST_SEQ + i)
        change(message, scene)
        publisher.publish(message)
        time.sleep(1 / RATE_HZ)
    return Injected({"as": owner}, Expect.GOES_ON, at_s, steady_s(), named=(r"refused command",))


def flood(scene: Scene) -> Injected:
    """A thousand commands a second, of a stranger, for 1 s."""
    publisher = scene.driver.publisher(EndEffectorDelta, TOPIC, 1)
    at_s, sent = steady_s(), 0
    while steady_s() < at_s + 1.0:
        publisher.publish(command(scene.driver, "teleop", 1, FIRST_SEQ + sent))
        sent += 1
        time.sleep(max(0.0, at_s + sent / 1000.0 - steady_s()))
    return Injected({"sent": sent}, Expect.SAFE, at_s, steady_s(), named=(r"refused command",))
