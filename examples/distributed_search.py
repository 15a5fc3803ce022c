"""A grid over a cluster of Dask or Ray
====================================

A grid over a cluster: Dask or Ray, here on this machine with two processes.

Folds and candidates are joblib's tasks, which joblib's backend sends to the cluster. The frozen
network would be sent with each task; shared, it is sent to each process once. The size of a task
is printed, with and without, and what goes over the wire (the loopback interface of Linux; Ray
hands much over in shared memory).

::

    python examples/distributed_search.py                # Dask, 2 processes here
    python examples/distributed_search.py --backend ray
    python examples/distributed_search.py --address tcp://scheduler:8786   # Dask elsewhere
"""

import argparse
import os
import pickle
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
from sklearn.model_selection import GridSearchCV

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.tuning import anti_transfer_grid, share_network


def make_data():
    """Return X, a target and a nuisance that mostly agrees with it."""
    rng = np.random.RandomState(0)
    target = rng.randint(2, size=120)
    nuisance = np.where(rng.rand(120) < 0.8, target, 1 - target)
    X = rng.normal(size=(120, 20)).astype(np.float32)
    X[:, 0] += target
    X[:, 1] += 3 * nuisance
    return X, target, nuisance


def bytes_sent():
    """Return what went over the loopback interface so far; None where that cannot be told."""
    table = Path("/proc/net/dev")
    if not table.exists():
        return None
    line = next(line for line in table.read_text().splitlines() if line.strip().startswith("lo:"))
    return int(line.split()[9])


@contextmanager
def dask_cluster(address):
    """Yield where networks are shared, with Dask as joblib's backend."""
    from distributed import Client, LocalCluster

    if address is not None:
        with Client(address) as client, joblib.parallel_config("dask"):
            yield client
        return
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0
        ) as cluster,
        Client(cluster) as client,
        joblib.parallel_config("dask"),
    ):
        yield client


@contextmanager
def ray_cluster(address):
    """Yield where networks are shared, with Ray as joblib's backend."""
    # Ray replaces print, and what refers to the old one, as skorch's callbacks do, cannot be sent.
    os.environ.setdefault("RAY_TQDM_PATCH_PRINT", "0")
    import ray
    from ray.util.joblib import register_ray

    ray.init(address=address, **({} if address else {"num_cpus": 2, "include_dashboard": False}))
    register_ray()
    try:
        with tempfile.TemporaryDirectory() as folder, joblib.parallel_config("ray", n_jobs=2):
            yield folder  # on several machines: a folder that all of them see
    finally:
        ray.shutdown()


def main():
    """Search over the cluster that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--backend", choices=["dask", "ray"], default="dask")
    parser.add_argument("--address", default=None, help="of a cluster that runs already")
    options = parser.parse_args()

    X, target, nuisance = make_data()
    fast = {"max_epochs": 3, "random_state": 0}
    wide = {"module__hidden_layer_sizes": (1000, 1000)}
    unrelated = AntiTransferClassifier(**fast, **wide).fit(X, nuisance)

    cluster = dask_cluster if options.backend == "dask" else ray_cluster
    with cluster(options.address) as where:
        scores = {}
        for name in ("warm-up", "with each task", "shared"):
            source = share_network(unrelated, where) if name == "shared" else unrelated
            net = AntiTransferClassifier(unrelated=source, **fast)
            before, start = bytes_sent(), time.perf_counter()
            # A warm-up, since processes that begin import all that they need.
            grid = {"weight": [0]} if name == "warm-up" else anti_transfer_grid(net, X)
            search = GridSearchCV(net, grid, cv=4, refit=False, error_score="raise")
            search.fit(X, target)
            scores[name] = search.cv_results_["mean_test_score"]
            tasks = 4 * len(scores[name])
            size = len(pickle.dumps(net)) / 1e6
            sent = "" if before is None else f", {(bytes_sent() - before) / 1e6:.1f} MB sent"
            seconds = time.perf_counter() - start
            print(f"{name}: {tasks} fits in {seconds:.1f} s, estimator of {size:.2f} MB{sent}")
    np.testing.assert_array_equal(scores["shared"], scores["with each task"])
    print("the scores are the same")


if __name__ == "__main__":
    main()
