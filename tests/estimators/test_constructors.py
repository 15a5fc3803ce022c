"""One text and one list of arguments for classifier and regressor."""

import inspect

import pytest
import torch
from numpydoc.docscrape import ClassDoc

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor

CONFIG = {"show_class_members": False}


def entries(cls, section):
    found = ClassDoc(cls, config=CONFIG)[section]
    return {name: (entry.type, entry.desc) for entry in found for name in entry.name.split(", ")}


def test_the_regressor_is_described_as_the_classifier():
    ours = entries(AntiTransferRegressor, "Parameters")
    theirs = entries(AntiTransferClassifier, "Parameters")
    signature = list(inspect.signature(AntiTransferRegressor).parameters)
    assert [name.lstrip("*") for name in ours] == signature
    assert theirs.keys() - ours.keys() == {"class_weight", "classes"}
    of_its_own = {name for name in ours if ours[name] != theirs[name]}
    assert of_its_own == {"criterion", "lr", "predict_nonlinearity", "target_similarity"}


def test_so_are_its_attributes():
    ours = entries(AntiTransferRegressor, "Attributes")
    theirs = entries(AntiTransferClassifier, "Attributes")
    assert theirs == {**ours, "classes_": theirs["classes_"]}
    assert ClassDoc(AntiTransferRegressor, config=CONFIG)["Notes"]


@pytest.mark.parametrize("cls", [AntiTransferClassifier, AntiTransferRegressor])
def test_every_argument_arrives(cls):
    marks = {
        name: object()
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    marks |= {"module": torch.nn.Linear, "module__bias": True, "callbacks__valid_acc": None}
    net = cls(**{**marks, "device": "cpu"})
    for name, value in {**marks, "device": "cpu"}.items():
        assert net.get_params(deep=False).get(name, vars(net).get(name)) is value
