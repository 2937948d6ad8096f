"""What holds for every test: Hypothesis measures no time, and the same code is judged by the same examples.

A busy machine is no defect, and what lands a change must not depend on luck. `--hypothesis-profile=explore` looks
for new examples, ten times as many.
"""

from __future__ import annotations

import hypothesis

_UNTIMED = hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])

hypothesis.settings.register_profile("hephaestus", _UNTIMED, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", _UNTIMED, max_examples=1000)
hypothesis.settings.load_profile("hephaestus")
