import numpy as np
import pytest
from torch import nn

from atl_sklearn.estimators import confounding
from atl_sklearn.inspection import confounding_report


@pytest.fixture(scope="module")
def confounded():
    """Return words that go along with the speaker in 19 of 20 samples."""
    speaker = np.arange(200) % 2
    word = speaker.copy()
    word[:10] = 1 - word[:10]
    return word, speaker


def test_the_share_is_what_the_automatic_weight_measures(confounded):
    word, speaker = confounded
    found = confounding_report(word, speaker, n_resamples=30)
    assert found.share == pytest.approx(confounding(np.eye(2)[speaker], word))
    assert found.low < found.share < found.high
    assert found.n_contradicting == 10 and found.n_classes == 2


def test_what_is_recommended_follows_the_numbers(confounded):
    word, speaker = confounded
    few = confounding_report(word, speaker, n_resamples=5)
    assert "X_unlabeled" in few.recommendation[0] and "at least 192" in few.recommendation[0]
    assert "are 0.3 and 1 here" in few.recommendation[1]
    assert len(few.recommendation) == 2
    fewer = confounding_report(np.r_[word[8:], 0, 1], np.r_[speaker[8:], 0, 1], n_resamples=5)
    assert "Only 2 samples contradict" in fewer.recommendation[2]
    many = confounding_report(word, speaker, X_unlabeled=np.zeros((300, 2)), n_resamples=5)
    assert many.recommendation[0].startswith("Pass the 300 samples")
    assert "are 1 and 0 here" in many.recommendation[1]
    assert (many.weight, many.product_of_experts) == (1, 0)
    rng = np.random.default_rng(0)
    free = confounding_report(rng.integers(2, size=400), rng.integers(2, size=400), n_resamples=5)
    assert "not confounded" in free.recommendation[0] and len(free.recommendation) == 1
    for report in (few, fewer, many, free):
        assert all(text in repr(report) for text in report.recommendation)
        assert "<li>" in report._repr_html_()


def test_features_that_know_the_target_are_seen(confounded):
    word, speaker = confounded
    X = np.stack([word, speaker, np.arange(200) / 200], axis=1).astype("float32")
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    nn.init.eye_(network[0].weight)
    nn.init.zeros_(network[1].weight)
    nn.init.zeros_(network[1].bias)
    mixed = word.copy()
    rng = np.random.default_rng(0)
    mixed[rng.permutation(200)[:60]] ^= 1  # the label says less of it
    X[:, 0] = mixed
    found = confounding_report(mixed, speaker, X=X, unrelated=network, n_resamples=5)
    assert found.posterior_share == 0 and found.feature_share > 0.99
    assert "unrelated_layer='posterior'" in found.recommendation[-1]


def test_networks_without_answers_have_features(confounded):
    class TwoParts(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            nn.init.eye_(self.layer.weight)

        def forward(self, x):
            return {"a": self.layer(x), "b": x}

    word, speaker = confounded
    X = np.stack([word, np.arange(200) / 200], axis=1).astype("float32")
    found = confounding_report(
        word, speaker, X=X, unrelated=TwoParts(), layer="layer", n_resamples=5
    )
    assert found.posterior_share is None and found.feature_share > 0.99
    assert "network's features explain 1.000" in repr(found)
    assert "posterior" not in repr(found)


def test_numbers_are_targets_and_labels_too():
    a = np.random.default_rng(0).normal(size=200)
    found = confounding_report(a + 1, 3 * a, n_resamples=5)
    assert found.share > 0.99 and found.n_contradicting == 0


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"y": [0] * 200}, "y has one label only"),
        ({"y_unrelated": [0] * 200}, "y_unrelated has one label only"),
        ({"y_unrelated": [1] + [0] * 199}, "groups of a single sample"),
        ({"y_unrelated": [0, 1]}, r"shape \(200,\)"),
        ({"X": np.zeros((201, 1))}, "a row for each of the 200 samples of y. Got 201"),
        ({"unrelated": nn.Linear(1, 1)}, "'unrelated' parameter .* together with X"),
        ({"n_resamples": 0}, "'n_resamples' parameter"),
    ],
)
def test_what_cannot_be_is_refused(confounded, change, match):
    word, speaker = confounded
    with pytest.raises(ValueError, match=match):
        confounding_report(**{"y": word, "y_unrelated": speaker, **change})
