"""Files of strangers: nothing runs, and what is wrong is named."""

import builtins
import json
import os
import struct
import sys

import numpy as np
import own_parts
import pytest
import skorch
import torch
from safetensors.torch import save as save_tensors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from atl_sklearn import AntiTransferClassifier, load, save
from atl_sklearn._versions import versions_here
from atl_sklearn.persistence import (
    CannotSaveError,
    ModelFileError,
    UntrustedClassError,
    _file,
)
from atl_sklearn.persistence._save import from_content

X = np.random.default_rng(0).normal(size=(20, 4)).astype("f4")
y = np.array(["a", "b"])[np.arange(20) % 2]


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "network"
    net = AntiTransferClassifier(max_epochs=1, random_state=0, callbacks="disable")
    save(make_pipeline(StandardScaler(), net).fit(X, y), path)
    return path


@pytest.fixture(scope="module")
def step(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "step"
    save(FunctionTransformer(np.tanh, kw_args={"a": 1}).fit(X), path)
    return path


@pytest.fixture(autouse=True)
def traps(monkeypatch):
    """Fail where anything is run that a file might ask for."""

    def sprung(*args, **kwargs):
        raise AssertionError("it was run")

    for module, name in [(os, "system"), (os, "popen"), (torch, "load"), (torch.hub, "load")]:
        monkeypatch.setattr(module, name, sprung)
    for name in ("eval", "input"):
        monkeypatch.setattr(builtins, name, sprung)


def forged(path, change, folder, tensors=None):
    """Write a file whose digest is right, but whose content somebody has changed."""
    content = _file.read(path)
    model = change(content.model)
    content = content._replace(model=content.model if model is None else model)
    if tensors is not None:
        content = content._replace(tensors=tensors(dict(content.tensors)))
    _file.write(content, folder / "forged")
    return folder / "forged"


def state_of(node):
    return dict(map(tuple, node["state"]))


def with_state(**values):
    """Return a change of the attributes of the object at the top."""

    def change(node):
        state = {**state_of(node), **values}
        node["state"] = [[k, v] for k, v in state.items()]

    return change


def of_network(change):
    """Return a change of the network in the file of a pipeline."""

    def deeper(node):
        change(state_of(node)["steps"][1]["items"][1])

    return deeper


def module_in(node):
    return next(v for k, v in node["state"] if k == "module_")


FUNCTIONS = [
    "os:system", "posix:system", "nt:system", "builtins:eval", "builtins:exec", "builtins:open",
    "builtins:getattr", "builtins:__import__", "subprocess:Popen", "subprocess:run",
    "shutil:rmtree", "torch:load", "torch.hub:load", "torch.serialization:load", "numpy:load",
    "numpy:save", "numpy:fromfile", "numpy:vectorize", "numpy:memmap", "joblib:load",
    "pickle:loads", "importlib:import_module", "runpy:run_path", "ctypes:CDLL",
    "torch.nn.functional:torch", "torch.nn.functional:importlib", "torch.nn.functional:np",
    "torch.nn.functional:_in_projection", "torch.nn.functional:handle_torch_function",
    "torch.utils.cpp_extension:load", "sklearn.datasets:load_files", "sklearn.metrics:os",
    "sklearn.preprocessing.tests:test_data", "sklearn.metrics._scorer:os",
    "sklearn.conftest:pytest", "sklearn.datasets:fetch_openml",
    "atl_sklearn:save", "atl_sklearn.persistence:save", "atl_sklearn.datasets:fetch_fsdd",
    "atl_sklearn.audio._cache:os", "atl_sklearn.unrelated._memory:joblib",
    "atl_sklearn.persistence._source:run_source", "skorch.utils:TeeGenerator", "own_parts:halved",
    "own_parts:warnings", "operator:attrgetter", "functools:reduce", "code:interact",
    "antigravity:fly", "sklearn.preprocessing:StandardScaler.fit", "numpy:tanh.__class__",
]  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", ["function", "class"])
def test_names_of_what_could_do_harm_are_refused(name, kind, step, tmp_path):
    before = set(sys.modules)
    path = forged(step, with_state(func={"is": kind, "name": name}), tmp_path)
    with pytest.raises(ModelFileError):
        load(path)
    new = {m.split(".")[0] for m in set(sys.modules) - before}
    assert new <= {"sklearn", "torch", "skorch", "atl_sklearn", "librosa"}, "nothing else imported"
    # As a class to be made, and inside of a partial.
    instance = {"is": "object", "id": 99, "class": name, "state": []}
    partial = {
        "is": "partial",
        "function": {"is": kind, "name": name},
        "args": {"is": "tuple", "items": ["id"]},
        "kwargs": {"is": "dict", "items": []},
    }
    for node in (instance, {**instance, "is": "module"}, partial):
        with pytest.raises(ModelFileError):
            load(forged(step, with_state(func=node), tmp_path))


@pytest.mark.parametrize("name", ["os:system", "own_parts:halved"])
def test_what_is_not_trusted_says_how_to_trust_it(name, step, tmp_path):
    path = forged(step, with_state(func={"is": "function", "name": name}), tmp_path)
    dotted = name.replace(":", r"\.")
    with pytest.raises(UntrustedClassError, match=rf"needs {dotted}, at .*trusted=\['{dotted}'\]"):
        load(path)
    # Trust in one name is trust in nothing else of the module.
    with pytest.raises(UntrustedClassError):
        load(path, trusted=["os.path", own_parts.OwnNet])


CLASSES = [
    "builtins:type", "builtins:object", "types:FunctionType", "types:CodeType", "types:ModuleType",
    "torch.jit:ScriptModule", "torch.package:PackageImporter", "torch.utils.data:Dataset",
    "torch.nn:Module.forward", "sklearn.tree._tree:Tree", "sklearn.ensemble:RandomForestClassifier",
    "sklearn.svm:SVC", "skorch.callbacks:Checkpoint", "skorch.callbacks:LoadInitState",
    "skorch.hf:HfHubStorage", "atl_sklearn.audio._cache:ClipCache", "joblib:Memory",
    "atl_sklearn.estimators._fit_run:FitRun",
    "atl_sklearn.tuning:SharedNetwork", "pathlib:Path", "own_parts:OwnNet", "logging:FileHandler",
    "tempfile:TemporaryDirectory", "torch.nn.modules.lazy:warnings", "numpy:ndarray",
    "collections:deque", "functools:partial", "torch.nn.parallel:DistributedDataParallel",
]  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_classes_that_are_more_than_numbers_are_refused(name, network, tmp_path):
    def change(node):
        module_in(node)["class"] = name

    with pytest.raises(ModelFileError):
        load(forged(network, of_network(change), tmp_path))

    def change_step(node):
        state_of(node)["steps"][0]["items"][1]["class"] = name

    with pytest.raises(ModelFileError):
        load(forged(network, change_step, tmp_path))


@pytest.mark.parametrize(
    "name",
    ["__class__", "__dict__", "__init__", "__reduce__", "__setstate__", "transform", "fit",
     "get_params", "_get_param_names", "_repr_html_", "a.b", "", "set_output", "0"],
)  # fmt: skip
def test_attributes_do_not_take_the_place_of_what_a_class_does(name, step, network, tmp_path):
    node = {"is": "function", "name": "numpy:tanh"}
    with pytest.raises(ModelFileError, match="would replace"):
        load(forged(step, with_state(**{name: node}), tmp_path))

    def change(node_of_net):
        node_of_net["state"].append([name, node])

    with pytest.raises(ModelFileError):
        load(forged(network, of_network(change), tmp_path))


@pytest.mark.parametrize("part", ["plain", "parameters", "buffers", "modules"])
@pytest.mark.parametrize(
    "name",
    ["forward", "__class__", "__call__", "_call_impl", "eval", "_forward_hooks", "state_dict"],
)
def test_a_network_gets_no_hooks_and_no_methods(part, name, network, tmp_path):
    function = {"is": "function", "name": "torch.nn.functional:relu"}
    values = [function, None, {"is": "dict", "items": [[1, function]]}]
    for value in values:

        def change(node, value=value):
            module_in(node)[part].append([name, value])

        with pytest.raises(ModelFileError):
            load(forged(network, of_network(change), tmp_path))


@pytest.mark.parametrize("part", ["parameters", "buffers", "modules"])
def test_parts_of_a_network_are_of_their_kinds(part, network, tmp_path):
    for value in (3, "x", {"is": "function", "name": "torch.nn.functional:relu"}):

        def change(node, value=value):
            module_in(node)[part].append(["odd", value])

        with pytest.raises(ModelFileError, match="'odd'"):
            load(forged(network, of_network(change), tmp_path))


@pytest.mark.parametrize(
    "node",
    [
        {"is": "eval", "value": "1"},
        {"is": ["x"]},
        {},
        {"is": "tuple"},
        {"is": "tuple", "items": 3},
        {"is": "dict", "items": [[1]]},
        {"is": "dict", "items": [["a", 1], ["a", 2]]},
        {"is": "dict", "items": [[[], 1]]},
        {"is": "set", "items": [[]]},
        {"is": "same", "id": 12345},
        {"is": "same", "id": []},
        {"is": "float", "value": "1e999"},
        {"is": "builtin", "name": "eval"},
        {"is": "torch_dtype", "value": "load"},
        {"is": "device", "value": "nowhere"},
        {"is": "dtype", "value": "O"},
        {"is": "dtype", "value": "V99999999"},
        {"is": "dtype", "value": "i4,O"},
        {"is": "dtype", "value": ["f4"]},
        {"is": "scalar", "dtype": "O", "bytes": "00" * 8},
        {"is": "scalar", "dtype": "<f8", "bytes": "00"},
        {"is": "bytes", "base64": "?"},
        {"is": "range", "parts": [1, 2, 0]},
        {"is": "path", "value": 3},
        {"is": "array", "id": 77, "shape": [2], "dtype": "O", "values": [1]},
        {"is": "array", "id": 77, "shape": [-1], "dtype": "<U1", "values": []},
        {"is": "array", "id": 77, "shape": [2**70], "dtype": "<U1", "values": []},
        {"is": "array", "id": 77, "shape": [0] * 99, "dtype": "<U1", "values": []},
        {"is": "array", "id": 77, "shape": [1], "dtype": "<U900000000", "values": ["a"]},
        {"is": "array", "id": 77, "shape": [1], "dtype": "<U1", "values": ["long"]},
        {"is": "array", "id": 77, "shape": [1], "dtype": "<U1", "values": [{"is": "dict"}]},
        {"is": "array", "id": 77, "shape": [2**62], "dtype": "<f8", "order": "C", "tensor": "?"},
        {"is": "array", "id": 0, "shape": [0], "dtype": "<U1", "values": []},
        {"is": "RandomState", "id": 77, "state": {"is": "dict", "items": []}},
        {"is": "Generator", "id": 77, "state": {"is": "dict", "items": [["bit_generator", "a"]]}},
        {"is": "sparse", "id": 77, "kind": "load_npz", "shape": [1], "parts": []},
        {"is": "sparse", "id": 77, "kind": "csr_array", "shape": [2, 2], "parts": [
            [1.0], [2**40], [0, 1, 1]]},
    ],
)  # fmt: skip
def test_values_of_other_kinds_are_refused(node, step, tmp_path):
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        load(forged(step, with_state(kw_args=node), tmp_path))


def test_depth_is_limited(step):
    with pytest.raises(ModelFileError, match="model cannot be read"):
        _file._parse("[" * 100_000 + "]" * 100_000, "model")
    node = 1
    for _ in range(20_000):
        node = {"is": "tuple", "items": [node]}
    with pytest.raises(ModelFileError, match="nested too deeply"):
        from_content(_file.read(step)._replace(model=node))
    with pytest.raises(CannotSaveError, match="nested too deeply"):
        _file.pack(_file.read(step)._replace(model=node))


def test_strides_do_not_lead_outside(network, tmp_path):
    for strides in ([2**40, 1], [0, 0], [-1, 1], [1], ["a", "b"], [1.0, 1.0]):

        def change(node, strides=strides):
            def weights(module):
                for _, value in module["parameters"]:
                    if value is not None and len(value["shape"]) == 2:
                        value["strides"] = strides
                for _, part in module["modules"]:
                    if part is not None:
                        weights(part)

            weights(module_in(node))

        with pytest.raises(ModelFileError, match="strides"):
            load(forged(network, of_network(change), tmp_path))


def test_folders_of_a_stranger_are_not_used(network, tmp_path):
    """A cache is a folder of pickles in scikit-learn: a file must not choose it."""

    def change(node):
        state = state_of(node)
        node["state"] = [[k, str(tmp_path) if k == "memory" else v] for k, v in state.items()]
        net = state["steps"][1]["items"][1]
        net["state"] = [
            [k, {"memory": str(tmp_path), "torch_load_kwargs": {
                "is": "dict", "items": [["weights_only", False]]}}.get(k, v)]
            for k, v in net["state"]
        ]  # fmt: skip

    loaded = load(forged(network, change, tmp_path))
    assert loaded.memory is None
    assert (loaded[-1].memory, loaded[-1].torch_load_kwargs) == (None, None)


def test_a_stranger_does_not_choose_the_compiler(network, tmp_path):
    options = {"is": "dict", "items": [["cpp.cxx", "/bin/sh"]]}
    for name, value in (
        ("compile__options", options),
        ("compile__backend", {"is": "function", "name": "numpy:tanh"}),
        ("compile__backend", "somebodys"),
        ("compile__mode", ["default"]),
    ):

        def change(node, name=name, value=value):
            node["state"].append([name, value])

        with pytest.raises(ModelFileError, match=f"'{name}'"):
            load(forged(network, of_network(change), tmp_path))
    net = AntiTransferClassifier(max_epochs=1, random_state=0).fit(X, y)
    net.set_params(compile__options={"cpp.cxx": "g++"})
    with pytest.raises(CannotSaveError, match="'compile__options' parameter"):
        save(net, tmp_path / "new")


# ---- the file itself ---------------------------------------------------------------------------


def test_the_tensors_must_be_what_the_description_says(network, tmp_path):
    def change(of):
        def changed(tensors):
            name = next(n for n in tensors if n.endswith("weight"))
            tensors[name] = of(tensors[name])
            if tensors[name] is None:
                del tensors[name]
            return tensors

        return changed

    for of, match in [
        (lambda t: t[:, :1].clone(), r"must have shape \(\d+, \d+\).*has shape \(\d+, 1\)"),
        (lambda t: t.double(), "type float32.* type float64"),
        (lambda t: None, r"lacks the tensor '.*weight'"),
    ]:
        with pytest.raises(ModelFileError, match=match):
            load(forged(network, lambda node: None, tmp_path, tensors=change(of)))


@pytest.mark.parametrize("name", ["lr", "module_", "classes", "device"])
def test_what_is_missing_is_named(name, network, tmp_path):
    def change(node):
        node["state"] = [[k, v] for k, v in node["state"] if k != name]

    with pytest.raises(ModelFileError, match=f"lacks '{name}'"):
        load(forged(network, of_network(change), tmp_path))


def test_a_missing_parameter_of_a_step_is_named(step, tmp_path):
    def change(node):
        node["state"] = [[k, v] for k, v in node["state"] if k != "inv_kw_args"]

    with pytest.raises(ModelFileError, match="lacks 'inv_kw_args' of FunctionTransformer"):
        load(forged(step, change, tmp_path))


def test_every_cut_and_every_kind_of_flipped_byte_is_found(step, tmp_path):
    data = step.read_bytes()
    path = tmp_path / "damaged"
    sizes = [0, 1, 7, 8, 9, 100, len(data) // 2, len(data) - 1]
    for size in sizes:
        path.write_bytes(data[:size])
        with pytest.raises(ModelFileError):
            load(path)
    for position in range(0, len(data), 7):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(ModelFileError):
            load(path)


def test_a_flipped_weight_is_found(network, tmp_path):
    data = bytearray(network.read_bytes())
    data[-3] ^= 1
    (tmp_path / "damaged").write_bytes(data)
    with pytest.raises(ModelFileError, match=r"'.*damaged' cannot be loaded.*digest"):
        load(tmp_path / "damaged")


def header_of(data):
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def with_header(text, rest=b""):
    return struct.pack("<Q", len(text)) + text.encode() + rest


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"a": {"dtype": "F64", "shape": [1000000000], "data_offsets": [0, 8000000000]}', None),
        ('{"a": {"dtype": "F64", "shape": [9223372036854775807, 8], "data_offsets": [0, 8]}', None),
        ('{"a": {"dtype": "PYOBJ", "shape": [1], "data_offsets": [0, 8]}', None),
        ('{"a": {"dtype": "F64", "shape": [1], "data_offsets": [-8, 8]}', None),
        ('{"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}, '
         '"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}', "'a' twice"),
        ('{"a": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}, '
         '"b": {"dtype": "F64", "shape": [1], "data_offsets": [0, 8]}', None),
        ('{"a": {}', "where its tensors lie"),
        ('{"a": 3', "where its tensors lie"),
    ],
)  # fmt: skip
def test_headers_that_lie_are_refused(text, match, step, tmp_path):
    header, _ = header_of(step.read_bytes())
    text += f', "__metadata__": {json.dumps(header["__metadata__"])}}}'
    (tmp_path / "forged").write_bytes(with_header(text, bytes(8)))
    with pytest.raises(ModelFileError, match=match):
        load(tmp_path / "forged")


def test_other_files_are_told_apart(tmp_path):
    others = {
        "a pickle": b"\x80\x04\x95" + bytes(20),
        "a zip": b"PK\x03\x04" + bytes(40),
        "a header of 2**63 bytes": struct.pack("<Q", 2**63) + b"{}",
        "other safetensors": save_tensors({"a": torch.zeros(2)}),
        "a list": with_header("[1, 2, 3]"),
        "metadata that is a list": with_header('{"__metadata__": [1]}'),
    }
    for what, data in others.items():
        (tmp_path / "file").write_bytes(data)
        with pytest.raises(ModelFileError, match=r"not a file that atl_sklearn\.save wrote"):
            load(tmp_path / "file")
            pytest.fail(what)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device", "."):
        with pytest.raises(ModelFileError, match="is no file"):
            load(tmp_path / name)


def test_another_format_version_is_named(step, tmp_path, monkeypatch):
    monkeypatch.setattr(_file, "FORMAT_VERSION", 2)
    _file.write(_file.Content(1, {}, {}, versions_here()), tmp_path / "new")
    monkeypatch.undo()
    with pytest.raises(ModelFileError, match=r"format version '2', and this .* reads 1"):
        load(tmp_path / "new")


def test_other_versions_of_packages_are_a_warning(network, step, tmp_path):
    content = _file.read(network)
    older = content._replace(versions={**content.versions, "torch": "2.4.0"})
    _file.write(older, tmp_path / "older")
    with pytest.warns(UserWarning, match=r"saved with torch 2\.4\.0 \(here 2\."):
        loaded = load(tmp_path / "older")
    assert loaded.predict(X).shape == (20,)
    # A parameter that the older version did not have has its default.
    content = _file.read(step)
    content.model["state"] = [[k, v] for k, v in content.model["state"] if k != "inv_kw_args"]
    _file.write(content._replace(versions={**content.versions, "numpy": "1.26"}), tmp_path / "old")
    with pytest.warns(UserWarning, match=r"numpy 1\.26"):
        assert load(tmp_path / "old").inv_kw_args is None


def test_the_versions_are_those_that_run(network, monkeypatch):
    # Another one may have been installed since it was imported.
    monkeypatch.setattr(skorch, "__version__", "0.1")
    assert versions_here()["skorch"] == "0.1"
    with pytest.warns(UserWarning, match=r"saved with skorch .* \(here 0\.1\)"):
        load(network)


def test_a_device_that_is_not_here_is_a_warning(network, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    def change(node):
        node["state"] = [[k, "cuda:1" if k == "device" else v] for k, v in node["state"]]

    with pytest.warns(UserWarning, match="'cuda:1', which is not here"):
        loaded = load(forged(network, of_network(change), tmp_path))
    assert loaded[-1].device == "cpu"
    assert loaded.predict(X).shape == (20,)
