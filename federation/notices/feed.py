"""A person's notices as an Atom feed (RFC 4287)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from xml.etree import ElementTree

from federation.notices.words import sentence
from federation.state.models import Notice

ATOM = "http://www.w3.org/2005/Atom"
MEDIA_TYPE = "application/atom+xml"


def atom(node: str, title: str, url: str, notices: Sequence[Notice], updated: datetime) -> bytes:
    """The feed as XML.

    Args:
        url: the node's address, for people to follow.
        updated: when the feed began, for one that is still empty.
    """
    ElementTree.register_namespace("", ATOM)
    feed = ElementTree.Element(f"{{{ATOM}}}feed")
    latest = max((notice.created_at for notice in notices), default=updated)
    # RFC 4287, 4.1.1: a feed has an id, a title and the time of its last change, and an author for its entries.
    _add(feed, "id", f"urn:devolved-federation:{node}:notices")
    _add(feed, "title", f"{title}: notices")
    _add(feed, "updated", latest.isoformat())
    _add(_add(feed, "author"), "name", title)
    for notice in notices:
        entry = _add(feed, "entry")
        _add(entry, "id", f"urn:devolved-federation:{node}:notice:{notice.id}")
        _add(entry, "title", sentence(notice.kind, notice.about, notice.day))
        _add(entry, "updated", notice.created_at.isoformat())
        ElementTree.SubElement(entry, f"{{{ATOM}}}link", {"href": url, "rel": "alternate"})
    content: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return content


def _add(parent: ElementTree.Element, name: str, text: str | None = None) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, f"{{{ATOM}}}{name}")
    element.text = text
    return element
