"""Memory that is freed and asked for again in each step, as page faults of a process show it."""

import os
import platform
import subprocess
import sys

import pytest

# Blocks of 8 MiB, written to, are taken and freed; then again, and the faults are counted.
_PROGRAM = """
import resource
import sys
import torch
from atl_sklearn.estimators._freed_memory import keep_freed_memory

keep_freed_memory()

def round_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [torch.zeros(2**21) for _ in range(int(sys.argv[1]))]
    del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

for _ in range(3):
    round_of_a_step()
print(max(round_of_a_step() for _ in range(3)))
"""


def faults(n_blocks, **settings):
    """Return how many pages the system gave anew, of the 2,048 for each block of a round."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(n_blocks)],
        env={**own, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of the GNU C library alone")
@pytest.mark.parametrize("n_blocks", [6, 24])  # 48 MiB, and 192
def test_freed_memory_is_kept_for_the_next_step(n_blocks):
    assert faults(n_blocks) < 600
    # What the environment sets is left as it is.
    assert faults(n_blocks, MALLOC_TRIM_THRESHOLD_="131072") > 6000
