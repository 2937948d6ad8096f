"""Answer with every trove classifier that the index knows (the list is a package of its own).

Request: ``{}``. Answer: ``{"classifiers": [text]}``.
"""

from __future__ import annotations

import json

if __name__ == "__main__":
    from trove_classifiers import classifiers

    print(json.dumps({"classifiers": sorted(classifiers)}))  # noqa: T201
