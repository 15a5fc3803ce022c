"""Does anti-transfer help? Every method on every protocol: ``python -m benchmarks.evidence``."""
