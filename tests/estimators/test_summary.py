"""What a fit says of itself: the summary, its warnings, the bar and the lines."""

import pathlib
import pickle
import warnings
from html import escape

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import PrintLog

from atl_sklearn import AntiTransferClassifier, AntiTransferRegressor
from atl_sklearn.estimators._convergence import judge_convergence, judge_penalty
from tests.estimators.test_recipe import Endless

SEEDED = {"random_state": 0}


def warned(fit, *args, **kwargs):
    """Return the messages of the warnings of convergence, and where they point."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        fit(*args, **kwargs)
    found = [w for w in found if issubclass(w.category, ConvergenceWarning)]
    return [str(w.message) for w in found], {pathlib.Path(w.filename).name for w in found}


# ---- warnings -----------------------------------------------------------------------------


def test_a_training_that_is_long_enough_warns_of_nothing(tabular, unrelated):
    X, y, _ = tabular
    for params in ({}, {"unrelated": unrelated}):
        net = AntiTransferClassifier(max_epochs=60, **params, **SEEDED)
        assert warned(net.fit, X, y) == ([], set())
        assert net.summary_.converged is True
        assert net.summary_.warnings == ()


def test_a_training_that_is_too_short_says_so_at_the_users_line(tabular):
    X, y, _ = tabular
    for net in (
        AntiTransferClassifier(lr=1e-5, **SEEDED),
        make_pipeline(StandardScaler(), AntiTransferClassifier(max_epochs=1, **SEEDED)),
    ):
        (message,), files = warned(net.fit, X, y)
        assert "AntiTransferClassifier is far from converged after" in message
        assert "Raise max_epochs" in message
        assert files == {pathlib.Path(__file__).name}
    assert net[-1].summary_.converged is False


def test_a_network_without_a_layer_for_it_is_told_to_scale(tabular):
    X, y, _ = tabular
    for standardize in (True, False):
        net = AntiTransferClassifier(max_epochs=1, module__standardize=standardize, **SEEDED)
        (message,), _ = warned(net.fit, X, y)
        assert ("StandardScaler" in message) is not standardize


def test_parts_of_a_training_need_not_converge(tabular):
    X, y, _ = tabular
    net = AntiTransferClassifier(max_epochs=1, **SEEDED)
    assert warned(net.partial_fit, X, y) == ([], set())
    assert net.summary_.converged is None


def test_one_class_for_everything(tabular):
    X, y, _ = tabular
    labels = np.array(["rare", "often"])[(np.arange(len(y)) > 5).astype(int)]
    net = AntiTransferClassifier(lr=1e-3, max_epochs=8, weight_decay=100.0, **SEEDED)
    found, _ = warned(net.fit, X, labels)
    assert set(net.predict(X)) == {"often"}
    (message,) = [text for text in found if "same class" in text]
    assert "all of 80 training samples: 'often'" in message
    assert "class_weight='balanced'" in message


def test_one_class_at_a_high_weight_names_it(tabular, unrelated):
    X, _, nuisance = tabular
    net = AntiTransferClassifier(unrelated=unrelated, weight=1e5, max_epochs=3, **SEEDED)
    found, _ = warned(net.fit, X, nuisance)
    if len(set(net.predict(X))) == 1:
        assert any("Lower weight, which is 100000.0" in text for text in found)
    else:
        assert not any("same class" in text for text in found)


def test_a_penalty_that_changes_nothing(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, weight=1e-7, **SEEDED)
    (message,), _ = warned(net.fit, X, y)
    assert "'hidden.1.activation' changed nothing measurable" in message
    assert "Raise weight" in message


def test_a_penalty_that_does_not_fall(tabular, unrelated):
    X, _, nuisance = tabular
    net = AntiTransferClassifier(unrelated=unrelated, weight=0.02, **SEEDED)
    (message,), _ = warned(net.fit, X, nuisance)
    assert "did not fall: the similarity is 0." in message


@pytest.mark.parametrize(
    ("losses", "rates", "why"),
    [
        (np.exp(-np.arange(60) / 8), np.ones(60), ""),
        (np.linspace(1, 0.8, 60), np.ones(60), "the task loss still fell by"),
        (np.full(60, 0.7), np.ones(60), "the task loss is 0.7 after 0.7"),
        (np.linspace(0.7, 0.75, 60), np.ones(60), "the task loss is"),
        ([1.0, 0.5], [1, 1], "it had 2 steps"),
        ([], [], ""),
        # A loss that falls with the rate is brought to rest by the schedule alone.
        (1 - 0.3 * np.cumsum(np.linspace(1, 0, 60)) / 30, np.linspace(1, 0, 60), "still fell"),
    ],
)
def test_what_convergence_is(losses, rates, why):
    found = judge_convergence(losses, rates)
    assert why in found
    assert bool(why) == bool(found)


def test_without_an_epoch_it_says_why_there_is_no_penalty(tabular, unrelated):
    X, y, _ = tabular
    net = AntiTransferClassifier(unrelated=unrelated, max_epochs=0, **SEEDED).fit(X, y)
    assert "there were no epochs." in repr(net.summary_)


def test_no_penalty_no_judgement():
    assert judge_penalty("it", 0.3, 0.5, 0.0, (1.0, 0.5)) == ""


# ---- the summary --------------------------------------------------------------------------


@pytest.mark.parametrize("product_of_experts", ["auto", 0])
def test_what_the_summary_says(tabular, unrelated, product_of_experts):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(
        unrelated=[unrelated, AntiTransferClassifier(max_epochs=20, **SEEDED)],
        weight=["auto", 0.5], product_of_experts=product_of_experts, max_epochs=60, **SEEDED,
    ).fit(X, y, y_unrelated=nuisance)  # fmt: skip
    summary = net.summary_
    assert (summary.estimator, summary.n_epochs, summary.max_epochs) == (
        "AntiTransferClassifier", 60, 60,
    )  # fmt: skip
    assert summary.train_loss == (net.history[0, "train_loss"], net.history[-1, "train_loss"])
    assert summary.valid_loss is None
    one, other = summary.comparisons
    assert one.unrelated_score is None
    assert other.unrelated_score == net.unrelated_score_[1]
    assert net.weight_ == [0.3, 0.5]
    row = net.history[-1]
    assert (one.weight, other.weight) == (row["penalty_weight_0"], row["penalty_weight_1"])
    assert [one.chosen_weight, other.chosen_weight] == net.weight_
    strength = summary.product_of_experts
    assert strength == net.product_of_experts_
    assert 0 < strength < 1 if product_of_experts == "auto" else strength == 0
    if strength:
        assert one.weight < 0.3
        assert other.weight < 0.5
        one_ends, other_ends = (
            f", {found.weight:.3g} in the last epoch (beside the product of experts)"
            for found in (one, other)
        )
    else:
        assert (one.weight, other.weight) == (0.3, 0.5)
        one_ends = other_ends = ""
    assert (one.weight_from, other.weight_from) == ("automatic", "as given")
    assert one.first == net.history[0, "train_penalty_0"]
    assert one.last == net.history[-1, "train_penalty_0"]
    text = repr(summary)
    for part in (
        "60 of 60 epochs, converged",
        f"(score {other.unrelated_score:.3f})",
        f"weight 0.3 (automatic){one_ends};",
        f"weight 0.5 (as given){other_ends}{';' if strength else '.'}",
    ):
        assert part in text
    html = summary._repr_html_()
    assert f"<td>0.3 (automatic){one_ends}</td>" in html
    for found in (text, html):
        assert ("product of experts" in found) == bool(strength)
        assert not strength or f"product of experts of strength {strength:.3g}" in found
    assert html.count("<tr>") == 3
    assert "AntiTransferClassifier 1" in html
    assert pickle.loads(pickle.dumps(net)).summary_ == summary


@pytest.mark.parametrize(
    ("params", "ends"),
    [
        ({}, ""),
        ({"weight_schedule": lambda epoch: 1.0}, ""),
        ({"weight_schedule": "linear_warmup"}, ""),
        ({"weight_schedule": "cosine"}, ", 0.125 in the last epoch (by its schedule)"),
        (
            {"weight_schedule": "cosine", "product_of_experts": 1.0},
            ", {:.3g} in the last epoch (by its schedule, beside the product of experts)",
        ),
        ({"target_similarity": 0.9}, ""),
    ],
)
def test_the_weight_of_the_last_epoch_is_told_where_it_is_another(tabular, unrelated, params, ends):
    X, _, nuisance = tabular
    params = {"product_of_experts": 0.0, **params}
    net = AntiTransferClassifier(unrelated=unrelated, weight=0.5, max_epochs=3, **params, **SEEDED)
    (found,) = net.fit(X, nuisance).summary_.comparisons
    assert found.chosen_weight == net.weight_
    assert str(found).endswith(
        f"weight {net.weight_:.3g} ({found.weight_from}){ends.format(found.weight)}"
    )
    if params["product_of_experts"]:
        assert found.weight < 0.125


TOO_LITTLE = "the nuisance says too little of the target, so weight='auto' is 0."


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({}, "Plain network: there is no unrelated task."),
        ({"weight": 0}, "Plain network: the weight is 0."),
        ({"product_of_experts": 0}, f"Plain network: {TOO_LITTLE}"),
        ({"weight": "auto"}, f"Plain network: {TOO_LITTLE}"),
        (
            {"product_of_experts": 1},
            f"Product of experts of strength 1; no penalty: {TOO_LITTLE}",
        ),
        (
            {"weight": 0, "product_of_experts": 0.5},
            "Product of experts of strength 0.5; no penalty: the weight is 0.",
        ),
    ],
)
def test_why_a_network_is_plain(tabular, unrelated, params, line):
    X, y, _ = tabular
    if params:
        params = {**params, "unrelated": unrelated}
    y = np.arange(len(y)) % 2
    net = AntiTransferClassifier(max_epochs=2, **params, **SEEDED).fit(X, y)
    assert net.weight_ == 0
    assert net.summary_.lines()[1] == line
    assert escape(line) in net.summary_._repr_html_()


def test_a_regressor_has_one_too(tabular):
    X, y, _ = tabular
    net = AntiTransferRegressor(train_split=lambda data, y: (data, data), **SEEDED).fit(X, y)
    assert net.summary_.valid_loss[1] < net.summary_.valid_loss[0]
    assert "validation loss" in repr(net.summary_)


# ---- what is printed ----------------------------------------------------------------------


def test_a_quiet_fit_prints_nothing(tabular, unrelated, capfd):
    X, y, _ = tabular
    AntiTransferClassifier(unrelated=unrelated, **SEEDED).fit(X, y)
    assert capfd.readouterr() == ("", "")


def test_one_prints_plain_lines_and_the_summary(tabular, capfd):
    X, y, nuisance = tabular
    net = AntiTransferClassifier(
        unrelated=AntiTransferClassifier(max_epochs=20, **SEEDED),
        max_epochs=20,
        verbose=1,
        **SEEDED,
    )
    net.fit(X, y, y_unrelated=nuisance)
    out, err = capfd.readouterr()
    assert "Fitting what is unrelated" in out.splitlines()[0]
    assert out.splitlines()[-2:] == list(net.summary_.lines())
    lines = err.splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("AntiTransferClassifier: 6/60 steps, 00:0")
    assert lines[-1].startswith("AntiTransferClassifier: 60/60 steps")
    assert "epoch 20 of 20, loss" in lines[-1]
    assert "\r" not in err
    assert "\x1b" not in out + err


def test_a_bar_of_epochs_comes_to_its_end(tabular, capfd):
    """An iterator of the user's that does not say how many batches it has is shown by epochs."""
    X, y, _ = tabular
    AntiTransferClassifier(iterator_train=Endless, max_epochs=4, verbose=1, **SEEDED).fit(X, y)
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == [
        f"AntiTransferClassifier: {epoch}/4 epochs" for epoch in range(1, 5)
    ]


def test_an_unrelated_task_that_was_not_learnt_is_told_at_the_users_line(tabular):
    X, y, _ = tabular
    noise = np.random.RandomState(1).randint(2, size=len(y))
    net = AntiTransferClassifier(unrelated=AntiTransferClassifier(**SEEDED), **SEEDED)
    with pytest.warns(UserWarning, match="did not learn y_unrelated") as found:
        net.fit(X, y, y_unrelated=noise)
    (one,) = [w for w in found if "did not learn" in str(w.message)]
    assert pathlib.Path(one.filename).name == pathlib.Path(__file__).name


def test_two_prints_more(tabular, capfd):
    X, y, _ = tabular
    printed = []
    for verbose in (1, 2):
        AntiTransferClassifier(max_epochs=3, verbose=verbose, **SEEDED).fit(X, y)
        printed.append(capfd.readouterr().out)
    assert "train_loss" not in printed[0]
    assert "train_loss" in printed[1]
    assert printed[1].endswith(printed[0])


def test_a_sink_of_the_users_hears_every_epoch(tabular):
    X, y, _ = tabular
    heard = []
    AntiTransferClassifier(max_epochs=3, callbacks__print_log__sink=heard.append).fit(X, y)
    assert len(heard) == 5
    heard = []
    AntiTransferClassifier(
        max_epochs=3, callbacks=[("own", PrintLog(sink=heard.append))], callbacks__print_log=None
    ).fit(X, y)
    assert len(heard) == 5
