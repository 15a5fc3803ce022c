"""Equality with loops that build what is compared, explicitly."""

import itertools
import math

import numpy as np
import pytest
import torch

from atl_sklearn.similarity import (
    activation_similarity,
    get_aggregation_names,
    get_metric_names,
    is_batch_metric,
)


def channel_maps(x):
    return x.reshape(*x.shape[:2], -1)


def naive_rows(aggregation, a, b):
    """Return, for each sample, the rows of both sides."""
    a, b = channel_maps(a), channel_maps(b)
    n, channels = a.shape[:2]
    if aggregation == "pairwise":
        pairs = list(itertools.product(range(channels), repeat=2))
        return [
            (np.concatenate([a[i, c] for c, _ in pairs])[None],
             np.concatenate([b[i, d] for _, d in pairs])[None])
            for i in range(n)
        ]  # fmt: skip
    return list(zip(naive_side(aggregation, a), naive_side(aggregation, b), strict=True))


def naive_side(aggregation, x):
    x = channel_maps(x)
    n, channels, positions = x.shape
    if aggregation in ("none", "pairwise"):
        return list(x)
    if aggregation in ("mean", "sum", "max"):
        return [getattr(np, aggregation)(sample, axis=0)[None] for sample in x]
    if aggregation == "product":
        return [np.prod((sample + 1e-10) ** 0.001, axis=0)[None] for sample in x]
    if aggregation == "spatial_mean":
        return [sample.mean(axis=1)[None] for sample in x]
    if aggregation == "gram":
        return [sample @ sample.T / (channels * positions) for sample in x]
    assert aggregation == "batch_gram"
    rows = x.reshape(n * channels, positions)
    gram = np.array([[row @ other for other in rows] for row in rows])
    gram = gram / (n * channels * positions * 0.001)
    return list(gram.reshape(n, channels, n * channels))


def cosine_of(u, v):
    return u @ v / math.sqrt((u @ u) * (v @ v))


def naive_row_metric(metric, pairs):
    rows = [(u, v) for rows_a, rows_b in pairs for u, v in zip(rows_a, rows_b, strict=True)]
    if metric == "squared_cosine":
        return np.mean([abs(cosine_of(u, v)) for u, v in rows]) ** 2
    if metric == "cosine":
        return np.mean([cosine_of(u, v) for u, v in rows])
    return -1 / (1 + math.exp(-np.mean([np.mean((u - v) ** 2) for u, v in rows])))


def centred(kernel):
    n = len(kernel)
    h = np.eye(n) - 1 / n
    return h @ kernel @ h


def alignment(k, other):
    return np.sum(k * other) / math.sqrt(np.sum(k * k) * np.sum(other * other))


def distances_of(vectors):
    return np.array([[np.linalg.norm(u - v) for v in vectors] for u in vectors])


def naive_u_statistic(k, other):
    """Average the kernel of the covariance over all ordered quadruples of distinct samples."""
    return np.mean(
        [
            k[i, j] * (other[i, j] + other[m, o] - 2 * other[i, m])
            for i, j, m, o in itertools.permutations(range(len(k)), 4)
        ]
    )


def naive_batch_metric(metric, vectors, others):
    if metric == "cross_correlation":
        sides = [side - side.mean(axis=0) for side in (vectors, others)]
        # Features that hardly vary count as if they varied a little.
        u, v = (x / np.sqrt(x.var(axis=0) + 1e-3 * x.var(axis=0).mean()) for x in sides)
        return math.sqrt(np.mean([(f @ g / len(u)) ** 2 for f in u.T for g in v.T]))
    if metric == "ridge_r2":
        u, v = (side - side.mean(axis=0) for side in (vectors, others))
        variances = np.linalg.svd(u, compute_uv=False) ** 2
        ridge = 0.1 * np.sum(variances**2) / np.sum(variances)
        predicted = u @ np.linalg.solve(u.T @ u + ridge * np.eye(u.shape[1]), u.T @ v)
        return 1 - np.sum((v - predicted) ** 2) / np.sum(v**2)
    if metric == "debiased_cka":
        k, other = (centred(side @ side.T) for side in (vectors, others))
        if len(k) < 4:
            return 0.0
        variances = [
            max(naive_u_statistic(x, x), 0.01 * np.mean(x * x)) for x in (k, other)
        ]  # fmt: skip
        return naive_u_statistic(k, other) / math.sqrt(variances[0] * variances[1])
    if metric == "cka":
        return alignment(centred(vectors @ vectors.T), centred(others @ others.T))
    distances = [distances_of(side) for side in (vectors, others)]
    if metric == "hsic":
        return alignment(*(centred(np.exp(-(d**2) / (2 * np.mean(d**2)))) for d in distances))
    assert metric == "distance_correlation"
    return math.sqrt(alignment(*(centred(d) for d in distances)))


def make(shape, other=None, seed=0):
    rng = np.random.RandomState(seed)
    a, b = rng.normal(size=shape), rng.normal(size=other or shape)
    return np.abs(a) + 0.1 * a, np.abs(b) + 0.1 * b


COMBINATIONS = [
    (metric, name)
    for metric in get_metric_names()
    for name in get_aggregation_names()
    if metric != "adversarial"  # has parameters
    and (metric, name) != ("cross_correlation", "batch_gram")
]
DETERMINISTIC = [name for name in get_aggregation_names() if name != "stochastic_pairwise"]


@pytest.mark.parametrize("shape", [(5, 3, 2, 3), (4, 6, 2), (6, 4), (3, 2, 3, 2, 2)])
@pytest.mark.parametrize(
    ("metric", "aggregation"), [pair for pair in COMBINATIONS if pair[1] in DETERMINISTIC]
)
def test_every_combination_is_the_naive_loop(metric, aggregation, shape):
    a, b = make(shape)
    ours = activation_similarity(
        torch.tensor(a), torch.tensor(b), metric=metric, aggregation=aggregation
    ).item()
    if is_batch_metric(metric):
        sides = [
            np.stack([sample.ravel() for sample in naive_side(aggregation, x)]) for x in (a, b)
        ]
        # A product over channels hardly varies: cancellation costs digits.
        rtol = 1e-5 if aggregation == "product" else 1e-9
        assert ours == pytest.approx(naive_batch_metric(metric, *sides), rel=rtol)
    else:
        expected = naive_row_metric(metric, naive_rows(aggregation, a, b))
        assert ours == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("metric", ["cka", "hsic", "distance_correlation"])
@pytest.mark.parametrize("aggregation", DETERMINISTIC)
def test_different_shapes_are_compared_by_their_samples(metric, aggregation):
    a, b = make((7, 3, 4, 2), (7, 5, 6))
    ours = activation_similarity(
        torch.tensor(a), torch.tensor(b), metric=metric, aggregation=aggregation
    ).item()
    sides = [np.stack([sample.ravel() for sample in naive_side(aggregation, x)]) for x in (a, b)]
    rtol = 1e-5 if aggregation == "product" else 1e-9
    assert ours == pytest.approx(naive_batch_metric(metric, *sides), rel=rtol)


@pytest.mark.parametrize("aggregation", ["gram", "batch_gram"])
@pytest.mark.parametrize("metric", ["cosine", "sigmoid_mse"])
def test_gram_matrices_of_different_numbers_of_positions(metric, aggregation):
    a, b = make((4, 3, 5), (4, 3, 2))
    ours = activation_similarity(
        torch.tensor(a), torch.tensor(b), metric=metric, aggregation=aggregation
    ).item()
    pairs = zip(*(naive_side(aggregation, x) for x in (a, b)), strict=True)
    assert ours == pytest.approx(naive_row_metric(metric, pairs), rel=1e-10)


@pytest.mark.parametrize("metric", [n for n in get_metric_names() if n != "adversarial"])
def test_stochastic_pairwise_is_pairwise_on_a_run_of_channels(metric):
    a, b = make((5, 9, 4))
    found = set()
    for seed in range(40):
        ours = activation_similarity(
            torch.tensor(a), torch.tensor(b), metric=metric, aggregation="stochastic_pairwise",
            generator=torch.Generator().manual_seed(seed),
        ).item()  # fmt: skip
        found.add(round(ours, 12))
    runs = [[start % 9, (start + 1) % 9] for start in range(9)]
    expected = {
        round(
            activation_similarity(
                torch.tensor(a[:, run]), torch.tensor(b[:, run]), metric=metric,
                aggregation="pairwise",
            ).item(),
            12,
        )
        for run in runs
    }  # fmt: skip
    assert found == expected
