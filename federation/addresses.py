"""Which addresses may be sent something that nobody else should read."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_safe_url(text: str) -> bool:
    """Whether what is sent there can be read by nobody on the way: HTTPS, or HTTP that stays on this machine.

    >>> is_safe_url("https://node.example"), is_safe_url("http://node.example"), is_safe_url("http://127.0.0.1:8642")
    (True, False, True)
    """
    try:
        url = urlsplit(text)
        host = url.hostname or ""
    except ValueError:
        return False
    return bool(host) and (url.scheme == "https" or (url.scheme == "http" and _is_loopback(host)))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
