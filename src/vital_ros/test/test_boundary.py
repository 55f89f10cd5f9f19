"""What is refused is counted, said and shown, and the node goes on; what went wrong half-way is not held up."""

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from ros_domain import own_domain
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger

from vital_core.arm.xarm7 import JOINT_NAMES
from vital_core.errors import ErrorCode, VitalError
from vital_interfaces.srv import OpenEpisode
from vital_ros.boundary import refusals_of, serve, subscribe
from vital_ros.diagnostics import OK, WARN, Diagnostics, Health
from vital_ros.message_check import joint_positions

GOOD = JointState(name=list(JOINT_NAMES), position=[0.1] * 7)


@pytest.fixture
def node():
    context = Context()
    rclpy.init(context=context, domain_id=own_domain())
    made = Node("boundary", context=context)
    yield made
    made.destroy_node()
    context.try_shutdown()


def test_a_refused_message_is_counted_by_topic_and_the_next_one_is_taken(node):
    taken = []
    heard = subscribe(node, JointState, "/joint_states", taken.append, 1, read=joint_positions)
    for message in (JointState(name=list(JOINT_NAMES)), GOOD, JointState(name=["drive_joint"], position=[0.0])):
        heard.callback(message)
    assert len(taken) == 1 and refusals_of(node).counts == {"/joint_states": 1}


def test_refusals_are_shown_in_diagnostics(node):
    diagnostics, said = Diagnostics(node, lambda: Health(OK, "well", {"taken": 1})), []
    diagnostics._publisher.publish = said.append
    heard = subscribe(node, JointState, "/joint_states", lambda _: None, 1, read=joint_positions)
    diagnostics.publish()
    heard.callback(JointState(name=list(JOINT_NAMES)))
    diagnostics.publish()
    before, after = (message.status[0] for message in said)
    assert before.level == bytes([OK]) and len(before.values) == 1
    assert after.level == bytes([WARN]) and "7 joints have 0 positions" in after.message
    assert {v.key: v.value for v in after.values} == {"taken": "1", "refused /joint_states": "1"}


def test_whatever_reading_raises_refuses_the_message(node):
    def read(_message):
        raise ZeroDivisionError("unforeseen")

    heard = subscribe(node, JointState, "/joint_states", lambda _: None, 1, read=read)
    heard.callback(GOOD)
    assert refusals_of(node).counts == {"/joint_states": 1}


def test_an_unforeseen_error_after_reading_ends_the_node(node):
    def take(_message):
        raise ZeroDivisionError("half done")

    heard = subscribe(node, JointState, "/joint_states", take, 1)
    with pytest.raises(ZeroDivisionError):
        heard.callback(GOOD)


def test_a_refused_request_is_answered_with_code_and_sentence(node):
    def answer(request, response):
        if not request.data:
            raise VitalError(ErrorCode.BUSY, "not now")
        response.success = True
        return response

    service = serve(node, SetBool, "/set", answer)
    assert service.callback(SetBool.Request(data=True), SetBool.Response()).success
    refused = service.callback(SetBool.Request(data=False), SetBool.Response(success=True, message="half"))
    assert not refused.success and refused.message == "not now"


def test_a_request_that_cannot_be_read_is_a_bad_parameter(node):
    opened = serve(node, OpenEpisode, "/open", lambda _, response: response, read=lambda request: 1 // 0)
    for request in (OpenEpisode.Request(), OpenEpisode.Request(task="x" * 20_000)):
        answer = opened.callback(request, OpenEpisode.Response())
        assert not answer.success and answer.error_code == ErrorCode.BAD_PARAMETER and answer.message
    assert refusals_of(node).counts == {"/open": 2}


def test_a_service_that_answers_later_refuses_alike(node):
    async def answer(_request, _response):
        raise VitalError(ErrorCode.TIMEOUT, "too late")

    service = serve(node, Trigger, "/later", answer)
    with pytest.raises(StopIteration) as ended:
        service.callback(Trigger.Request(), Trigger.Response()).send(None)
    assert not ended.value.value.success and ended.value.value.message == "too late"
