"""Figures as SVG that can stand together in one page."""

from __future__ import annotations

import re

# Only what this package's own figures wrote is parsed here, never a file from outside.
from xml.etree import ElementTree as ET

SVG = "http://www.w3.org/2000/svg"
LINK = "http://www.w3.org/1999/xlink"
ET.register_namespace("", SVG)
ET.register_namespace("xlink", LINK)


def inline(data: bytes, name: str, title: str) -> str:
    """An SVG file as an element of a page: no prolog, comments or metadata, ids of its own.

    `name` goes before every id and reference, so that figures do not share them; `title` is what
    a screen reader says. The size follows the page; the proportions are kept.
    """
    root = ET.fromstring(data)  # noqa: S314
    for child in list(root):
        if child.tag == f"{{{SVG}}}metadata":
            root.remove(child)
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == "id":
                element.set(key, f"{name}-{value}")
            elif key in ("href", f"{{{LINK}}}href") and value.startswith("#"):
                element.set(key, f"#{name}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", value))
    width = root.attrib.pop("width", "")
    root.attrib.pop("height", None)
    root.set("role", "img")
    root.set("aria-label", title)
    if width.endswith("pt"):
        root.set("style", f"max-width: {float(width[:-2]) * 1.75:.0f}px")
    return ET.tostring(root, encoding="unicode")
