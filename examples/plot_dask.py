"""
A grid over a Dask cluster
==========================

The fits of a grid search run on the workers of a cluster: here two inside this process, elsewhere
on as many machines as you have. The network that knows the nuisance would be sent with each fit;
``share_network`` sends it to each worker's process once.
"""

# %%
# Data, and a large network that knows the nuisance
# -------------------------------------------------
# The nuisance agrees with the target in four samples of five, and is easier to see.

import numpy as np

from atl_sklearn import AntiTransferClassifier

rng = np.random.default_rng(0)
target = rng.integers(2, size=300)
nuisance = np.where(rng.random(300) < 0.8, target, 1 - target)
X = rng.normal(size=(300, 20)).astype("float32")
X[:, 0] += target
X[:, 1] += 3 * nuisance

knows = AntiTransferClassifier(
    module__hidden_layer_sizes=(800, 800), max_epochs=5, random_state=0
).fit(X, nuisance)

# %%
# A cluster
# ---------
# ``Client("tcp://scheduler:8786")`` would connect to one that runs already.

from distributed import Client, LocalCluster

cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
client = Client(cluster)

# %%
# What is sent with each fit
# --------------------------

import pickle

from atl_sklearn.tuning import share_network

shared = share_network(knows, client)
sizes = {
    name: len(pickle.dumps(AntiTransferClassifier(unrelated=unrelated))) / 1e6
    for name, unrelated in [("the network itself", knows), ("its name", shared)]
}
for name, size in sizes.items():
    print(f"{name}: {size:.3f} MB")

# %%
# The search
# ----------
# joblib's backend is all that changes.

import warnings

import joblib
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

warnings.filterwarnings("ignore", category=ConvergenceWarning)  # a grid has poor settings too
weights = [0, 0.1, 0.3, 1, 3]
net = AntiTransferClassifier(unrelated=shared, max_epochs=15, lr=0.01, random_state=0)
with joblib.parallel_config("dask"):
    search = GridSearchCV(net, {"weight": weights}, cv=4).fit(X, target)
client.close()
cluster.close()
print(search.best_params_)

# %%
# The folds are confounded as the data are, so this score says how well each network does on data
# like these. :ref:`sphx_glr_examples_plot_grid_search.py` has a score that does not reward the
# nuisance.

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3), layout="constrained")
left.bar_label(left.bar(list(sizes), list(sizes.values())), fmt="%.3f MB")
left.set(ylim=(0, 9), ylabel="MB with each fit", title="What is sent")
table = search.cv_results_
right.errorbar(
    [str(weight) for weight in weights], table["mean_test_score"], table["std_test_score"],
    marker="o", capsize=3,
)  # fmt: skip
right.set(xlabel="weight", ylabel="accuracy", title=f"{4 * len(weights)} fits on two workers")
