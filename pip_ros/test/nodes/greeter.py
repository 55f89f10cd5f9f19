"""A node with one of everything: publishers, a subscription, parameters, a service, an action."""

import contextlib

import rclpy
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.task import Future
from std_msgs.msg import Float64MultiArray, String
from std_srvs.srv import SetBool


class Greeter(Node):
    """Greets `whom` at 20 Hz, best effort, and once latched."""

    def __init__(self) -> None:
        super().__init__("greeter")
        self.declare_parameter("whom", "world")
        self.declare_parameter("rate", 1.0)
        self.declare_parameter("counts", [1, 2, 3])
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.greetings = self.create_publisher(String, "greetings", qos_profile_sensor_data)
        self.numbers = self.create_publisher(Float64MultiArray, "numbers", latched)
        self.numbers.publish(Float64MultiArray(data=[float(i) for i in range(200)]))
        self.create_subscription(String, "words", self.on_word, 10)
        self.create_service(SetBool, "~/switch", self.on_switch)
        self.create_timer(0.05, self.greet)

    def greet(self) -> None:
        self.greetings.publish(String(data=f"hello {self.get_parameter('whom').value}"))

    def on_word(self, message: String) -> None:
        self.get_logger().info(f"heard {message.data}")

    def on_switch(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success, response.message = request.data, "switched"
        return response


class Transforms:
    """Serves the action /lookup: gives feedback, then a transform; waits to be canceled for the frame `never`."""

    def __init__(self, node: Node) -> None:
        from tf2_msgs.action import LookupTransform

        self.type = LookupTransform
        self.canceled = Future()
        self.server = ActionServer(
            node,
            LookupTransform,
            "lookup",
            self.execute,
            goal_callback=lambda goal: GoalResponse.REJECT if goal.advanced else GoalResponse.ACCEPT,
            cancel_callback=self.cancel,
        )

    def cancel(self, _) -> CancelResponse:
        self.canceled.set_result(None)
        return CancelResponse.ACCEPT

    async def execute(self, goal_handle):
        goal_handle.publish_feedback(self.type.Feedback())
        result = self.type.Result()
        if goal_handle.request.target_frame == "never":
            await self.canceled
            goal_handle.canceled()
            return result
        result.transform.child_frame_id = goal_handle.request.target_frame
        goal_handle.succeed()
        return result


def spin(node: Greeter) -> None:
    with contextlib.suppress(ModuleNotFoundError):  # tf2_msgs may not be built
        node.transforms = Transforms(node)
    node.get_logger().info(f"parameters {node.get_parameter('whom').value} {node.get_parameter('rate').value}")
    rclpy.spin(node)


def main() -> None:
    rclpy.init()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        spin(Greeter())
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
