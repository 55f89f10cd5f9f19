"""Logging to the screen and to launch.log, in the line formats of the real launch."""

from __future__ import annotations

import datetime
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any

from launch import _needs_ros

SCREEN_FORMATS = {
    "default": "[{levelname}] [{name}]: {message}",
    "default_with_timestamp": "{created:.7f} [{levelname}] [{name}]: {message}",
}
LOG_FORMATS = {"default": "{created:.7f} [{levelname}] [{name}]: {message}"}

# output -> (stdout to the screen, stderr to the screen, both to launch.log, own files)
_OUTPUTS = {
    "log": (False, True, True, False),
    "screen": (True, True, False, False),
    "both": (True, True, True, False),
    "own_log": (False, False, False, True),
    "full": (True, True, True, True),
}


class _ScreenHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever standard output is at the moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        """The current standard output."""
        return sys.stdout


def _formatter(variable: str, formats: dict[str, str]) -> logging.Formatter:
    style = os.environ.get(variable) or "default"
    text = formats.get(style, style).replace("{msg}", "{message}")
    return logging.Formatter(text, style="{")


class LaunchConfig:
    """Where this process's launches log to."""

    def __init__(self) -> None:
        self._log_dir: Path | None = None
        self._file_handlers: dict[tuple[str, bool], logging.Handler] = {}
        self._loggers: dict[str, logging.Logger] = {}
        self.level = logging.INFO

    @property
    def log_dir(self) -> str:
        """The directory of this launch's log files, made when first asked for.

        ROS_LOG_DIR, or else the folder `log` in ROS_HOME, or else ~/.ros/log; a launch gets its own
        folder there, to which `latest` points.
        """
        if self._log_dir is None:
            self._log_dir = _make_log_dir()
        return str(self._log_dir)

    @log_dir.setter
    def log_dir(self, directory: str) -> None:
        self._log_dir = Path(directory)
        self._log_dir.mkdir(parents=True, exist_ok=True)

    def screen_handler(self, verbatim: bool) -> logging.Handler:
        """Return a handler for the screen, bare or with level and name."""
        handler = _ScreenHandler()
        if verbatim:
            handler.setFormatter(logging.Formatter("{message}", style="{"))
        else:
            handler.setFormatter(_formatter("OVERRIDE_LAUNCH_SCREEN_FORMAT", SCREEN_FORMATS))
        return handler

    def file_handler(self, file_name: str, verbatim: bool) -> logging.Handler:
        """Return the handler for a file in the log directory, one per file and form."""
        key = (file_name, verbatim)
        if key not in self._file_handlers:
            handler = logging.FileHandler(Path(self.log_dir) / file_name, delay=True)
            if verbatim:
                handler.setFormatter(logging.Formatter("{created:.7f} {message}", style="{"))
            else:
                handler.setFormatter(_formatter("OVERRIDE_LAUNCH_LOG_FORMAT", LOG_FORMATS))
            self._file_handlers[key] = handler
        return self._file_handlers[key]

    def get_logger(self, name: str) -> logging.Logger:
        """Return the logger of that name, private to launch: to the screen and to launch.log."""
        if name not in self._loggers:
            logger = logging.Logger(name, self.level)
            logger.addHandler(self.screen_handler(verbatim=False))
            logger.addHandler(self.file_handler("launch.log", verbatim=False))
            self._loggers[name] = logger
        return self._loggers[name]

    def set_level(self, level: int) -> None:
        """Set the level of all loggers, those to come included."""
        self.level = level
        for logger in self._loggers.values():
            logger.setLevel(level)


def _make_log_dir() -> Path:
    if os.environ.get("ROS_LOG_DIR"):
        root = Path(os.environ["ROS_LOG_DIR"])
    else:
        root = Path(os.environ.get("ROS_HOME") or Path.home() / ".ros") / "log"
    now = datetime.datetime.now().strftime("%Y-%m-%d-%H-%M-%S-%f")
    directory = root.expanduser() / f"{now}-{socket.gethostname()}-{os.getpid()}"
    directory.mkdir(parents=True, exist_ok=True)
    latest = directory.parent / "latest"
    try:
        if latest.is_symlink():
            latest.unlink()
        latest.symlink_to(directory.name)
    except OSError:
        pass  # another launch made it at the same moment, or it is a real folder
    return directory


launch_config = LaunchConfig()


def get_logger(name: str = "launch") -> logging.Logger:
    """Return the launch logger of that name."""
    return launch_config.get_logger(name)


def log_launch_config(*, logger: logging.Logger) -> None:
    """Say where the log files are and how much is logged."""
    logger.info(f"All log files can be found below {launch_config.log_dir}")
    logger.info(f"Default logging verbosity is set to {logging.getLevelName(launch_config.level)}")


def _output_as_dict(output: Any) -> dict[str, set[str]]:
    """Return which of screen, log and own_log the streams stdout, stderr and both go to."""
    if isinstance(output, dict):
        return {stream: {targets} if isinstance(targets, str) else set(targets) for stream, targets in output.items()}
    if output not in _OUTPUTS:
        raise ValueError(f"'{output}' is not a valid standard output config i.e. one of: {', '.join(_OUTPUTS)}")
    stdout_screen, stderr_screen, log, own_log = _OUTPUTS[output]
    common = ({"log"} if log else set()) | ({"own_log"} if own_log else set())
    return {
        "stdout": common | ({"screen"} if stdout_screen else set()),
        "stderr": common | ({"screen"} if stderr_screen else set()),
    }


def get_output_loggers(process_name: str, output_config: Any) -> tuple[logging.Logger, logging.Logger]:
    """Return the loggers for a process's standard output and standard error.

    `output_config` is 'log', 'screen', 'both', 'own_log', 'full', or a dict from 'stdout', 'stderr' and
    'both' to one or several of 'screen', 'log' and 'own_log'.

    Raises:
        ValueError: for any other `output_config`.
    """
    config = _output_as_dict(output_config)
    loggers = []
    for stream in ("stdout", "stderr"):
        targets = config.get(stream, set()) | config.get("both", set())
        if unknown := targets - {"screen", "log", "own_log"}:
            raise ValueError(f"unknown {stream} outputs {sorted(unknown)}, expected screen, log or own_log")
        logger = logging.Logger(f"{process_name}-{stream}", logging.DEBUG)
        if "screen" in targets:
            logger.addHandler(launch_config.screen_handler(verbatim=True))
        if "log" in targets:
            logger.addHandler(launch_config.file_handler("launch.log", verbatim=True))
        if "own_log" in targets:
            for file_name in (f"{process_name}-{stream}.log", f"{process_name}.log"):
                logger.addHandler(launch_config.file_handler(file_name, verbatim=True))
        loggers.append(logger)
    return loggers[0], loggers[1]


__getattr__ = _needs_ros.lazy_attribute(__name__)
