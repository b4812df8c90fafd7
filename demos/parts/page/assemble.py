"""Make a page one file: put each part where its template says {{name}}."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["assemble"]

HERE = Path(__file__).parent


def assemble(template: str, parts: dict[str, str]) -> str:
    """Return the template with its parts in place; ``look_css`` and ``look_js`` are always there.

    Each {{name}} is replaced once, so that a part in which {{another}} stands keeps it as text.

    Raises
    ------
    KeyError
        If the template names a part that is not there.
    """
    shared = {
        "look_css": (HERE / "look.css").read_text("utf-8"),
        "look_js": (HERE / "look.js").read_text("utf-8"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: (shared | parts)[match[1]], template)
