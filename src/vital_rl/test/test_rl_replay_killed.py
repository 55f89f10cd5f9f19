"""The replay node killed again and again at random moments: what it acknowledged is there, to the last number."""

import multiprocessing
import threading
import time

import numpy as np
import pytest
from rig import SERVICES, noisy_step, request_of, rig

from vital_rl.replay.replay_node import main
from vital_rl.replay.replay_store import ReplayStore

EPISODE = 12
ROWS = 16
ANSWER_S = 0.3


class Writer:
    """Appends episode after episode for as long as somebody answers; kept: what was acknowledged."""

    def __init__(self, robot):
        self._robot, self._count = robot, 0
        self.kept, self.labelled, self.heard = {}, {}, threading.Event()

    def write(self, alive):
        """Until the replay is dead."""
        while (opened := self._ask(alive, "open", task="usb_insertion", seed=self._count)) is not None:
            for index in range(EPISODE):
                self._count += 1
                step = noisy_step(self._count, ROWS)
                answer = self._ask(alive, "append", **request_of(opened.episode, index, step))
                if answer is None:
                    return
                assert answer.success, answer.message
                self.kept[opened.episode, index] = self._count
            closed = self._ask(alive, "close", episode=opened.episode, reason="done", terminated=True)
            label = bool(self._count % 2)
            labelled = closed and self._ask(alive, "label", episode=opened.episode, succeeded=label, source="test")
            if labelled:
                self.labelled[opened.episode] = label

    def _ask(self, alive, name, **request):
        """An answer, or None once nobody can give one; a request that the node was too young to hear is repeated."""
        kind, client = SERVICES[name][0], self._robot._services_asked[name]
        while alive():
            if client.service_is_ready():
                future = client.call_async(kind.Request(**request))
                deadline = time.monotonic() + ANSWER_S
                while not future.done() and alive() and time.monotonic() < deadline:
                    time.sleep(0.0005)
                if future.done():
                    self.heard.set()
                    return future.result()
                client.remove_pending_request(future)
            time.sleep(0.002)
        return None


def kill_after(process, event, seconds):
    if event is not None:
        event.wait(20.0)
    time.sleep(seconds)
    process.kill()


@pytest.mark.parametrize("kills", [20, pytest.param(100, marks=pytest.mark.slow)])
def test_kills_cost_nothing_that_was_acknowledged(kills, tmp_path, own_ros_domain):
    processes, rng = multiprocessing.get_context("forkserver"), np.random.default_rng(0)
    processes.set_forkserver_preload(["vital_rl.replay.replay_node"])
    arguments = ["--ros-args", "-p", f"folder:={tmp_path / 'replay'}"]
    with rig(own_ros_domain) as robot:
        writer = Writer(robot)
        for kill in range(kills):
            process = processes.Process(target=main, args=(arguments,))
            process.start()
            writer.heard.clear()
            # Every other time while it works, otherwise at any moment from its start on.
            after = (writer.heard, rng.uniform(0.0, 0.3)) if kill % 2 else (None, rng.uniform(0.05, 1.0))
            threading.Thread(target=kill_after, args=(process, *after)).start()
            writer.write(process.is_alive)
            process.join(10.0)
            assert process.exitcode == -9, f"the replay ended by itself with {process.exitcode}"
    store = ReplayStore(tmp_path / "replay")
    assert len(writer.kept) > 5 * kills and len(writer.labelled) > kills / 4
    found = {episode: store.read_steps(episode) for episode, _ in writer.kept}
    for (episode, index), number in writer.kept.items():
        expected, kept = noisy_step(number, ROWS), found[episode][index]
        for name in ("image", "tactile_ut", "base", "residual", "executed"):
            assert np.array_equal(getattr(kept, name), getattr(expected, name)), (episode, index, name)
    assert {e: store.episode(e).success for e in writer.labelled} == writer.labelled
