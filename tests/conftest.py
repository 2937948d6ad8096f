"""What holds for every test: Hypothesis measures no time, because a busy machine is no defect."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("hephaestus", deadline=None)
hypothesis.settings.load_profile("hephaestus")
