"""Sensors that lie, freeze, double or send what no sensor sends, and floods of them."""

import array
import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image, JointState
from tf2_msgs.msg import TFMessage

from vital_bringup.chaos.driver import LIE
from vital_bringup.chaos.faults.kind import Expect, Injected, Scene
from vital_core.arm.xarm7 import GRIPPER_JOINT, HOME_RAD
from vital_core.clock import steady_s
from vital_interfaces.msg import TactileArray
from vital_ros.qos import LATCHED

JOINTS, TOUCH, WRIST, COLOUR = (
    "/joint_states",
    "/anyskin/tactile",
    "/wrist_camera/image_raw",
    "/camera/camera/color/image_raw",
)
DISTRUST = (r"(?i)(joint state|joint[1-7]|jump|apart|displaced|put elsewhere|SENSOR_FAULT|TRAJECTORY_REFUSED)",)
TOUCH_NAMED = (r"FORCE_LIMIT", r"SENSOR_FAULT", r"(?i)magnetometer")
REFUSED = r"refused on /"
COUNTED = ("unusable", "unreadable", "malformed", "bad messages", "ignored", "refused")
NEGATIVE = Time(sec=-100, nanosec=5)


def publish_for(
    publisher: Any, make: Callable[[float], Any], seconds: float, rate_hz: float
) -> tuple[float, float, int]:
    """Publish ``make(elapsed_s)`` for a while: when it began and ended (steady time) and how many there were."""
    start, sent = steady_s(), 0
    while (elapsed := steady_s() - start) < seconds:
        publisher.publish(make(elapsed))
        sent += 1
        time.sleep(max(0.0, start + sent / rate_hz - steady_s()))
    return start, steady_s(), sent


def joints_message(scene: Scene, positions: list[float]) -> JointState:
    """A made-up joint state of the arm."""
    message = JointState(name=[*(f"joint{i}" for i in range(1, 8)), GRIPPER_JOINT, LIE])
    message.header.stamp = scene.driver.node.get_clock().now().to_msg()
    message.header.frame_id = "link_base"
    message.position, message.velocity = [*positions, 0.85, 0.0], [0.0] * 9
    return message


def _measured(scene: Scene) -> list[float]:
    joints = scene.driver.joints
    return HOME_RAD.tolist() if joints is None else list(joints.position)[:7]


def _joints_publisher(scene: Scene) -> Any:
    return scene.driver.publisher(JointState, JOINTS, qos_profile_sensor_data)


@contextlib.contextmanager
def silent_simulator(scene: Scene) -> Iterator[None]:
    """The simulator stopped for as long as this lasts: nobody says where the arm really is."""
    simulator = scene.stack.nodes()["sim_node"]
    scene.stack.signal(simulator, signal.SIGSTOP)
    try:
        yield
    finally:
        scene.stack.signal(simulator, signal.SIGCONT)


def joints_jump(scene: Scene) -> Injected:
    """Somebody says that the arm is somewhere else altogether, for 0.05 to 0.6 s at 400 Hz: a second publisher between
    the true readings, or the only one while the simulator is stopped."""
    seconds, alone = scene.draw.uniform(0.05, 0.6), scene.draw.random() < 0.5
    there = scene.draw.choice(([0.0] * 7, [scene.draw.uniform(-4.0, 4.0) for _ in range(7)]))
    publisher = _joints_publisher(scene)
    with silent_simulator(scene) if alone else contextlib.nullcontext():
        at_s, until_s, _ = publish_for(publisher, lambda _: joints_message(scene, list(there)), seconds, 400.0)
    parameters = {"for_s": seconds, "alone": alone, "to_rad": list(there)}
    return Injected(parameters, Expect.SAFE, at_s, until_s, named=DISTRUST)


def joints_stray(scene: Scene) -> Injected:
    """One joint state that is false, and then none at all for 0.2 s: the simulator is stopped meanwhile."""
    there = [scene.draw.uniform(-2.0, 2.0) for _ in range(7)]
    publisher, at_s = _joints_publisher(scene), steady_s()
    with silent_simulator(scene):
        publisher.publish(joints_message(scene, there))
        time.sleep(0.2)
    return Injected({"to_rad": there}, Expect.SAFE, at_s, steady_s())


def joints_lie(scene: Scene) -> Injected:
    """A second publisher adds 0.05 to 0.5 rad to one joint, for 1 s at 400 Hz."""
    joint, offset = scene.draw.randrange(7), scene.draw.choice((-1, 1)) * scene.draw.uniform(0.05, 0.5)

    def lie(_: float) -> JointState:
        positions = _measured(scene)
        positions[joint] += offset
        return joints_message(scene, positions)

    at_s, until_s, sent = publish_for(_joints_publisher(scene), lie, 1.0, 400.0)
    parameters = {"joint": joint + 1, "offset_rad": offset, "sent": sent}
    return Injected(parameters, Expect.SAFE, at_s, until_s)


def joints_frozen(scene: Scene) -> Injected:
    """A second publisher repeats one joint state, for 1 s at 400 Hz."""
    positions = _measured(scene)
    at_s, until_s, sent = publish_for(_joints_publisher(scene), lambda _: joints_message(scene, positions), 1.0, 400.0)
    return Injected({"sent": sent}, Expect.SAFE, at_s, until_s)


def joints_malformed(scene: Scene) -> Injected:
    """Joint states with NaN, infinity, missing values or a stamp before the epoch, for 0.5 s."""
    what = scene.draw.choice(("nan", "inf", "short", "stamp", "empty"))

    def make(_: float) -> JointState:
        message = joints_message(scene, _measured(scene))
        if what in ("nan", "inf"):
            message.position[scene.draw.randrange(7)] = math.nan if what == "nan" else math.inf
        elif what == "short":
            message.position = message.position[:3]
        elif what == "stamp":
            message.header.stamp = NEGATIVE
        else:
            message.name, message.position, message.velocity = [LIE], [], []
        return message

    at_s, until_s, _ = publish_for(_joints_publisher(scene), make, 0.5, 50.0)
    named = () if what == "stamp" else (r"(?i)joint state", REFUSED)
    return Injected({"what": what}, Expect.GOES_ON, at_s, until_s, named=named, in_diagnostics=COUNTED)


def _touch_message(scene: Scene, magnetometers: int, field_ut: list[float], valid: bool = True) -> TactileArray:
    true = scene.driver.tactile
    message = TactileArray(magnetometers=magnetometers, field_ut=field_ut, valid=[valid] * magnetometers)
    message.header.stamp = scene.driver.node.get_clock().now().to_msg()
    message.header.frame_id = LIE
    if true is not None and magnetometers == true.magnetometers:
        message.baseline_ut, message.baseline_id = true.baseline_ut, true.baseline_id
    return message


def _touch(scene: Scene, magnetometers: int, top_ut: float, valid: Callable[[float], bool]) -> tuple[float, float, int]:
    publisher = scene.driver.publisher(TactileArray, TOUCH, qos_profile_sensor_data)
    true = scene.driver.tactile
    rest = [0.0] * 15 if true is None else list(true.field_ut)

    def make(elapsed: float) -> TactileArray:
        field = [value + top_ut * elapsed for value in rest[: 3 * magnetometers]]
        return _touch_message(scene, magnetometers, field, valid(elapsed))

    return publish_for(publisher, make, 1.0, 200.0)


def touch_doubled(scene: Scene) -> Injected:
    """A second publisher of touch, whose field rises to 5000 µT in 1 s."""
    at_s, until_s, _ = _touch(scene, 5, 5000.0, lambda _: True)
    return Injected({"top_ut": 5000.0}, Expect.STOPS, at_s + 0.4, until_s, named=TOUCH_NAMED)


def touch_of_four(scene: Scene) -> Injected:
    """A second publisher with four magnetometers, whose field rises to 5000 µT in 1 s."""
    at_s, until_s, _ = _touch(scene, 4, 5000.0, lambda _: True)
    return Injected({"magnetometers": 4}, Expect.STOPS, at_s + 0.4, until_s, named=TOUCH_NAMED)


def touch_saturated(scene: Scene) -> Injected:
    """A pad whose magnetometers are all said to be saturated, between the true readings."""
    at_s, until_s, _ = _touch(scene, 5, 0.0, lambda _: False)
    return Injected({}, Expect.STOPS, at_s + 0.4, until_s, named=TOUCH_NAMED)


def transform_not_a_number(scene: Scene) -> Injected:
    """A transform of NaN, or with a quaternion of zeros, on /tf or /tf_static."""
    topic, value = scene.draw.choice(("/tf", "/tf_static")), scene.draw.choice((math.nan, 0.0))
    child = scene.draw.choice(("camera_color_optical_frame", "wrist_camera_optical_frame", "made_up"))
    transform = TransformStamped(child_frame_id=child)
    transform.header.frame_id = "link_base"
    transform.header.stamp = scene.driver.node.get_clock().now().to_msg()
    for name in "xyzw":
        setattr(transform.transform.rotation, name, value)
    message = TFMessage(transforms=[transform])
    qos: Any = LATCHED if topic == "/tf_static" else 100
    publisher = scene.driver.publisher(TFMessage, topic, qos)
    at_s, until_s, _ = publish_for(publisher, lambda _: message, 0.3, 50.0)
    parameters = {"topic": topic, "child": child, "quaternion": str(value)}
    return Injected(
        parameters, Expect.GOES_ON, at_s, until_s, named=(r"(?i)transform|/tf", REFUSED), in_diagnostics=COUNTED
    )


def stamps_before_the_epoch(scene: Scene) -> Injected:
    """Images and touch with a negative stamp, for 0.5 s."""
    topic = scene.draw.choice((WRIST, TOUCH, COLOUR))
    if topic == TOUCH:
        true = scene.driver.tactile
        touch = _touch_message(scene, 5, [0.0] * 15 if true is None else list(true.field_ut))
        touch.header.stamp = NEGATIVE
        message, kind = touch, TactileArray
    else:
        message, kind = image_message(128 if topic == WRIST else 640, 128 if topic == WRIST else 480), Image
        message.header.stamp = NEGATIVE
    publisher = scene.driver.publisher(kind, topic, qos_profile_sensor_data)
    at_s, until_s, _ = publish_for(publisher, lambda _: message, 0.5, 30.0)
    return Injected({"topic": topic}, Expect.GOES_ON, at_s, until_s, named=(REFUSED,), in_diagnostics=COUNTED)


def image_message(width: int, height: int) -> Image:
    """A grey image."""
    message = Image(width=width, height=height, step=3 * width, encoding="rgb8")
    message.data = array.array("B", bytes([128]) * (3 * width * height))
    message.header.frame_id = LIE
    return message


def flood_of_joints(scene: Scene) -> Injected:
    """True joint states a thousand times a second, for 1 s."""
    publisher = _joints_publisher(scene)
    at_s, until_s, sent = publish_for(publisher, lambda _: joints_message(scene, _measured(scene)), 1.0, 1000.0)
    return Injected({"sent": sent}, Expect.GOES_ON, at_s, until_s)


def flood_of_images(scene: Scene) -> Injected:
    """Grey images of the scene camera's size as fast as they go (at most 300 a second), for 1 s."""
    message = image_message(640, 480)
    publisher = scene.driver.publisher(Image, COLOUR, qos_profile_sensor_data)

    def make(_: float) -> Image:
        message.header.stamp = scene.driver.node.get_clock().now().to_msg()
        return message

    at_s, until_s, sent = publish_for(publisher, make, 1.0, 300.0)
    return Injected({"sent": sent}, Expect.SAFE, at_s, until_s)
