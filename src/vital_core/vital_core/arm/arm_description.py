"""The URDF that stands on `/robot_description`, for each bottom."""

from vital_core.arm.urdf import urdf

SIM, MOCK, ROBOT = "sim", "mock", "robot"
VENDOR_PLUGIN = "uf_robot_hardware/UFRobotSystemHardware"


def arm_description(hardware: str, robot_ip: str = "") -> str:
    """The arm, with what ros2_control needs where it drives the arm. robot_ip: of the robot's control box."""
    if hardware == MOCK:
        return urdf(ros2_control="mock")
    if hardware != ROBOT:
        return urdf()
    # The vendor's plugin cuts off the first letter of these two.
    parameters = {"robot_ip": f"R{robot_ip}", "prefix": "P"}
    driver = {"hw_ns": "xarm", "dof": "7", "robot_type": "xarm", "report_type": "normal", "add_gripper": "true"}
    return urdf(VENDOR_PLUGIN, {**parameters, **driver, "velocity_control": "false"})
