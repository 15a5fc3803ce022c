"""
A study that survives Ctrl-C, and a Pareto front
================================================

How strong, at which layer, by which metric? ``AntiTransferSearchCV`` asks Optuna. It begins with
the plain network, ends bad trials early, keeps everything in a folder, and says what the best one
gains. A second study has two objectives, and draws what you pay for invariance.
"""

# %%
# Patients whose site almost gives the diagnosis away
# ---------------------------------------------------
# A network that leans on the site fails on the others: healthy patients of the site of the ill, and
# the other way round. They are the worst group.

import numpy as np


def make_patients(n, agreement, seed):
    """Return measurements, diagnoses, and the site that each was measured at."""
    rng = np.random.default_rng(seed)
    ill = rng.integers(2, size=n)
    site = np.where(rng.random(n) < agreement, ill, 1 - ill)
    X = rng.normal(size=(n, 10))
    X[:, :2] += 2 * np.eye(2)[site]
    X[:, 2:4] += 1.5 * np.eye(2)[ill]
    return X.astype("float32"), ill, site


X, ill, site = make_patients(400, 0.85, seed=0)
X_more, _, _ = make_patients(250, 0.5, seed=1)  # nobody labeled these
groups = np.where(site == ill, "usual", "other")

# %%
# The search
# ----------
# ``storage`` is a folder; a database works as well. The network of the site is fitted once for
# each fold and not for each trial.

import tempfile
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.tuning import AntiTransferSearchCV, anti_transfer_distributions

# A search tries poor settings on purpose.
warnings.filterwarnings("ignore", category=ConvergenceWarning)
folder = tempfile.mkdtemp()
small = {"module__hidden_layer_sizes": (32, 16), "max_epochs": 20, "lr": 0.01, "random_state": 0}
net = AntiTransferClassifier(unrelated=AntiTransferClassifier(**small), **small)
space = anti_transfer_distributions(
    net, X, metrics=["cross_correlation", "cka", "ridge_r2"], aggregations=["spatial_mean"],
    weights=[0, 0.3, 1, 3, 10], schedules=["constant"],
)  # fmt: skip
search = AntiTransferSearchCV(
    net,
    space,
    objective="worst_group",
    cv=StratifiedKFold(3),
    n_trials=14,
    storage=folder,
    random_state=0,
)
data = {"groups": groups, "y_unrelated": site, "X_unlabeled": X_more}

# %%
# Ctrl-C
# ------
# Here the pruner presses it, in the eighth trial. The error says what is kept.

import signal

import optuna


class Interrupting(optuna.pruners.MedianPruner):
    """Ends trials below the median, and presses Ctrl-C in the eighth."""

    def prune(self, study, trial):
        """Return whether a trial is to end."""
        if trial.number >= 7:
            signal.raise_signal(signal.SIGINT)
        return super().prune(study, trial)


search.set_params(pruner=Interrupting())
try:
    search.fit(X, ill, **data)
except KeyboardInterrupt as interrupt:
    print("Interrupted.", *interrupt.__notes__)

# %%
# The same call again
# -------------------
# It makes the trials that are missing, and no others. Look at the interval before you believe the
# gain.

search.set_params(pruner="auto")
search.fit(X, ill, **data)
print(f"plain network: {search.baseline_score_:.2f}, chosen: {search.best_score_:.2f}")
print("gain:", search.gain_)
print(search.best_params_)

# %%
# Pruned trials cost little: most of their epochs were not trained.

import matplotlib.pyplot as plt

table = search.cv_results_
scores, state = table["mean_test_score"], table["state"]
complete = state == "complete"
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(table["trial"][complete], scores[complete], "o", label="complete")
ended = table["trial"][state == "pruned"]
ax.plot(ended, np.full(len(ended), np.nanmin(scores)), "x", color="tab:gray", label="pruned")
ax.axhline(search.baseline_score_, color="tab:orange", label="plain network")
ax.set(xlabel="trial", ylabel="accuracy of the worst group")
_ = ax.legend(fontsize=8)

# %%
# What invariance costs
# ---------------------
# Two objectives: a high score, and a probe that reads little of the site. ``pareto_`` has the
# trials that no other one beats in both; you choose among them.

from atl_sklearn.inspection import TradeOffDisplay

trade_off = AntiTransferSearchCV(
    net,
    space,
    objective="trade_off",
    cv=StratifiedKFold(3),
    n_trials=8,
    refit=False,
    random_state=0,
)
trade_off.fit(X, ill, y_unrelated=site, X_unlabeled=X_more)
for point in trade_off.pareto_:
    print(f"score {point.score:.2f}, probe {point.probe:.2f}: {point.params}")
_ = TradeOffDisplay.from_search(trade_off).plot()
