"""Who goes first when the cores are busy: the gate before the policy, both before the simulator and the planner.

Python's threads share one lock, so a whole process is lifted: a thread that ticks in time must not wait for one of
its own process that the system has put aside. Asked for at the process's start, before it has threads.
"""

import contextlib
import os
import sys
import threading

# Between two threads of a process that both want to run, s; Python's own 5 ms would be the jitter of a tick.
SWITCH_INTERVAL_S = 0.0005


def raise_priority(level: int) -> str:
    """Real-time scheduling (round robin, ``level`` 1 to 99) for this process, or a niceness of -10, as far as the
    system allows (root, or limits `rtprio` and `nice` of the user); returns what was granted."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(level))
        return f"real time {level}"
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
        return "niceness -10"
    return "as everybody"


def be_nice(niceness: int) -> str:
    """Let others go before this thread and those that it starts (or, below 0 and where the system allows it, the
    other way round); returns what was granted."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
        return f"niceness {niceness}"
    return "as everybody"
