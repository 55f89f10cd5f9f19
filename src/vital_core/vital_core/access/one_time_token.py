"""A one-time token that reaches the person at this machine and nobody else.

It is written to the terminal itself and to a file that only its owner can read: what a node prints is logged, and a
log is read by others.
"""

import contextlib
import os
import secrets
import signal
from pathlib import Path

# 128 bits: nobody guesses it, so it opens whatever the lock-out says.
TOKEN_BYTES = 16
TERMINAL = "/dev/tty"


def new_token() -> str:
    """Characters that fit into an address."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def owners_folder() -> Path:
    """Where the user's own files of a running program lie: XDG_RUNTIME_DIR, or ROS's home."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and os.path.isdir(runtime):
        return Path(runtime)
    return Path(os.environ.get("ROS_HOME") or Path.home() / ".ros")


def write_owners_file(path: Path, text: str) -> None:
    """Whole, and never readable by anybody else, not for a moment. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(file, "w") as out:
            out.write(text)
        os.replace(aside, path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def hand_over(address: str, file: Path, who: str) -> None:
    """Give the person at this machine an address with its token; never through what a launch logs.

    Raises OSError when the file cannot be written.
    """
    write_owners_file(file, address + "\n")
    write_terminal(f"\r\n{who}: {address}\r\n")


def write_terminal(text: str) -> bool:
    """Whether there is a terminal that could be written to. Never waits for it."""
    # A background process that writes to its terminal would be stopped where the user has set `stty tostop`.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    try:
        with contextlib.suppress(OSError):
            terminal = os.open(TERMINAL, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
            try:
                os.write(terminal, text.encode())
            finally:
                os.close(terminal)
            return True
        return False
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
