"""Agreement with values recorded from the published loss."""

import numpy as np
import pytest
import torch

from atl_sklearn.similarity import activation_similarity

CASES = [
    "relu", "relu_wide", "relu_deep", "signed", "single_sample", "identical", "scaled_small",
    "scaled_large",
]  # fmt: skip
# Published name to ours.
AGGREGATIONS = {
    "none": "none",
    "mean": "mean",
    "sum": "sum",
    "max": "max",
    "mul_comp": "product",
    "gram": "batch_gram",
    "pairwise": "pairwise",
}
METRICS = {"cos_squared": "squared_cosine", "mse_sigmoid": "sigmoid_mse"}


@pytest.fixture(scope="module")
def published(reference_folder):
    with np.load(reference_folder / "published_loss.npz") as values:
        return dict(values)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_value_and_gradient_are_the_published_ones(case, aggregation, metric, published):
    key = f"{case}/{aggregation}/{metric}"
    if f"{key}/value" not in published:
        assert (case, aggregation) == ("signed", "mul_comp")  # roots of negative numbers
        return
    current = torch.tensor(published[f"{case}/current"], requires_grad=True)
    unrelated = torch.tensor(published[f"{case}/unrelated"])
    value = activation_similarity(
        current, unrelated, metric=METRICS[metric], aggregation=AGGREGATIONS[aggregation]
    )
    value.backward()
    np.testing.assert_allclose(value.item(), published[f"{key}/value"], rtol=1e-6, atol=0)

    gradient, expected = current.grad.numpy(), published[f"{key}/gradient"]
    if aggregation == "mul_comp":
        # The published gradient explodes at zeros; ours is bounded there.
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() < 1
        positive = published[f"{case}/current"] > 1e-5
        gradient, expected = gradient[positive], expected[positive]
    # Identical activations have no gradient: what was recorded there is rounding, below 1e-15.
    largest = np.abs(expected).max(initial=0)
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6 * largest + 1e-15)


def test_the_whole_grid_was_recorded(published):
    found = {key.rsplit("/", 1)[0] for key in published if key.endswith("/value")}
    missing = {
        f"{case}/{aggregation}/{metric}"
        for case in CASES
        for aggregation in AGGREGATIONS
        for metric in METRICS
    } - found
    assert missing == {"signed/mul_comp/cos_squared", "signed/mul_comp/mse_sigmoid"}
