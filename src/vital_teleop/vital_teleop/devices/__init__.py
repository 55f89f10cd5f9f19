"""The devices, by name. Optional libraries are imported only by the device that needs them."""

from collections.abc import Callable

from vital_core.errors import ErrorCode, VitalError
from vital_teleop.device import Device, DeviceName
from vital_teleop.devices.webxr_settings import WebXrSettings


def _keyboard() -> Device:
    from vital_teleop.devices.keyboard import Keyboard

    return Keyboard()


def _gamepad() -> Device:
    from vital_teleop.devices.gamepad import Gamepad

    return Gamepad()


def _spacemouse() -> Device:
    from vital_teleop.devices.spacemouse import SpaceMouse

    return SpaceMouse()


MAKERS: dict[str, Callable[[], Device]] = {
    DeviceName.KEYBOARD: _keyboard,
    DeviceName.GAMEPAD: _gamepad,
    DeviceName.SPACEMOUSE: _spacemouse,
}


def make_device(name: str, webxr: WebXrSettings | None = None) -> Device:
    """The device of this name; ``webxr`` is for the one that serves a page. Raises VitalError(BAD_PARAMETER)."""
    if name == DeviceName.WEBXR:
        from vital_teleop.devices.webxr import WebXr

        return WebXr(webxr)
    if name not in MAKERS:
        raise VitalError(ErrorCode.BAD_PARAMETER, f"no device '{name}', expected one of {', '.join(DeviceName)}")
    return MAKERS[name]()
