"""Sets that are longer than the memory: what is mapped from a file is not copied."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import atl_sklearn

N_SAMPLES = 12_000
# Within a process of its own, whose anonymous memory alone counts: the pages of the file are in its
# resident memory too, and can be had back by the system at any time.
CODE = textwrap.dedent(
    """
    import json, sys, threading, warnings
    from pathlib import Path

    import numpy as np
    import torch

    from atl_sklearn import AntiTransferClassifier
    from atl_sklearn.inspection import confounding_report, invariance_report, probe_score

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    path, n_samples = sys.argv[1], int(sys.argv[2])
    shape = (n_samples, 1, 64, 64)
    X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)
    rng = np.random.default_rng(0)
    for start in range(0, n_samples, 500):
        X[start : start + 500] = rng.normal(size=(500, *shape[1:]))
    X.flush()
    X = np.load(path, mmap_mode="r")
    y, nuisance = np.arange(n_samples) % 4, np.arange(n_samples) // 4 % 3


    class Small(torch.nn.Module):
        def __init__(self, input_shape, n_outputs):
            super().__init__()
            self.pool = torch.nn.AvgPool2d(8)
            self.conv = torch.nn.Conv2d(input_shape[0], 4, 3)
            self.out = torch.nn.Linear(144, n_outputs)

        def forward(self, x):
            return self.out(torch.relu(self.conv(self.pool(x))).flatten(1))


    class Peak:
        def __enter__(self):
            self.mb, self._end = 0.0, threading.Event()
            self._thread = threading.Thread(target=self._watch)
            self._thread.start()
            return self

        def _watch(self):
            while True:
                status = Path("/proc/self/status").read_text()
                kb = sum(int(status.split(f"{name}:")[1].split()[0])
                         for name in ("RssAnon", "RssShmem"))
                self.mb = max(self.mb, kb / 1024)
                if self._end.wait(0.005):
                    return

        def __exit__(self, *exception):
            self._end.set()
            self._thread.join()


    options = {"module": Small, "max_epochs": 1, "batch_size": 256, "random_state": 0, "verbose": 0}
    speaker = AntiTransferClassifier(**options).fit(X[:500], nuisance[:500])
    word = AntiTransferClassifier(unrelated=speaker, weight=1.0, **options)
    tasks = {
        "fit": lambda n: word.fit(X[:n], y[:n]),
        "fit, X_unlabeled": lambda n: word.fit(X[:n], y[:n], X_unlabeled=X[1:n]),
        "predict": lambda n: word.predict(X[:n]),
        "invariance_report": lambda n: invariance_report(
            word, X[: n // 2], y[: n // 2], nuisance[: n // 2], X_train=X[n // 2 : n],
            n_probed=500, n_resamples=10
        ),
        "probe_score": lambda n: probe_score(word, X[:n], nuisance[:n]),
        "confounding_report": lambda n: confounding_report(
            y[:n], nuisance[:n], X=X[:n], unrelated=speaker, n_resamples=10
        ),
        "a copy": lambda n: float(np.array(X[:n]).sum()),
    }
    grown = {}
    for name, task in tasks.items():
        peaks = []
        for n in (1500, 1500, n_samples):  # the first time also loads and allocates for good
            with Peak() as peak:
                task(n)
            peaks.append(peak.mb)
        grown[name] = peaks[2] - peaks[1]
    print(json.dumps(grown))
    """
)


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/self/status").is_file(), reason="/proc tells what memory is anonymous"
)
def test_a_memory_map_is_not_copied(tmp_path):
    """From 1,500 samples to 12,000, memory grows by less than a quarter of what these take."""
    folder = str(Path(atl_sklearn.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path / "X.npy"), str(N_SAMPLES)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        # Freed memory that fits keep would hide a part of what is copied.
        env={**os.environ, "MALLOC_TRIM_THRESHOLD_": "131072"},
    )
    assert done.returncode == 0, done.stderr
    grown = json.loads(done.stdout.splitlines()[-1])
    added = (N_SAMPLES - 1500) * 64 * 64 * 4 / 2**20
    assert grown.pop("a copy") > 0.8 * added  # what a copy looks like
    assert {name: mb for name, mb in grown.items() if mb > added / 4} == {}
