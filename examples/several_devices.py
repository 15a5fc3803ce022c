"""Several processes or GPUs
=========================

Train with anti-transfer in several processes, on several GPUs or on the cores of a CPU.

skorch's AccelerateMixin hands batches and gradients to Hugging Face's accelerate: each process
sees its share of every batch, and the gradients are averaged. In two processes on the CPU::

    pip install -e ".[distributed]"
    python examples/several_devices.py --processes 2

On a machine with several GPUs, ``accelerate launch --multi_gpu examples/several_devices.py``.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from accelerate import Accelerator, debug_launcher
from skorch.hf import AccelerateMixin

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.inspection import probe_score


class AcceleratedClassifier(AccelerateMixin, AntiTransferClassifier):
    """An AntiTransferClassifier whose processes share the work."""

    def _initialize_accelerator(self) -> Any:
        # On several CPUs accelerate would wrap the criterion too, which has no parameters.
        criteria = self._criteria
        self.__dict__["_criteria"] = []
        try:
            return super()._initialize_accelerator()
        finally:
            self.__dict__["_criteria"] = criteria

    def train_step_single(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        """Compute losses and gradients, with the penalty, under accelerate."""
        with self.accelerator.autocast():
            return AntiTransferClassifier.train_step_single(self, batch, **fit_params)

    def _backward(self, objective: Any) -> None:
        self.accelerator.backward(objective)


def make_data(n_samples: int, seed: int, agreement: float) -> tuple[np.ndarray, ...]:
    """Return features, a target, and a nuisance that agrees with it in a share of the samples."""
    rng = np.random.default_rng(seed)
    target = rng.integers(2, size=n_samples)
    nuisance = np.where(rng.random(n_samples) < agreement, target, 1 - target)
    X = rng.normal(size=(n_samples, 20)).astype(np.float32)
    X[:, :5] += 0.7 * target[:, None]
    X[:, 5:10] += 2 * nuisance[:, None]
    return X, target, nuisance


def train(epochs: int, cpu: bool) -> None:
    """Train plainly and with anti-transfer; say what a probe still reads."""
    accelerator = Accelerator(cpu=cpu)
    X, y, nuisance = make_data(1000, seed=0, agreement=0.9)
    X_unlabeled, _, _ = make_data(700, seed=1, agreement=0.5)
    X_test, y_test, nuisance_test = make_data(1000, seed=2, agreement=0.5)
    # The same seed in every process: it decides which samples make a batch.
    settings = {"max_epochs": epochs, "random_state": 0}
    unrelated = AntiTransferClassifier(device="cpu", **settings).fit(X, nuisance)
    for weight in (0.0, 2.0):
        net = AcceleratedClassifier(
            accelerator=accelerator,
            device=None,  # accelerate's to decide
            callbacks__print_log__sink=print,  # silent, as verbose is 0
            unrelated=unrelated,
            weight=weight,
            **settings,
        )
        net.fit(X, y, X_unlabeled=X_unlabeled)
        if accelerator.is_main_process:
            # The trained network in a plain estimator, which no other process waits for.
            plain = AntiTransferClassifier(device="cpu", **settings)
            plain.fit(X[:64], y[:64]).module_.load_state_dict(net.module_.state_dict())
            accuracy = np.mean(plain.predict(X_test) == y_test)
            read = probe_score(plain, X_test, nuisance_test)
            print(
                f"{accelerator.num_processes} processes, weight {weight:g}: accuracy "
                f"{accuracy:.3f}, nuisance read by a probe {read:.3f}",
                flush=True,
            )
        accelerator.wait_for_everyone()
    accelerator.end_training()


def main() -> None:
    """Train in this process, or in several on the CPU."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--processes", type=int, help="start so many on the CPU")
    options = parser.parse_args()
    if options.processes:
        debug_launcher(train, (options.epochs, True), num_processes=options.processes)
    else:
        train(options.epochs, cpu=False)


if __name__ == "__main__":
    main()
