"""Quickstart, at full length
==========================

The networks of ``python -m atl_sklearn.quickstart``, with several seeds and a figure.

The *unrelated* network learns the nuisance (the pitch of a note, the speaker of a digit) on clips
of its own. The *plain* one learns the target (the timbre, the digit) on clips in which the
nuisance gives the target away. The *anti-transfer* ones learn from the very same clips, while they
are kept from resembling the unrelated network: on the training clips themselves, or on further
clips that need no labels.

All are then tested on clips in which target and nuisance are independent: how often is the
target right, and how well can the nuisance still be read from the features, by a probe?

::

    python examples/quickstart.py               # synthetic notes, nothing to download
    python examples/quickstart.py --data fsdd   # real speech (downloads 16 MB once)
"""

import argparse
import os
import time
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import make_pipeline

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import LibrosaFeatures, Standardizer
from atl_sklearn.datasets import fetch_fsdd, make_notes
from atl_sklearn.inspection import probe_score
from atl_sklearn.quickstart import fit_in_turn

COLORS = {
    "plain": "tab:gray",
    "anti-transfer": "tab:blue",
    "anti-transfer, unlabeled": "tab:orange",
}


@dataclass
class Clips:
    """Some clips: audio, what to predict, and what not to lean on."""

    audio: object
    target: np.ndarray
    nuisance: np.ndarray


@dataclass
class Task:
    """Sets of clips, and what turns audio into features."""

    title: str
    target_name: str
    nuisance_name: str
    unrelated: Clips
    train: Clips
    unlabeled: Clips
    test: Clips
    features: LibrosaFeatures


def load_notes():
    """Timbre of synthetic notes; in training each timbre plays almost only its own pitches."""

    def clips(n_samples, correlation, seed):
        notes = make_notes(n_samples, correlation=correlation, random_state=seed)
        return Clips(notes.data, notes.timbre, notes.pitch)

    return Task(
        title="Synthetic notes",
        target_name="timbre",
        nuisance_name="pitch",
        unrelated=clips(480, 0.0, 0),
        train=clips(240, 0.96, 1),
        unlabeled=clips(250, 0.0, 3),
        test=clips(480, 0.0, 2),
        features=LibrosaFeatures(sr=8000, duration=0.5, n_fft=256, hop_length=128, n_mels=40),
    )


def load_fsdd():
    """Spoken digits; in training each digit is spoken almost only by one speaker."""
    fsdd = fetch_fsdd()
    speakers = np.unique(fsdd.speaker)

    def clips(keep):
        return Clips(fsdd.paths[keep], fsdd.digit[keep], fsdd.speaker[keep])

    training = np.zeros(len(fsdd.paths), dtype=bool)
    for digit in range(10):
        main, other = (speakers[(digit + shift) % len(speakers)] for shift in (0, 1))
        of_digit = fsdd.digit == digit
        training |= of_digit & (fsdd.speaker == main) & (fsdd.take >= 16) & (fsdd.take < 40)
        training |= of_digit & (fsdd.speaker == other) & (fsdd.take == 16)
    return Task(
        title="Free Spoken Digit Dataset",
        target_name="digit",
        nuisance_name="speaker",
        unrelated=clips(fsdd.take >= 40),
        train=clips(training),
        unlabeled=clips((fsdd.take >= 12) & (fsdd.take < 16)),
        test=clips(fsdd.take < 8),
        features=LibrosaFeatures(
            sr=8000, duration=0.57, n_fft=256, win_length=200, hop_length=96, n_mels=40
        ),
    )


def compare(task, n_seeds):
    """Train the networks; return for each seed their rows of the table and the histories."""
    print("reading the clips", flush=True)
    front = make_pipeline(task.features, Standardizer()).fit(task.train.audio)
    X_unrelated, X_train, X_unlabeled, X_test = (
        front.transform(clips.audio)
        for clips in (task.unrelated, task.train, task.unlabeled, task.test)
    )

    def row(net, labels):
        return net.score(X_test, labels), probe_score(net, X_test, task.test.nuisance)

    print(f"fitting the unrelated network, which learns the {task.nuisance_name}", flush=True)
    unrelated = AntiTransferClassifier(random_state=0)
    unrelated.fit(X_unrelated, task.unrelated.nuisance)
    knows = row(unrelated, task.test.nuisance)

    results = []
    for seed in range(n_seeds):
        nets = {}
        for name, net in fit_in_turn(
            unrelated, X_train, task.train.target, X_unlabeled, random_state=seed
        ):
            nets[name] = net
            accuracy = net.score(X_test, task.test.target)
            print(f"seed {seed + 1} of {n_seeds}, {name}: {accuracy:.3f}", flush=True)
        rows = {name: row(net, task.test.target) for name, net in nets.items()}
        results.append(({"unrelated": knows, **rows}, nets))
    return results


def print_table(task, results):
    """Print means over the seeds, with their standard deviation."""
    chance = 1 / len(np.unique(task.test.nuisance))
    print(
        f"\n{task.title}: {len(task.train.target)} training clips in which the "
        f"{task.nuisance_name} gives the {task.target_name} away,\n"
        f"{len(task.test.target)} test clips in which it does not; "
        f"mean and standard deviation of {len(results)} seeds\n"
    )
    headings = ("network", "learns", "test accuracy", f"{task.nuisance_name} read by a probe")
    print("  ".join(h.ljust(w) for h, w in zip(headings, (24, 8, 15, 0), strict=True)))
    for name in ("unrelated", *COLORS):
        values = np.array([rows[name] for rows, _ in results])
        learns = task.nuisance_name if name == "unrelated" else task.target_name
        cells = [
            f"{mean:.3f} +- {spread:.3f}"
            for mean, spread in zip(values.mean(axis=0), values.std(axis=0), strict=True)
        ]
        print(f"{name:24}  {learns:8}  {cells[0]}  {cells[1]}")
    print(f"\n(a probe that reads nothing has {chance:.3f})")


def save_figure(task, results, path):
    """Draw the loss of the task and the similarity by epoch, and the test figures."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for _, nets in results:
        for name, net in nets.items():
            epochs = np.arange(1, len(net.history) + 1)
            left.plot(epochs, net.history[:, "train_loss"], color=COLORS[name], alpha=0.7)
            if name != "plain":
                penalty = net.history[:, "train_penalty"]
                left.plot(epochs, penalty, color=COLORS[name], alpha=0.7, linestyle=":")
    left.plot([], [], color="k", label="loss of the task")
    left.plot([], [], color="k", linestyle=":", label="similarity")
    left.set(xlabel="epoch", title="Training")
    left.legend(fontsize=8)

    places = np.arange(2)
    for offset, name in zip((-0.26, 0, 0.26), COLORS, strict=True):
        values = np.array([rows[name] for rows, _ in results])
        right.bar(
            places + offset,
            values.mean(axis=0),
            yerr=values.std(axis=0),
            width=0.24,
            capsize=3,
            label=name,
            color=COLORS[name],
        )
    right.axhline(
        1 / len(np.unique(task.test.nuisance)), color="k", linestyle=":", linewidth=1,
        label="chance, probe",
    )  # fmt: skip
    right.set_xticks(
        places, [f"accuracy\n({task.target_name})", f"probe accuracy\n({task.nuisance_name})"]
    )
    right.set(ylim=(0, 1.35), yticks=np.linspace(0, 1, 6), title="Test clips, not confounded")
    right.legend(fontsize=8, loc="upper center", ncols=2)
    figure.suptitle(task.title)
    figure.savefig(path, dpi=150)


def main():
    """Run the comparison that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--data", choices=["notes", "fsdd"], default="notes")
    parser.add_argument("--seeds", type=int, default=3, help="how often both are trained")
    parser.add_argument(
        "--figure", default=None, help="where the figure is saved; quickstart_DATA.png beside this"
    )
    options = parser.parse_args()
    folder = os.path.dirname(os.path.abspath(__file__))
    path = options.figure or os.path.join(folder, f"quickstart_{options.data}.png")

    start = time.perf_counter()
    task = load_fsdd() if options.data == "fsdd" else load_notes()
    results = compare(task, options.seeds)
    print_table(task, results)
    save_figure(task, results, path)
    print(f"figure: {path}\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
