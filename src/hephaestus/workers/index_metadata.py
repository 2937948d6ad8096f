"""What the index's own libraries say about metadata: the classifiers it knows, the descriptions it cannot render.

Request: ``{"descriptions": [{"file": name, "content_type": text or null, "text": text}]}``.
Answer: ``{"classifiers": [text], "unrendered": [{"file": name, "reason": text}]}``.

PyPI refuses an upload whose description does not render; without a content type it takes reStructuredText
(facts: pypi, section 1). Markdown and plain text always render.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path


def main(request_path: str) -> int:
    """Answer one request."""
    from trove_classifiers import classifiers

    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    unrendered = []
    for entry in request["descriptions"]:
        reason = _unrendered(entry["content_type"], entry["text"])
        if reason is not None:
            unrendered.append({"file": entry["file"], "reason": reason})
    print(json.dumps({"classifiers": sorted(classifiers), "unrendered": unrendered}))  # noqa: T201
    return 0


def _unrendered(content_type: str | None, text: str) -> str | None:
    """Why the description does not render, or None."""
    kind = (content_type or "text/x-rst").partition(";")[0].strip().lower()
    if kind != "text/x-rst" or not text.strip():
        return None
    from readme_renderer import rst

    complaints = io.StringIO()
    if rst.render(text, stream=complaints) is not None:
        return None
    lines = [line for line in complaints.getvalue().splitlines() if line.strip()]
    return lines[0] if lines else "it is no reStructuredText"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
