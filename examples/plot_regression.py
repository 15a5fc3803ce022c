"""
Regression: how large, not how old
==================================

:class:`~atl_sklearn.AntiTransferRegressor` predicts numbers, and the nuisance may be a number too.
Here sensors report a load, and drift with their age. The oldest sensors happened to sit where the
load is highest.
"""

# %%
# Sensors
# -------
# ``slope`` says how strongly load and age go along with each other.

import numpy as np

from atl_sklearn import AntiTransferRegressor


def make_readings(n, slope, seed):
    """Return readings of ten channels, the load, and the age of the sensor."""
    rng = np.random.default_rng(seed)
    age = rng.normal(size=n)
    load = slope * age + np.sqrt(1 - slope**2) * rng.normal(size=n)
    X = rng.normal(scale=0.5, size=(n, 10))
    X[:, :3] += 2 * age[:, None]  # drift, which is easy to see
    X[:, 3:6] += 0.7 * load[:, None]
    return X.astype("float32"), load.astype("float32"), age.astype("float32")


X, load, age = make_readings(400, 0.97, seed=0)
X_test, load_test, age_test = make_readings(1000, 0.0, seed=1)
X_more, _, _ = make_readings(300, 0.0, seed=2)

# %%
# Two regressors
# --------------

plain = AntiTransferRegressor(random_state=0).fit(X, load)
anti = AntiTransferRegressor(unrelated=AntiTransferRegressor(random_state=0), random_state=0)
anti.fit(X, load, y_unrelated=age, X_unlabeled=X_more)
anti.summary_

# %%
# Errors by age
# -------------
# The plain regressor takes an old sensor for a loaded one.

import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.2), sharey=True, layout="constrained")
for ax, (name, net) in zip(axes, {"plain": plain, "anti-transfer": anti}.items(), strict=True):
    predicted = net.predict(X_test)
    ax.scatter(age_test, predicted - load_test, s=6, alpha=0.5)
    ax.axhline(0, color="k", linewidth=1)
    ax.set(title=f"{name}: R2 {net.score(X_test, load_test):.2f}", xlabel="age of the sensor")
_ = axes[0].set_ylabel("predicted - true load")
