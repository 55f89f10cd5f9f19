"""Guessing a PIN is made slow: for each address the wait doubles with every wrong one, and all together have a budget.

Who was let in before is not held up by what others guess; who never guessed wrong waits only once the budget of all is
spent, which takes an attack from many addresses.
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

from vital_core.clock import steady_s

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 900.0
# Wrong guesses that all addresses together have at once, and how long it takes until there is one more. With this a
# PIN of six digits is guessed within a day with a probability of 0.3 %.
BUDGET = 30.0
REFILL_S = 30.0
MOST_ADDRESSES = 4096


def address_of(host: str) -> str:
    """What counts as one address: of IPv6 the network (/64), as a single machine has all of it."""
    try:
        ip = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))


class Lockout:
    """Counts wrong guesses by address. Not safe for threads of its own: whoever judges a guess holds a lock."""

    def __init__(self, now: Callable[[], float] = steady_s) -> None:
        self._now = now
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._let_in: OrderedDict[str, None] = OrderedDict()
        self._budget, self._refilled_s = BUDGET, now()

    def wait_s(self, address: str) -> float:
        """How long a guess from this address has to wait before it is judged; 0: it may be."""
        own = self._wrong.get(address, (0, 0.0))[1] - self._now()
        all_together = 0.0 if address in self._let_in else self._budget_wait_s()
        return max(own, all_together, 0.0)

    def wrong(self, address: str) -> None:
        """A guess was judged and wrong."""
        count = self._wrong.pop(address, (0, 0.0))[0] + 1
        wait_s = min(FIRST_WAIT_S * 2.0 ** min(count - 1, 30), LONGEST_WAIT_S)
        self._wrong[address] = count, self._now() + wait_s
        if len(self._wrong) > MOST_ADDRESSES:
            self._wrong.popitem(last=False)
        self._budget_wait_s()
        self._budget = max(0.0, self._budget - 1.0)

    def right(self, address: str) -> None:
        """Somebody at this address knew it."""
        self._wrong.pop(address, None)
        self._let_in[address] = None
        if len(self._let_in) > MOST_ADDRESSES:
            self._let_in.popitem(last=False)

    def _budget_wait_s(self) -> float:
        now_s = self._now()
        self._budget = min(BUDGET, self._budget + (now_s - self._refilled_s) / REFILL_S)
        self._refilled_s = now_s
        return max(0.0, 1.0 - self._budget) * REFILL_S
