"""Compiled networks, and what is read of their layers."""

import shutil

import numpy as np
import pytest
import torch

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.unrelated import ActivationHooks
from atl_sklearn.unrelated._hooks import HookPoint

FAST = {"max_epochs": 1, "random_state": 0, "batch_size": -1}


@pytest.fixture(autouse=True)
def nothing_compiled():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def _penalties_after_a_plain_fit(tabular, unrelated, **parameters):
    """Return the penalties of a compiled network, and of one that is not."""
    X, y, _ = tabular
    compiled = {"compile": True, **parameters, **FAST}
    AntiTransferClassifier(**compiled).fit(X, y)
    nets = [
        AntiTransferClassifier(unrelated=unrelated, **settings).fit(X, y)
        for settings in (compiled, FAST)
    ]
    return [net.history[:, "train_penalty"] for net in nets]


# torch says so where one compiles with Python 3.13.0.
pytestmark = pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0")

# torch's compiler looks at the gradients of whatever a compiled criterion is given.
LOOKS = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")


@LOOKS
def test_a_network_like_another_one_that_was_compiled(tabular, unrelated):
    # "eager" traces as the default does, and compiles nothing.
    found, expected = _penalties_after_a_plain_fit(tabular, unrelated, compile__backend="eager")
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@LOOKS
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method")  # torch's own
@pytest.mark.skipif(shutil.which("g++") is None, reason="the default backend needs g++")
def test_the_default_backend(tabular, unrelated):
    found, expected = _penalties_after_a_plain_fit(tabular, unrelated)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_what_is_compiled_may_write_into_its_results():
    def writing(graph, inputs):  # as the default backend does
        def run(*arguments):
            outputs = graph(*arguments)
            with torch.no_grad():
                for output in outputs:
                    output.add_(0)
            return outputs

        return run

    network = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh())
    hooks = ActivationHooks(network, [HookPoint("0")])
    X = torch.ones(2, 4)
    with hooks.read(), torch.no_grad():
        torch.compile(network, backend=writing)(X)
    torch.testing.assert_close(hooks.activations()[0], network[0](X))
    hooks.remove()
