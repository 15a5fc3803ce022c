"""The diagram that notebooks show."""

import re

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from torch import nn

from atl_sklearn import AntiTransferClassifier


def texts(estimator):
    page = estimator_html_repr(estimator)
    page = page[page.rindex("</style>") :]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_the_unrelated_task_is_a_block_of_its_own():
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(max_epochs=7), weight=0.5)
    label = (
        "unrelated: AntiTransferClassifier ({}, layer last, metric cross_correlation, weight 0.5)"
    )
    assert label.format("not fitted") in texts(net)
    X, y = np.random.RandomState(0).normal(size=(20, 3)), np.arange(20) % 2
    other = AntiTransferClassifier(max_epochs=1).fit(X, y)
    net.set_params(unrelated=other, max_epochs=1).fit(X, y)
    assert label.format("fitted") in texts(make_pipeline(StandardScaler(), net))


@pytest.mark.parametrize(
    ("unrelated", "expected"),
    [
        (None, "AntiTransferClassifier"),
        (nn.Linear(3, 2), "unrelated: Linear (fitted, layer last"),
        ("labels", "unrelated: labels (layer last"),
    ],
)
def test_whatever_is_unrelated_is_shown(unrelated, expected):
    shown = texts(AntiTransferClassifier(unrelated=unrelated))
    assert expected in shown
    assert ("unrelated: " in shown) == (unrelated is not None)


def test_several_are_beside_each_other():
    net = AntiTransferClassifier(
        unrelated=[nn.Linear(3, 2), AntiTransferClassifier()], weight=[0.25, "auto"]
    )
    shown = texts(net)
    assert "unrelated: Linear (fitted, layer last, metric cross_correlation, weight 0.25)" in shown
    assert "metric cross_correlation, weight auto)" in shown
