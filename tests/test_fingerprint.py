"""What tells one thing from another: any change of its content, and nothing else."""

import copy
import dataclasses
import functools
import math
import os
import subprocess
import sys
import threading
import types
import warnings
from collections import OrderedDict, namedtuple
from decimal import Decimal
from enum import Enum
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch.callbacks import EarlyStopping

from atl_sklearn import AntiTransferClassifier
from atl_sklearn._fingerprint import Unidentifiable, fingerprint, fingerprint_file
from atl_sklearn.tuning._sharing import SharedNetwork

RNG = np.random.RandomState(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)
Y = np.tile([0, 1], 20)
FEW = settings(max_examples=30, deadline=None, database=None)

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
    ),
    max_leaves=8,
)


def run(source, name="f", **scope):
    """Return what a source defines, as an interactive session would."""
    scope = {"__name__": "__main__", **scope}
    exec(compile(source, "<stdin>", "single" if "\n" not in source else "exec"), scope)
    return scope[name]


def different(*values):
    found = [fingerprint(value) for value in values]
    return len(set(found)) == len(found)


def shuffled(value, random):
    """Return an equal value whose dicts have another order."""
    if isinstance(value, dict):
        items = list(value.items())
        random.shuffle(items)
        return {key: shuffled(x, random) for key, x in items}
    if isinstance(value, list | tuple):
        return type(value)(shuffled(x, random) for x in value)
    return value


def exact(value):
    """Return a text that equal values of the same types share."""
    if isinstance(value, dict):
        return "{" + ", ".join(sorted(f"{exact(k)}: {exact(v)}" for k, v in value.items())) + "}"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}[{', '.join(map(exact, value))}]"
    return f"{type(value).__name__} {value!r}"


class TestPlainValues:
    @FEW
    @given(plain, st.randoms(use_true_random=False))
    def test_copies_and_other_orders_are_the_same(self, value, random):
        assert fingerprint(value) == fingerprint(copy.deepcopy(shuffled(value, random)))

    @FEW
    @given(plain, plain)
    def test_others_are_not(self, one, other):
        assert (fingerprint(one) == fingerprint(other)) == (exact(one) == exact(other))

    def test_types_that_compare_equal(self):
        values = [1, 1.0, True, "1", b"1", np.int64(1), np.int32(1), np.float64(1), Decimal(1)]
        assert different(*values, 1 + 0j, [1], (1,), {1}, frozenset([1]), {1: 1}, bytearray(b"1"))
        assert different(0.0, -0.0)
        assert fingerprint(math.nan) == fingerprint(float("nan"))

    def test_what_is_beside_each_other_does_not_run_together(self):
        assert different(["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""])
        assert different(["ab", "c"] * 30, ["a", "bc"] * 30, tuple(["ab", "c"] * 30))
        assert fingerprint(1, 2) != fingerprint([1, 2])
        assert different({"a": "b"}, {"b": "a"}, {"a": {"b": 1}}, {"a": 1, "b": 1})

    def test_order_counts_where_it_is_meant(self):
        assert different(OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), {"a": 1, "b": 2})

    @FEW
    @given(st.sets(st.integers() | st.text(max_size=3), max_size=6))
    def test_sets(self, values):
        again = set().union(list(values)[::-1])
        assert fingerprint(values) == fingerprint(again)
        assert fingerprint(values) != fingerprint(values | {"another"})

    def test_values_that_hold_themselves(self):
        def cycle(n, x=0):
            lists = [[x] for _ in range(n)]
            for i, one in enumerate(lists):
                one.append(lists[(i + 1) % n])
            return lists[0]

        assert fingerprint(cycle(2)) == fingerprint(cycle(2))
        assert different(cycle(2), cycle(2, 1))
        one, other = {}, {}
        one["a"], one["b"] = {"up": one, "x": 1}, {"up": one, "x": 2}
        other["b"] = {"x": 2, "up": other}
        other["a"] = {"x": 1, "up": other}
        assert fingerprint(one) == fingerprint(other)
        other["a"]["x"] = 3
        assert fingerprint(one) != fingerprint(other)

    def test_small_objects(self):
        Point = namedtuple("Point", "x y")

        class Color(Enum):
            RED = 1
            BLUE = 2

        assert different(Point(1, 2), Point(2, 1), (1, 2))
        assert different(Color.RED, Color.BLUE, 1)
        assert different(range(3), range(4), slice(3), slice(4), Path("a"), Path("b"))
        assert different(int, float, list[int], list[str], None, type(None), len, max)


class TestArrays:
    @FEW
    @given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_side=0, max_side=4)))
    def test_the_order_in_memory_does_not_count(self, array):
        wide = np.repeat(array, 2, axis=-1)[..., ::2]
        for same in (array.copy(), np.asfortranarray(array), wide, array[::-1].copy()[::-1]):
            assert fingerprint(same) == fingerprint(array)

    @FEW
    @given(
        hnp.arrays(st.sampled_from(["f4", "i8", "u1", "c8", ">f4"]), (3, 4)),
        st.integers(0, 11),
        st.data(),
    )
    def test_any_byte_counts(self, array, place, data):
        raw = array.copy()
        index = place * raw.itemsize + data.draw(st.integers(0, raw.itemsize - 1))
        raw.reshape(-1).view(np.uint8)[index] ^= 1 << data.draw(st.integers(0, 7))
        assert fingerprint(raw) != fingerprint(array)
        assert fingerprint(torch.tensor(3)) == fingerprint(torch.tensor(3))

    def test_dtype_and_shape_count(self):
        a = np.zeros(12, np.float32)
        views = [a.view(np.int32), a.reshape(3, 4), a.reshape(4, 3), a.reshape(12, 1), a[:11]]
        assert different(
            a, *views, a.tolist(), torch.tensor(a), sparse.csr_array([a]), a.view(">f4")
        )

    def test_large_arrays_that_are_not_contiguous(self):
        big = RNG.normal(size=(1500, 1200))
        assert fingerprint(np.asfortranarray(big)) == fingerprint(big)
        changed = np.asfortranarray(big)
        changed[-1, -1] += 1
        assert fingerprint(changed) != fingerprint(big)

    def test_padding_does_not_count(self):
        dtype = np.dtype([("a", "u1"), ("b", "f8")], align=True)
        raw = [np.full(3 * dtype.itemsize, fill, np.uint8).view(dtype) for fill in (0, 255)]
        for array in raw:
            array["a"], array["b"] = 1, 2.5
        assert fingerprint(raw[0]) == fingerprint(raw[1])
        raw[0]["b"][1] = 0
        assert fingerprint(raw[0]) != fingerprint(raw[1])
        long = np.array([1.5, 2.5], np.longdouble)
        assert fingerprint(long) == fingerprint(long * np.longdouble(1))
        assert different(long, long[::-1])

    def test_objects_and_masks(self):
        names = np.array(["a", "bc"], object)
        assert different(names, names[::-1], np.array(["ab", "c"], object), np.array(["a", "bc"]))
        assert different(np.array([1, "1"], object), np.array(["1", 1], object))
        masked = np.ma.array([1, 2], mask=[0, 1])
        assert different(masked, np.ma.array([1, 2], mask=[1, 0]), np.array([1, 2]))

    def test_files_that_are_mapped(self, tmp_path):
        np.save(tmp_path / "x.npy", X)
        assert fingerprint(np.load(tmp_path / "x.npy", mmap_mode="r")) == fingerprint(X)

    def test_tensors(self):
        t = torch.arange(6.0).reshape(2, 3)
        assert fingerprint(t) == fingerprint(t.T.contiguous().T) == fingerprint(t.clone())
        kinds = [t.bfloat16(), t.half(), t.double(), t.reshape(3, 2), t + 1j, t.to_sparse(), t != 0]
        assert different(t, *kinds, torch.nn.Parameter(t), torch.empty(0), torch.empty(0, 1))
        assert different(torch.nn.Parameter(t), torch.nn.Parameter(t, requires_grad=False))
        assert fingerprint((t + 1j).conj()) == fingerprint(t - 1j)
        with pytest.raises(Unidentifiable, match="meta device"):
            fingerprint(torch.empty(2, device="meta"))

    def test_sparse_matrices(self):
        S = sparse.random(8, 6, density=0.4, format="csr", random_state=0)
        assert fingerprint(S) == fingerprint(S.tocsc()) == fingerprint(S.tocoo())
        unsorted = S.copy()
        unsorted.indices, unsorted.data = unsorted.indices.copy(), unsorted.data.copy()
        for start, stop in zip(S.indptr, S.indptr[1:], strict=False):
            for part in (unsorted.indices, unsorted.data):
                part[start:stop] = part[start:stop][::-1].copy()
        unsorted.has_sorted_indices = False
        assert fingerprint(unsorted) == fingerprint(S)
        assert different(S, S.T, 2 * S, S.astype(np.float32), S.toarray())
        zeros = sparse.csr_array(([1.0, 2.0, 3.0, 0.0], [2, 2, 1, 0], [0, 2, 4]), shape=(2, 3))
        clean = sparse.csc_matrix(np.array([[0, 0, 3.0], [0, 3.0, 0]]))
        assert fingerprint(zeros) == fingerprint(clean)
        assert zeros.nnz == 4  # as it was

    def test_data_frames(self):
        frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])})
        others = [
            frame.rename(columns={"a": "d"}),
            frame[["b", "a", "c"]],
            frame.set_axis([1, 0]),
            frame.assign(a=[1, 3]),
            frame.assign(a=[1.0, 2.0]),
            frame.assign(a=pd.array([1, 2], "Int64")),
            frame.assign(a=pd.array([1, None], "Int64")),
            frame.assign(b=["x", "None"]),
            frame.assign(c=["u", "v"]),
            frame.assign(c=pd.Categorical(["v", "u"])),
            frame.assign(c=pd.Categorical(["u", "v"], ordered=True)),
            frame.set_axis(pd.MultiIndex.from_tuples([(0, 1), (1, 1)])),
        ]
        assert different(frame, *others)
        assert different(frame["a"], frame.a.rename("d"), frame.index, frame.columns, frame.a.array)
        frame.a.is_unique, frame.index.is_unique  # noqa: B018 - they note down what they found
        assert fingerprint(frame) == fingerprint(frame.copy())
        dates = pd.Series(pd.date_range("2020", periods=3, tz="Europe/Rome"))
        assert fingerprint(dates) == fingerprint(dates.copy())

    def test_random_states(self):
        for make in (np.random.RandomState, np.random.default_rng):
            one, other = make(0), make(0)
            assert fingerprint(one) == fingerprint(other)
            assert different(one, make(1))
            other.uniform()
            assert different(one, other)
        generator = torch.Generator().manual_seed(0)
        before = fingerprint(generator)
        assert before == fingerprint(torch.Generator().manual_seed(0))
        torch.rand(1, generator=generator)
        assert before != fingerprint(generator)


def outer(held, default=1):
    def inner(y, z=default):
        return held * y + z

    return inner


def twice(y):
    return 2 * y


class TestFunctions:
    def test_constants_names_and_operators(self):
        bodies = ["2 * y", "3 * y", "2 + y", "y * 2", "2 * z", "-y", "'2'", "(2, y)", "(3, y)"]
        assert different(*[run(f"f = lambda y, z=1: {body}") for body in bodies])
        one, other = run("f = (lambda y: 2 * y), (lambda y: 3 * y)")
        assert different(one, other)

    def test_where_it_is_written_does_not_count(self):
        text = "def f(y):\n    return [2 * v for v in y]\n"
        assert fingerprint(run(text)) == fingerprint(run("\n\n# above\n" + text))
        assert fingerprint(run(text)) == fingerprint(run(text, __name__="another"))

    def test_inner_functions(self):
        texts = [f"def f(y):\n    return lambda: {x} * y\n" for x in (2, 3)]
        assert different(*map(run, texts))

    @FEW
    @given(plain, plain)
    def test_closures_defaults_and_globals(self, one, other):
        same = exact(one) == exact(other)
        for make in (
            outer,
            functools.partial(outer, 1),
            lambda x: run("f = lambda y: y * factor", factor=x),
            lambda x: run("def f(y, *, z=factor):\n    return z\n", factor=x),
            lambda x: functools.partial(max, x),
            lambda x: functools.partial(max, key=x),
        ):
            assert (fingerprint(make(one)) == fingerprint(make(other))) == same

    def test_functions_that_it_calls(self):
        text = "def f(y):\n    return inner(y)\n"
        inner = [run(f"f = lambda y: {factor} * y") for factor in (2, 3)]
        assert different(*[run(text, inner=one) for one in inner])
        # a global that is not used, and an attribute of the same name as one
        text = "def f(y):\n    return y.inner + 1\n"
        assert fingerprint(run(text, inner=1)) == fingerprint(run(text, inner=2))

    def test_functions_that_call_each_other(self):
        text = "def f(y):\n    return g(y)\n\ndef g(y):\n    return f(y) if y else {}\n"
        one, same, other = (text.format(x) for x in (1, 1, 2))
        assert fingerprint(run(one)) == fingerprint(run(same))
        assert different(run(one), run(one, "g"), run(other), run(other, "g"))
        lines = text.format(1).split("\n\n")
        assert fingerprint(run("\n".join(lines[::-1]))) == fingerprint(run(one))

    def test_attributes_and_methods(self):
        def f(y):
            return y

        before = fingerprint(f)
        f.bands = 3
        assert fingerprint(f) != before

        class Scale:
            def __init__(self, by):
                self.by = by

            def __call__(self, y):
                return self.by * y

            def other(self, y):
                return y

        assert different(Scale(1).other, Scale(2).other, Scale(1).__call__, Scale(1), Scale(2))

    def test_library_functions(self):
        functions = [np.log, np.exp, np.mean, np.median, torch.relu, torch.sigmoid, math.sin, len]
        functions += [torch.nn.functional.relu, torch.Tensor.sum, [].append, str.upper, "a".upper]
        assert different(*functions, np.linalg.norm, np.add.reduce, functools.lru_cache(twice))

    def test_modules_of_ones_own(self):
        found = []
        for factor in (2, 3):
            module = types.ModuleType("own_helper")
            exec(f"def scaled(y):\n    return {factor} * y\n", vars(module))
            module.lock = threading.Lock()  # is not used
            found.append(run("f = lambda y: own_helper.scaled(y)", own_helper=module))
        assert different(*found)
        with pytest.raises(Unidentifiable, match="as a whole"):
            fingerprint(run("f = lambda y: [own_helper]", own_helper=module))

    def test_imports_within(self, tmp_path, monkeypatch):
        monkeypatch.syspath_prepend(tmp_path)
        (tmp_path / "own_within.py").write_text("factor = 2\n")
        text = "def f(y):\n    from {} import factor\n    return factor * y\n"
        before = fingerprint(run(text.format("own_within")))
        sys.modules["own_within"].factor = 3
        assert fingerprint(run(text.format("own_within"))) != before
        texts = [
            f"def f(y):\n    import {x} as m\n    return m.sum(y)\n" for x in ("numpy", "math")
        ]
        assert different(*map(run, texts))
        with pytest.raises(Unidentifiable, match="import it at the top"):
            fingerprint(run("def f(y):\n    import own_within\n    return y\n"))
        del sys.modules["own_within"]


NETWORK = """
import torch
class Net(torch.nn.Module):
    size = {size}
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale
        self.layer = torch.nn.Linear(3, 2)
        self.register_buffer("shift", torch.zeros(2), persistent=False)
        with torch.no_grad():
            self.layer.weight.fill_(0.5)
            self.layer.bias.fill_(0.25)
    def forward(self, x):
        return self.scale * self.layer(x) {operator} self.shift
"""


def network(operator="+", size=1, **params):
    return run(NETWORK.format(operator=operator, size=size), "Net")(**params)


class TestClasses:
    def test_methods_attributes_and_bases(self):
        texts = [
            "class C:\n    size = 1\n    def f(self):\n        return 1\n",
            "class C:\n    size = 2\n    def f(self):\n        return 1\n",
            "class C:\n    size = 1\n    def f(self):\n        return 2\n",
            "class C:\n    size = 1\n    def g(self):\n        return 1\n",
            "class C(dict):\n    size = 1\n    def f(self):\n        return 1\n",
            "class C:\n    size = 1\n    @property\n    def f(self):\n        return 1\n",
            "class C:\n    size = 1\n    @staticmethod\n    def f(self):\n        return 1\n",
            "class C:\n    size = 1\n    @classmethod\n    def f(self):\n        return 1\n",
            "class D:\n    size = 1\n    def f(self):\n        return 1\n",
        ]
        assert different(*[run(text, text[6]) for text in texts])
        assert fingerprint(run(texts[0], "C")) == fingerprint(run("# above\n" + texts[0], "C"))
        base = "class B:\n    def f(self):\n        return {}\nclass C(B):\n    pass\n"
        assert different(run(base.format(1), "C"), run(base.format(2), "C"))

    def test_dataclasses_slots_and_caches(self):
        text = (
            "import dataclasses, functools\n@dataclasses.dataclass\nclass C:\n    x: int = {}\n"
            "    y: list = dataclasses.field(default_factory=list)\n"
            "    @functools.cached_property\n    def z(self):\n        return self.x\n"
        )
        one, other = (run(text.format(x), "C") for x in (1, 2))
        assert different(one, other, one(), other(), one(5))
        assert fingerprint(one(3)) == fingerprint(run(text.format(1), "C")(3))
        slotted = run("class C:\n    __slots__ = ('x', 'y')\n", "C")
        found = []
        for x in (1, 2):
            found.append(slotted())
            found[-1].x = x
        assert different(*found, slotted())
        before = fingerprint(slotted)
        copy.copy(found[0])  # notes down the slots
        assert fingerprint(slotted) == before

    def test_it_is_the_same_after_use(self):
        cls = run(NETWORK.format(operator="+", size=1), "Net")
        before = fingerprint(cls)
        copy.deepcopy(cls())(torch.zeros(1, 3))
        assert fingerprint(cls) == before

    def test_workers_of_joblib(self):
        text = NETWORK.format(operator="+", size=1)
        cls = run(text, "Net")
        values = [cls(), cls, run("f = lambda y: 2 * y"), outer(3)]
        [there] = joblib.Parallel(2, "loky")([joblib.delayed(fingerprint)(*values)])
        assert there == fingerprint(*values)


class TestNetworks:
    def test_any_weight_buffer_attribute_and_line_counts(self):
        def changed(change):
            net = network()
            with torch.no_grad():
                change(net)
            return net

        def add(net, name):
            tensor = net.get_parameter(name) if "." in name else net.get_buffer(name)
            tensor.reshape(-1)[-1] += 1e-6

        changes = [
            lambda net: None,
            lambda net: add(net, "layer.weight"),
            lambda net: add(net, "layer.bias"),
            lambda net: add(net, "shift"),
            lambda net: setattr(net, "scale", 2.0),
            lambda net: setattr(net.layer, "mark", 1),
            lambda net: net.double(),
            lambda net: net.requires_grad_(False),
            lambda net: net.register_forward_hook(outer(2)),
            lambda net: net.register_forward_hook(outer(3)),
            lambda net: net.register_forward_pre_hook(outer(3)),
            lambda net: net.register_forward_pre_hook(outer(3), with_kwargs=True),
            lambda net: net.register_forward_hook(outer(3), always_call=True),
            lambda net: net.register_full_backward_hook(outer(3)),
            lambda net: net.register_state_dict_pre_hook(outer(3)),
            lambda net: [net.register_forward_hook(outer(3), with_kwargs=x) for x in (True, False)],
            lambda net: [net.register_forward_hook(outer(3), with_kwargs=x) for x in (False, True)],
            lambda net: setattr(net, "my_hooks", [1]),
            lambda net: setattr(net, "my_hooks", [2]),
            lambda net: setattr(net, "layer", torch.nn.Sequential(net.layer)),
            lambda net: torch.nn.utils.parametrizations.weight_norm(net.layer),
        ]
        nets = [changed(change) for change in changes]
        assert different(*nets, network("-"), network(size=2), network(scale=1.5))

    def test_what_does_not_count(self):
        net = network()
        before = fingerprint(net)
        hook = net.register_forward_hook(outer(2))
        hook.remove()
        net.eval()(torch.zeros(2, 3)).sum().backward()
        assert (
            fingerprint(net) == before == fingerprint(network()) == fingerprint(copy.deepcopy(net))
        )

    def test_the_order_of_modules_and_their_names(self):
        torch.manual_seed(0)
        a, b = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
        assert different(
            torch.nn.Sequential(a, b),
            torch.nn.Sequential(b, a),
            torch.nn.Sequential(OrderedDict(a=a, b=b)),
            torch.nn.Sequential(OrderedDict(b=b, a=a)),
            torch.nn.ModuleList([a, b]),
        )

    def test_modules_of_torch(self):
        kinds = [torch.nn.ReLU, torch.nn.GELU, torch.nn.BatchNorm1d, torch.nn.LSTM, torch.nn.Conv1d]
        arguments = [(), (), (3,), (3, 2), (3, 2, 1)]
        for kind, args in zip(kinds, arguments, strict=True):
            net = kind(*args)
            assert fingerprint(net) == fingerprint(copy.deepcopy(net))
        nets = [kind(*args) for kind, args in zip(kinds, arguments, strict=True)]
        assert different(*nets, torch.nn.LeakyReLU(0.1), torch.nn.LeakyReLU(0.2))

    def test_weights_that_are_tied(self):
        tied, apart = (
            torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)) for _ in "ab"
        )
        apart.load_state_dict(tied.state_dict())
        apart[1].load_state_dict(apart[0].state_dict())
        tied[1] = tied[0]
        assert different(tied, apart)

    def test_what_is_not_read(self):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.jit")  # is deprecated
            traced = torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2))
        with pytest.raises(Unidentifiable, match="TorchScript"):
            fingerprint(traced)


class TestEstimators:
    def test_parameters_and_what_was_fitted(self):
        fitted = LogisticRegression().fit(X, Y)
        moved = copy.deepcopy(fitted)
        moved.coef_[0, 0] = np.nextafter(moved.coef_[0, 0], np.inf, dtype=moved.coef_.dtype)
        assert different(LogisticRegression(), LogisticRegression(C=2), fitted, moved)
        assert fingerprint(fitted) == fingerprint(LogisticRegression().fit(X, Y))

    def test_the_steps_of_pipelines(self):
        last = LogisticRegression().fit(X, Y)
        pipes = [
            make_pipeline(StandardScaler().fit(X), last),
            make_pipeline(StandardScaler().fit(2 * X), last),
            make_pipeline(StandardScaler(), last),
            make_pipeline(FunctionTransformer(run("f = lambda X: 2 * X")), last),
            make_pipeline(FunctionTransformer(run("f = lambda X: 3 * X")), last),
        ]
        assert different(*pipes)

    @pytest.mark.parametrize(
        "estimator",
        [
            KNeighborsClassifier(algorithm="kd_tree"),
            RandomForestClassifier(3, random_state=0),
            GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2),
        ],
        ids=lambda estimator: type(estimator).__name__,
    )
    def test_estimators_of_scikit_learn(self, estimator):
        one, again = (copy.deepcopy(estimator).fit(X, Y) for _ in range(2))
        assert fingerprint(one) == fingerprint(again) == fingerprint(copy.deepcopy(one))
        assert different(one, copy.deepcopy(estimator).fit(X[1:], Y[1:]), estimator)

    def test_networks_in_skorch(self):
        make = functools.partial(
            AntiTransferClassifier,
            max_epochs=2,
            random_state=0,
            callbacks=[EarlyStopping("train_loss")],
        )
        one, again = make().fit(X, Y), make().fit(X, Y)
        assert different(*[make(callbacks=[EarlyStopping(patience=n)]) for n in (2, 3)])
        assert fingerprint(one) == fingerprint(again)
        before = fingerprint(one)
        one.predict(X)
        assert fingerprint(one) == before
        assert different(one, make().fit(X, 1 - Y), make(), make(lr=0.1), make().fit(X[:, :4], Y))
        with torch.no_grad():
            one.module_.get_parameter("head.bias")[0] += 1e-6
        assert fingerprint(one) != before

    def test_what_is_frozen_is_what_it_holds(self):
        class Doubling(FrozenEstimator):
            def predict(self, X):
                return 2 * super().predict(X)

        fitted = LogisticRegression().fit(X, Y)
        shared = [SharedNetwork(fitted, path) for path in ("a", "b")]
        frozen = FrozenEstimator(fitted)
        assert fingerprint(shared[0]) == fingerprint(shared[1]) == fingerprint(frozen)
        assert different(frozen, fitted, FrozenEstimator(LogisticRegression()), Doubling(fitted))

    def test_where_results_are_kept_does_not_count(self, tmp_path):
        assert fingerprint(make_pipeline(StandardScaler())) == fingerprint(
            make_pipeline(StandardScaler(), memory=str(tmp_path))
        )
        own = run(
            "from sklearn.base import BaseEstimator\nclass E(BaseEstimator):\n"
            "    def __init__(self, memory=1):\n        self.memory = memory\n",
            "E",
        )
        assert different(own(1), own(2))


class Opaque:
    def __init__(self):
        self.lock = threading.Lock()


class TestRefusals:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: (x for x in "ab"),
            threading.Lock,
            lambda: open(os.devnull),  # noqa: SIM115
            Opaque,
            sys._getframe,
            lambda: np.frompyfunc(lambda x: 2 * x, 1, 1),
            lambda: memoryview(b"a"),
            lambda: run("f = lambda y: eval('y + 1')"),
            lambda: run("f = lambda y: globals()['factor']"),
            lambda: outer(threading.Lock()),
            lambda: functools.partial(max, threading.Lock()),
            lambda: types.ModuleType("own"),
        ],
    )
    def test_what_has_no_content_that_can_be_read(self, make):
        value = make()
        with pytest.raises(Unidentifiable):
            fingerprint([1, {"a": value}])
        if hasattr(value, "close"):
            value.close()

    def test_the_message_says_where_and_why(self):
        net = AntiTransferClassifier(weight_schedule=outer(threading.Lock()))
        with pytest.raises(
            Unidentifiable, match=r"^weight_schedule > closure > held: .*_thread.lock"
        ):
            fingerprint(net)

    def test_what_is_nested_too_deeply(self):
        value = []
        for _ in range(100_000):
            value = [value]
        with pytest.raises(Unidentifiable, match="too deeply"):
            fingerprint(value)
        while value:  # one by one, as Python would otherwise recurse to free it
            value = value[0]


class TestFiles:
    @FEW
    @given(st.binary(max_size=50), st.binary(max_size=50))
    def test_content_counts_and_the_name_does_not(self, tmp_path_factory, one, other):
        folder = tmp_path_factory.mktemp("files")
        (folder / "a").write_bytes(one)
        (folder / "b").write_bytes(other)
        same = fingerprint_file(folder / "a") == fingerprint_file(str(folder / "b"))
        assert same == (one == other)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders")
    def test_pipes_and_devices(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to("/dev/zero")
        for name in ("pipe", "link", "."):
            with pytest.raises(OSError, match="no regular file"):
                fingerprint_file(tmp_path / name)
        with pytest.raises(FileNotFoundError):
            fingerprint_file(tmp_path / "missing")


PRINTED = """
import dataclasses, functools, sys
import numpy as np, torch
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from atl_sklearn import AntiTransferClassifier
from atl_sklearn._fingerprint import fingerprint

class Net(torch.nn.Module):
    def __init__(self, scale=2):
        super().__init__()
        self.scale = scale
    def forward(self, x):
        return helper(x) * self.scale

def helper(x):
    return torch.relu(x) if x is not None else Net

@dataclasses.dataclass
class Settings:
    rate: int = 3

names = {"one", "two", "three", "four"}
data = {name: name.upper() for name in names}
X = np.arange(12.0).reshape(4, 3)
values = [
    names, data, frozenset(names), Net, Net(3), helper, Settings(), lambda x: x in {"p", "q", "r"},
    functools.partial(helper, x=1), X, LogisticRegression().fit(X, [0, 1, 0, 1]),
    np.random.default_rng(0),
    AntiTransferClassifier(Net, lr=0.1, weight_schedule=lambda progress: progress),
    np.float32(1),
]
said = [fingerprint(value) for value in values]
"""


def test_it_is_the_same_in_another_process():
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    there = subprocess.check_output(
        [sys.executable, "-c", f"{PRINTED}\nprint(*said)"], env=env, text=True
    ).split()
    assert there == run(PRINTED, "said", __name__="another")
    assert len(set(there)) == len(there) == 14


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (np.random.RandomState, lambda kind: kind(0)),
        (functools.partial, lambda kind: kind(max, 1)),
        (pd.DataFrame, lambda kind: kind({"a": [1]})),
        (sparse.csr_matrix, lambda kind: kind([[1, 0]])),
        (np.ndarray, lambda kind: np.arange(3).view(kind)),
        (torch.Tensor, lambda kind: torch.arange(3).as_subclass(kind)),
        (dict, lambda kind: kind(a=1)),
        (list, lambda kind: kind([1])),
        (str, lambda kind: kind("a")),
        (int, lambda kind: kind(1)),
        (property, lambda kind: kind(twice)),
        (staticmethod, lambda kind: kind(twice)),
        (LogisticRegression, lambda kind: kind()),
        (torch.nn.ReLU, lambda kind: kind()),
    ],
)
def test_subclasses_are_told_by_their_code(kind, make):
    base = make(kind)
    text = "class C(kind):\n    def another(self):\n        return {}\n"
    kinds = [run(text.format(x), "C", kind=kind) for x in (1, 2)]
    values = [make(sub) for sub in kinds]
    assert different(base, *values)
    assert fingerprint(base) == fingerprint(make(kind))
    assert fingerprint(values[0]) == fingerprint(make(kinds[0]))


def test_attributes_of_subclasses_that_pickle_forgets():
    class Named(np.random.RandomState):
        pass

    one, other = Named(0), Named(0)
    one.name, other.name = "a", "b"
    assert different(one, other)


@dataclasses.dataclass
class Held:
    value: object


def test_objects_are_told_by_all_that_they_hold():
    assert different(Held(1), Held(2), Held([1]), Held(Held(1)))
    one, other = Held(1), Held(1)
    other.more = 1
    assert different(one, other)
