"""Namespaces and node names."""

from __future__ import annotations

import re


def join_namespaces(base: str | None, namespace: str) -> str:
    """Return a namespace below another; an absolute one replaces it. The result is absolute, or empty if both are.

    Raises:
        rclpy.exceptions.InvalidNamespaceException: when the result is not a namespace.
    """
    if namespace.startswith("/"):
        joined = namespace
    else:
        joined = "/".join(part for part in ((base or "").rstrip("/"), namespace) if part)
        if not joined and base:
            joined = "/"
    if joined and not joined.startswith("/"):
        joined = f"/{joined}"
    if len(joined) > 1:
        joined = joined.rstrip("/")
    if joined and joined != "/" and not re.fullmatch(r"(/[A-Za-z_]\w*)+", joined, re.ASCII):
        from rclpy.validate_namespace import validate_namespace

        validate_namespace(joined)
    return joined


def check_node_name(name: str) -> None:
    """Refuse what is not a node name.

    Raises:
        rclpy.exceptions.InvalidNodeNameException: naming the first bad character.
    """
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or len(name) > 255:
        from rclpy.validate_node_name import validate_node_name

        validate_node_name(name)
