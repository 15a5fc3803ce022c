"""A pretrained speaker encoder
============================

A pretrained speaker encoder as the unrelated network, without the label of any speaker.

In the training clips each spoken digit is said almost only by one speaker. The *plain* network
leans on voices. Resemblyzer ships a speaker encoder [1], which was trained by others on thousands
of other voices, and turns a clip into 256 numbers. Avoiding all of these (*embedding*) helps, but
some of them say something of the digit too. So `find_groups` looks for the groups that further
clips, without labels, form for the encoder, which are their speakers; avoiding which group a clip
belongs to (*groups*) leaves the digit alone.

The two networks get different inputs: the encoder is given as `X_unrelated` the mel spectrogram
that it was made for.

::

    pip install --no-deps resemblyzer     # for its weights; nothing of it is imported
    python examples/pretrained_speaker.py

The Free Spoken Digit Dataset (16 MB) is downloaded if it is not there.

[1] L. Wan, Q. Wang, A. Papir, I. Lopez Moreno, "Generalized end-to-end loss for speaker
    verification", ICASSP 2018; https://github.com/resemble-ai/Resemblyzer.
"""

import argparse
import importlib.util
import time
from pathlib import Path

import numpy as np
import torch

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import LibrosaFeatures
from atl_sklearn.datasets import fetch_fsdd
from atl_sklearn.inspection import probe_score
from atl_sklearn.unrelated import find_groups

# What the digits are learnt from, and what the encoder takes.
SPECTROGRAM = LibrosaFeatures(
    sr=8000, duration=0.57, n_fft=256, win_length=200, hop_length=96, n_mels=40
)
ENCODER_INPUT = LibrosaFeatures(
    "mel", sr=16000, duration=1.0, pad="wrap", normalize="rms", n_fft=400, hop_length=160, n_mels=40
)
LOUDNESS = 10 ** (-30 / 10)  # the power of the clips that the encoder was trained on


class SpeakerEncoder(torch.nn.Module):
    """Resemblyzer's network with its weights."""

    def __init__(self):
        super().__init__()
        self.lstm = torch.nn.LSTM(40, 256, num_layers=3, batch_first=True)
        self.linear = torch.nn.Linear(256, 256)
        found = importlib.util.find_spec("resemblyzer")
        if found is None:
            raise ImportError(
                "This example needs the weights in Resemblyzer: pip install --no-deps resemblyzer"
            )
        path = Path(found.submodule_search_locations[0]) / "pretrained.pt"
        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        self.load_state_dict({name: state[name] for name in self.state_dict()})
        self.eval()

    def forward(self, mel):
        """Return an array (n_clips, 256) for power spectrograms (n_clips, 40, n_frames)."""
        _, (states, _) = self.lstm(LOUDNESS * mel.transpose(1, 2))
        return torch.nn.functional.normalize(self.linear(states[-1]).relu())


def load_clips():
    """Return the spectrograms, what the encoder takes, and what is known of each clip."""
    fsdd = fetch_fsdd()
    return {
        "X": SPECTROGRAM.fit_transform(fsdd.paths),
        "mel": ENCODER_INPUT.fit_transform(fsdd.paths),
        "digit": fsdd.digit,
        "speaker": np.unique(fsdd.speaker, return_inverse=True)[1],
        "take": fsdd.take,
    }


def split(clips, fold):
    """Return which clips are for training, are unlabeled, and are for the test.

    Of the 25 training clips of a digit, 24 are by its main speaker; digits and speakers are
    independent in the others.
    """
    digit, speaker, take = clips["digit"], clips["speaker"], clips["take"]
    rng = np.random.RandomState(5000 + fold)
    main = np.r_[rng.permutation(6), rng.permutation(6)[:4]]
    rng.shuffle(main)
    train = np.zeros(len(digit), dtype=bool)
    for d in range(10):
        other = rng.permutation([s for s in range(6) if s != main[d]])[0]
        said = digit == d
        train |= said & (speaker == main[d]) & (take >= 16) & (take < 40)
        train |= said & (speaker == other) & (take == 16)
    return {"train": train, "unlabeled": (take >= 12) & (take < 16), "test": take < 8}


def compare(clips, folds, encoder, methods=("plain", "embedding", "groups"), max_epochs=30):
    """Return the accuracy, and how well a probe reads the speaker, by method and fold."""
    rows = {name: [] for name in methods}
    for fold in folds:
        parts = {
            name: {key: values[keep] for key, values in clips.items()}
            for name, keep in split(clips, fold).items()
        }
        train, unlabeled, test = parts["train"], parts["unlabeled"], parts["test"]
        for name, found in rows.items():
            net = AntiTransferClassifier(max_epochs=max_epochs, random_state=0)
            data = {}
            if name != "plain":
                groups = name == "groups"
                net.unrelated = find_groups(encoder, unlabeled["mel"]) if groups else encoder
                net.unrelated_layer = "output"
                data = {
                    "X_unlabeled": unlabeled["X"],
                    "X_unrelated": train["mel"],
                    "X_unrelated_unlabeled": unlabeled["mel"],
                }
            net.fit(train["X"], train["digit"], **data)
            read = probe_score(net, test["X"], test["speaker"])
            found.append((net.score(test["X"], test["digit"]), read))
    return {name: np.array(found) for name, found in rows.items()}


def main():
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--folds", type=int, default=4, help="how many assignments of speakers")
    options = parser.parse_args()
    start = time.perf_counter()
    encoder = SpeakerEncoder()
    results = compare(load_clips(), range(options.folds), encoder)
    print("method      accuracy, digit   speaker read by a probe")
    for name, found in results.items():
        accuracy, read = found.mean(axis=0)
        print(f"{name:11} {accuracy:.3f}             {read:.3f}")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
