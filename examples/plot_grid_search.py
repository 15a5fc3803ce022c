"""
A grid of weights, in a pipeline
================================

How strongly, and by which metric? ``GridSearchCV`` finds out. The nuisance goes along with the
data through search, folds and pipeline, and the unrelated network is fitted anew in each fold.
"""

# %%
# A table in which the site gives the diagnosis away
# --------------------------------------------------

import numpy as np


def make_patients(n, agreement, seed):
    """Return measurements, diagnoses, and the site that each was measured at."""
    rng = np.random.default_rng(seed)
    ill = rng.integers(2, size=n)
    site = np.where(rng.random(n) < agreement, ill, 1 - ill)
    X = rng.normal(size=(n, 10))
    X[:, :2] += 3 * np.eye(2)[site]
    X[:, 2:4] += 2 * np.eye(2)[ill]
    return X.astype("float32"), ill, site


X, ill, site = make_patients(300, 0.9, seed=0)
X_more, _, _ = make_patients(250, 0.5, seed=2)

# %%
# What to select by
# -----------------
# Folds of confounded data are confounded, so plain accuracy would prefer the network that cheats.
# Balanced weights give each combination of site and diagnosis the same say: a score that you can
# compute without any other data. Metadata routing has to be on for it.

import sklearn
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.utils.class_weight import compute_sample_weight

sklearn.set_config(enable_metadata_routing=True)
balance = compute_sample_weight("balanced", 2 * ill + site)
scorer = make_scorer(accuracy_score).set_score_request(sample_weight=True)

# %%
# The search
# ----------
# ``y_unrelated`` and ``X_unlabeled`` need not be requested.

from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from atl_sklearn import AntiTransferClassifier

net = AntiTransferClassifier(
    unrelated=AntiTransferClassifier(max_epochs=15),
    max_epochs=15,
    random_state=0,
).set_fit_request(sample_weight=False)
pipeline = make_pipeline(QuantileTransformer(n_quantiles=50), net, transform_input=["X_unlabeled"])
search = GridSearchCV(
    pipeline, {"antitransferclassifier__weight": [0, 0.3, 1, 3]}, scoring=scorer, cv=3
)
search.fit(X, ill, y_unrelated=site, X_unlabeled=X_more, sample_weight=balance)
sklearn.set_config(enable_metadata_routing=False)
print(search.best_params_)

# %%
# Scores by weight
# ----------------
# And what each weight gives on patients of whom site and diagnosis are independent, which the
# search has not seen.

import matplotlib.pyplot as plt

X_test, ill_test, _ = make_patients(1000, 0.5, seed=1)
weights = [str(weight) for weight in search.cv_results_["param_antitransferclassifier__weight"]]
means, stds = (search.cv_results_[f"{kind}_test_score"] for kind in ("mean", "std"))

figure, ax = plt.subplots(figsize=(5.5, 3.2), layout="constrained")
ax.errorbar(weights, means, stds, marker="o", capsize=3, label="search, balanced folds")
ax.axhline(
    search.best_estimator_.score(X_test, ill_test),
    color="tab:orange", label="the chosen one, on new patients",
)  # fmt: skip
ax.set(xlabel="weight; 0 is the plain network", ylabel="accuracy")
_ = ax.legend()
