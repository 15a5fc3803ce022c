"""All methods, in the order of the tables."""

from __future__ import annotations

from benchmarks.evidence.method import Method
from benchmarks.evidence.methods_ours import OURS
from benchmarks.evidence.methods_rivals import RIVALS

METHODS: dict[str, Method] = {**RIVALS, **OURS}
