"""
The penalty in a loop of your own
=================================

You have a training loop in PyTorch and want to keep it. Then add two lines:
:class:`~atl_sklearn.AntiTransferLoss` compares activations, and
:class:`~atl_sklearn.unrelated.FrozenNetwork` returns those of a network that knows the nuisance.
"""

# %%
# Data, and a network that knows the nuisance
# -------------------------------------------

import numpy as np
import torch


def make_clips(n, agreement, seed):
    """Return clips, words and speakers, as tensors."""
    rng = np.random.default_rng(seed)
    speaker = rng.integers(2, size=n)
    word = np.where(rng.random(n) < agreement, speaker, 1 - speaker)
    X = rng.normal(size=(n, 10))
    X[:, :2] += 3 * np.eye(2)[speaker]
    X[:, 2:4] += 2 * np.eye(2)[word]
    return torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(word), torch.as_tensor(speaker)


X, word, _ = make_clips(300, 0.96, seed=0)
X_test, word_test, _ = make_clips(1000, 0.5, seed=1)
X_more, _, speaker_more = make_clips(300, 0.5, seed=2)


def make_network():
    """Return a small network."""
    return torch.nn.Sequential(torch.nn.Linear(10, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2))


# %%
# One loop for all
# ----------------
# ``features`` are the activations after the nonlinearity. The penalty is computed on clips that
# need no words.

from atl_sklearn import AntiTransferLoss


def train(X, y, *, frozen=None, weight=1.0, n_epochs=60):
    """Return a network, and the similarities by epoch."""
    torch.manual_seed(0)
    network, penalty = make_network(), AntiTransferLoss(weight=weight)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.01)
    similarities = []
    for _ in range(n_epochs):
        for batch in torch.randperm(len(X)).split(50):
            loss = torch.nn.functional.cross_entropy(network(X[batch]), y[batch])
            if frozen is not None:
                some = X_more[torch.randperm(len(X_more))[:96]]
                apart = penalty(network[:2](some), *frozen(some))
                loss = loss + apart.total
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if frozen is not None:
            similarities.append(apart.parts.item())
    return network, similarities


# %%
# The network of the speakers is trained first, and frozen.

from atl_sklearn.unrelated import FrozenNetwork

knows_speaker, _ = train(X_more, speaker_more, n_epochs=20)
frozen = FrozenNetwork(knows_speaker.eval())
frozen.choose("last", X[:2])

plain, _ = train(X, word)
anti, similarities = train(X, word, frozen=frozen)

# %%
# What came of it
# ---------------

import matplotlib.pyplot as plt

with torch.no_grad():
    scores = [
        (network(X_test).argmax(dim=1) == word_test).float().mean().item()
        for network in (plain, anti)
    ]
figure, axes = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
axes[0].plot(similarities)
axes[0].set(xlabel="epoch", ylabel="similarity to the frozen network", ylim=0)
axes[1].bar_label(axes[1].bar(["plain", "anti-transfer"], scores), fmt="%.2f")
axes[1].set(title="accuracy, speakers independent", ylim=(0.5, 1))
