"""What parts of the page have in common: colours of buttons, and that only what has changed is sent."""

GREEN, ORANGE, BLUE, GREY = (46, 139, 87), (199, 119, 0), (47, 111, 178), (108, 117, 125)


def put(handle: object, name: str, value: object) -> None:
    """Give a part of the page a property, where it has another."""
    if getattr(handle, name) != value:
        setattr(handle, name, value)
