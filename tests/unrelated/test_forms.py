"""Networks that are no plain modules: scripted, exported, in ONNX files, quantised, lazy."""

import copy
import pickle
import sys
import warnings

import networks
import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from atl_sklearn import AntiTransferClassifier, list_layers, load, save
from atl_sklearn.tuning import share_network
from atl_sklearn.unrelated import FrozenNetwork, OnnxNetwork

X = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
Y = np.arange(40) % 2


def read(network, layer, X=X):
    frozen = FrozenNetwork(network)
    frozen.choose(layer, X)
    return frozen(X)[0]


def fitted(unrelated, **params):
    params = {
        "max_epochs": 1, "random_state": 0, "unrelated_layer": "output", "weight": 1.0,
    } | params  # fmt: skip
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*far from converged")
        return AntiTransferClassifier(unrelated=unrelated, **params).fit(X.numpy(), Y)


def penalty(unrelated, **params):
    return fitted(unrelated, **params).history[-1, "train_penalty"]


def scripted(network):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit")  # is deprecated
        return torch.jit.script(network)


def traced(network):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit")
        return torch.jit.trace(network, X[:3])


def exported(network, n_samples=None):
    torch.compiler.reset()  # torch before 2.8 exports eight networks at most
    shapes = None if n_samples else ({0: torch.export.Dim("n")},)
    return torch.export.export(network, (X[: n_samples or 3],), dynamic_shapes=shapes)


def quantized(network):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is about to move it
        return torch.ao.quantization.quantize_dynamic(network, {nn.Linear, nn.LSTM})


def written(network, path):
    """Write a network of one linear layer, whose weights lie beside, to an ONNX file."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    weight, bias = (x.detach().numpy() for x in (network.weight.T, network.bias))
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gemm", ["x", "w", "b"], ["y"])], "graph",
        [onnx.helper.make_tensor_value_info("x", 1, ["n", 6])],
        [onnx.helper.make_tensor_value_info("y", 1, ["n", 2])],
        [onnx.numpy_helper.from_array(weight, "w"), onnx.numpy_helper.from_array(bias, "b")],
    )  # fmt: skip
    opset = onnx.helper.make_opsetid("", 20)
    model = onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9)
    onnx.save(model, path, save_as_external_data=True, size_threshold=0, location="beside")
    return str(path)


FORMS = {
    "scripted": scripted,
    "traced": traced,
    "wrapped": lambda network: nn.Sequential(scripted(network)),
    "module of a program": lambda network: exported(network).module(),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_they_return_needs_no_hooks(form):
    plain = networks.mlp()
    network = FORMS[form](plain)
    torch.testing.assert_close(read(network, "output"), plain(X))
    torch.testing.assert_close(read(network, "posterior"), plain(X).softmax(dim=1))
    assert penalty(network) == pytest.approx(penalty(plain), rel=1e-4)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layer", ["last", "task", 0, "0.0"])
def test_their_layers_are_refused_with_the_reason(form, layer):
    network = FORMS[form](networks.mlp())
    reason = "TorchScript" if "program" not in form else "made by torch.export"
    with pytest.raises(ValueError, match=reason):
        fitted(network, unrelated_layer=layer)
    assert reason in str(list_layers(network, X))


def test_other_layers_around_torchscript_can_be_named():
    network = nn.Sequential(nn.Linear(6, 4), scripted(networks.mlp(4)))
    torch.testing.assert_close(read(network, "0"), network[0](X))
    with pytest.raises(ValueError, match="cannot tell which layer is the last"):
        read(network, "last")


def test_torchscript_cannot_be_compared_while_it_is_trained():
    network = scripted(networks.mlp())
    with pytest.raises(ValueError, match="TorchScript cannot be compared while it is trained"):
        fitted(networks.mlp(), module=network, layer="output")
    assert fitted(None, module=network).score(X.numpy(), Y) > 0


def test_exported_programs_are_modules():
    plain = networks.mlp()
    program = exported(plain)
    net = fitted(program)
    assert net.history[-1, "train_penalty"] == pytest.approx(penalty(plain), rel=1e-4)
    assert clone(net).unrelated is program
    assert "ExportedProgram" in net._repr_html_()
    assert fitted([program, plain]).unrelated_[0] is net.unrelated_
    assert "torch.export" in str(list_layers(program, X))


@pytest.mark.parametrize("make", [scripted, exported])
def test_estimators_that_hold_them_pickle(make):
    net = fitted([make(networks.mlp())])
    for other in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert type(other.unrelated[0]) is type(net.unrelated[0])
        torch.testing.assert_close(other.unrelated_[0](X), net.unrelated_[0](X))
        assert penalty(other.unrelated[0]) == penalty(net.unrelated[0])


class Flat(nn.Module):
    """What is exported of it has the number of samples in its operations."""

    def forward(self, x):
        return x.unsqueeze(-1).reshape(len(x), -1)


def test_exported_for_one_number_of_samples():
    network = nn.Sequential(Flat(), networks.mlp()).eval()
    with pytest.raises(ValueError, match="dynamic_shapes"):
        fitted(exported(network, n_samples=8))


def test_exported_in_training_mode():
    network = nn.Sequential(nn.Linear(6, 4), nn.Dropout()).train()
    with pytest.raises(ValueError, match=r"exported in training mode.*Call eval\(\)"):
        fitted(exported(network))


class TestOnnx:
    def test_its_output_is_compared(self, tmp_path):
        plain = networks.seeded(lambda: nn.Linear(6, 2))
        path = written(plain, tmp_path / "encoder.onnx")
        network = OnnxNetwork(path)
        (tmp_path / "beside").unlink()  # all was read
        torch.testing.assert_close(network(X), plain(X))
        torch.testing.assert_close(read(network, "posterior"), plain(X).softmax(dim=1))
        torch.testing.assert_close(network(x=X.double()), plain(X))
        for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
            assert torch.equal(other(X), network(X))
        assert penalty(network) == pytest.approx(penalty(plain), rel=1e-4)

    def test_by_its_path(self, tmp_path):
        plain = networks.seeded(lambda: nn.Linear(6, 2))
        path = written(plain, tmp_path / "encoder.onnx")
        net = fitted(path)
        assert isinstance(net.unrelated_, OnnxNetwork)
        assert clone(net).unrelated == path
        assert net.history[-1, "train_penalty"] == penalty(OnnxNetwork(path))
        with pytest.raises(FileNotFoundError, match=r"no ONNX file '.*other\.onnx'"):
            fitted(str(tmp_path / "other.onnx"))

    @pytest.mark.parametrize("include_unrelated", [True, False])
    def test_files_of_estimators(self, tmp_path, include_unrelated):
        plain = networks.seeded(lambda: nn.Linear(6, 2))
        path = written(plain, tmp_path / "encoder.onnx")
        file = tmp_path / "net.safetensors"
        save(fitted(path), file, include_unrelated=include_unrelated)
        assert load(file).unrelated == path  # which is where it was
        save(fitted(OnnxNetwork(path)), file, include_unrelated=include_unrelated)
        if include_unrelated:
            torch.testing.assert_close(load(file).unrelated(X), plain(X))
        else:
            with pytest.raises(ValueError, match="did not travel with the file"):
                load(file).fit(X.numpy(), Y)

    def test_its_activations_are_kept_by_its_content(self, tmp_path):
        plain = networks.seeded(lambda: nn.Linear(6, 2))
        memory, elsewhere = tmp_path / "memory", tmp_path / "elsewhere"
        elsewhere.mkdir()
        fitted(written(plain, tmp_path / "encoder.onnx"), memory=memory)
        fitted(written(plain, elsewhere / "same.onnx"), memory=memory)
        assert len(list(memory.glob("joblib/atl_sklearn/activations/*"))) == 1
        with torch.no_grad():
            plain.bias += 1
        fitted(written(plain, tmp_path / "encoder.onnx"), memory=memory)
        assert len(list(memory.glob("joblib/atl_sklearn/activations/*"))) == 2

    def test_it_is_shared(self, tmp_path):
        path = written(nn.Linear(6, 2), tmp_path / "encoder.onnx")
        shared = share_network(path, tmp_path)
        assert penalty(shared) == penalty(path)

    @pytest.mark.parametrize("layer", ["last", 0, "layer", "task"])
    def test_its_layers_are_refused_with_the_reason(self, layer, tmp_path):
        network = OnnxNetwork(written(nn.Linear(6, 2), tmp_path / "encoder.onnx"))
        with pytest.raises(ValueError, match="an ONNX file has no layers"):
            fitted(network, unrelated_layer=layer)

    def test_what_it_cannot_take(self, tmp_path):
        network = OnnxNetwork(written(nn.Linear(6, 2), tmp_path / "encoder.onnx"))
        with pytest.raises(ValueError, match=r"takes the inputs \['x'\]"):
            network(X, X)
        with pytest.raises(ValueError, match="cannot be run"):
            network(X[:, :3])

    def test_several_outputs_and_a_fixed_number_of_samples(self, tmp_path):
        onnx = pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        made = onnx.parser.parse_model(
            '<ir_version: 9, opset_import: ["": 20]> graph (float[4, 2] x)'
            " => (float[4, 2] logits, float[4, 2] other)"
            "{ logits = Neg (x) other = Softmax (x) }"
        )
        onnx.save(made, tmp_path / "two.onnx")
        network = OnnxNetwork(tmp_path / "two.onnx")
        assert torch.equal(read(network, "output", X[:4, :2]), -X[:4, :2])
        assert read(network, "output.other", X[:4, :2]).shape == (4, 2)
        with pytest.raises(ValueError, match="takes 4 samples at a time"):
            network(X[:3, :2])

    def test_what_is_no_onnx_file(self, tmp_path):
        pytest.importorskip("onnxruntime")
        path = tmp_path / "text.onnx"
        path.write_text("text")
        with pytest.raises(ValueError, match="cannot be read as an ONNX file"):
            OnnxNetwork(path)

    def test_without_the_library(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(ImportError, match=r"atl_sklearn\[onnx\]"):
            OnnxNetwork(tmp_path / "encoder.onnx")


class TestQuantized:
    def test_it_is_avoided_like_others(self):
        plain = networks.mlp()
        network = quantized(plain)
        assert [layer.kind for layer in list_layers(network, X)] == [
            "linear",
            "nonlinearity",
            "linear",
        ]
        for layer in ("last", 0, "output", "task"):
            assert penalty(network, unrelated_layer=layer) == pytest.approx(
                penalty(plain, unrelated_layer=layer), rel=0.1
            )

    def test_recurrent_layers(self):
        network = quantized(networks.seeded(networks.Recurrent))
        sounds = torch.randn(4, 6, 9, generator=torch.Generator().manual_seed(0))
        assert read(network, "last", sounds).shape == (4, 5, 9)

    def test_tensors_of_integers_become_numbers(self):
        class Rounding(nn.Module):
            def forward(self, x):
                return torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)

        found = read(nn.Sequential(Rounding(), nn.Identity()), "0")
        torch.testing.assert_close(found, X.clamp(-12.8, 12.7), atol=0.051, rtol=0)

    def test_it_cannot_be_trained(self):
        with pytest.raises(ValueError, match=r"(?s)'module' parameter .* is quantised"):
            fitted(None, module=quantized(networks.mlp()))


def test_an_exported_network_cannot_be_trained():
    with pytest.raises(ValueError, match=r"made by torch\.export"):
        fitted(None, module=exported(networks.mlp()).module())


def test_a_network_without_parameters_cannot_be_trained():
    with pytest.raises(ValueError, match="has no parameters"):
        fitted(None, module=nn.Flatten)


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.out = nn.LazyLinear(8), nn.LazyLinear(2)

    def forward(self, x):
        return self.out(torch.relu(self.hidden(x)))


class TestLazy:
    def test_it_trains(self):
        plain, again = (fitted(None, module=Lazy) for _ in range(2))
        assert type(plain.module_.hidden) is nn.Linear
        assert torch.equal(plain.module_.hidden.weight, again.module_.hidden.weight)
        other = fitted(networks.mlp(), module=Lazy, unrelated_layer="last", layer="hidden")
        assert other.history[-1, "train_penalty"] > 0
        assert np.array_equal(
            pickle.loads(pickle.dumps(plain)).predict_proba(X.numpy()),
            plain.predict_proba(X.numpy()),
        )

    def test_an_instance_is_copied(self):
        module = Lazy()
        fitted(None, module=module)
        assert type(module.hidden) is nn.LazyLinear

    def test_a_trained_one_is_avoided(self):
        assert penalty(fitted(None, module=Lazy), unrelated_layer="hidden") > 0

    def test_one_that_never_ran_is_refused(self):
        with pytest.raises(ValueError, match="lazy layers that never ran"):
            fitted(Lazy())


def old_weight_norm():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        network = networks.mlp()
        nn.utils.weight_norm(network[0])
    return network


def parametrized():
    network = networks.mlp()
    nn.utils.parametrizations.weight_norm(network[0])
    return network


@pytest.mark.parametrize("make", [old_weight_norm, parametrized])
class TestParametrized:
    def test_it_is_avoided_like_others(self, make):
        network = make()
        assert [layer.name for layer in list_layers(network, X)] == ["0", "1", "2"]
        for layer in ("last", 0, "0", "output", "task"):
            assert penalty(network, unrelated_layer=layer) == pytest.approx(
                penalty(networks.mlp(), unrelated_layer=layer), rel=1e-4
            )

    def test_an_instance_is_copied_and_trained(self, make):
        network = make()
        before = copy.deepcopy(network.state_dict())
        net = fitted(networks.mlp(), module=network, layer="1", unrelated_layer="1")
        assert all(torch.equal(before[name], x) for name, x in network.state_dict().items())
        changed = [
            name for name, x in net.module_.state_dict().items() if (x != before[name]).any()
        ]
        assert len(changed) == len(before)
        assert clone(net).module is not net.module_

    def test_its_activations_are_kept(self, make, tmp_path):
        for _ in range(2):
            fitted(make(), memory=tmp_path)
        assert len(list(tmp_path.glob("joblib/atl_sklearn/activations/*"))) == 1
