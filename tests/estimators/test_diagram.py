"""The diagram that notebooks show."""

import re
from email.message import Message
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from torch import nn

import atl_sklearn.audio
import atl_sklearn.tuning
from atl_sklearn import AntiTransferClassifier, _documentation


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


def every_estimator():
    """Return the public classes that are drawn, found rather than listed."""
    found = {}
    for package in (atl_sklearn, atl_sklearn.audio, atl_sklearn.tuning):
        for name in package.__all__:
            value = getattr(package, name)
            if isinstance(value, type) and issubclass(value, BaseEstimator):
                found.setdefault(value, f"{package.__name__}.{name}")
    return found


def test_the_page_of_each_estimator_is_linked(monkeypatch):
    monkeypatch.setenv("ATL_SKLEARN_DOCS", "https://docs.example/stable/")
    pages = pages_of_the_reference()
    estimators = every_estimator()
    assert len(estimators) >= 9
    for estimator, name in estimators.items():
        link = estimator._get_doc_link(estimator.__new__(estimator))
        assert link == f"https://docs.example/stable/generated/{name}.html"
        assert name in pages


def pages_of_the_reference():
    """Return the names that autosummary makes a page of."""
    pages, module = set(), ""
    for line in (Path(__file__).parents[2] / "docs" / "api.rst").read_text().splitlines():
        if line.startswith(".. currentmodule::"):
            module = line.split()[-1]
        elif re.fullmatch(r"   [\w.]+", line):
            pages.add(f"{module}.{line.strip()}")
    return pages


def test_diagrams_have_the_link_where_there_is_an_address(monkeypatch, tmp_path):
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier())
    monkeypatch.delenv("ATL_SKLEARN_DOCS", raising=False)
    monkeypatch.setattr(_documentation, "_published_address", lambda: "")
    assert "AntiTransferClassifier.html" not in estimator_html_repr(net)
    for diagram in (AntiTransferClassifier(), net, make_pipeline(StandardScaler(), net)):
        monkeypatch.setenv("ATL_SKLEARN_DOCS", str(tmp_path / "html pages"))
        page = f"{tmp_path.as_uri()}/html%20pages/generated/atl_sklearn.AntiTransferClassifier.html"
        assert page in estimator_html_repr(diagram)


def test_the_address_that_the_package_was_published_with(monkeypatch):
    monkeypatch.delenv("ATL_SKLEARN_DOCS", raising=False)
    known = Message()
    known["Project-URL"] = "Source, https://source.example"
    known["Project-URL"] = "Documentation, https://docs.example"
    monkeypatch.setattr(_documentation, "metadata", lambda name: known)
    _documentation._published_address.cache_clear()
    try:
        link = AntiTransferClassifier()._get_doc_link()
    finally:
        _documentation._published_address.cache_clear()
    assert link == "https://docs.example/generated/atl_sklearn.AntiTransferClassifier.html"


def test_subclasses_of_users_have_no_page_here(monkeypatch):
    monkeypatch.setenv("ATL_SKLEARN_DOCS", "https://docs.example")
    own = type("Own", (AntiTransferClassifier,), {"__module__": "elsewhere"})
    assert own()._get_doc_link() == ""
