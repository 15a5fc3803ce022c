"""
Fairness: a decision that does not depend on the sex
====================================================

A table like Adult: hours, years of school, trade. Women work fewer paid hours in it and are paid
less. Whoever predicts incomes from it predicts low ones for women, also without a column for the
sex. How far can that go down, and what does it cost?
"""

# %%
# The table
# ---------
# Synthetic, so that nothing is downloaded. :func:`~atl_sklearn.datasets.fetch_adult` gets the
# real one, and :doc:`/guide/weights` has its figures.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n = 2500
woman = rng.random(n) < 0.5
hours = rng.normal(42 - 6 * woman, 6)
years = rng.normal(12, 3, size=n)
trade = np.where(rng.random(n) < 0.8, np.where(woman, "care", "craft"), "office")
rich = hours / 6 + years / 3 - 1.2 * woman + rng.normal(size=n) > 10.3
people = pd.DataFrame({"hours": hours, "years": years, "trade": trade})
people.assign(rich=rich, woman=woman).groupby("woman").mean(numeric_only=True).round(2)

# %%
# Columns, network, nuisance
# --------------------------
# The penalty compares what the two networks *decide*, and ``target_similarity`` says how much may
# be left.

import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from atl_sklearn import AntiTransferClassifier

columns = ColumnTransformer(
    [("numbers", StandardScaler(), ["hours", "years"]), ("words", OneHotEncoder(), ["trade"])]
)
settings = {"max_epochs": 15, "random_state": 0}


def decide(target):
    """Return the decisions of a network; None for the plain one."""
    net = AntiTransferClassifier(**settings)
    given = {}
    if target is not None:
        net.set_params(
            unrelated=AntiTransferClassifier(**settings),
            layer="posterior",
            unrelated_layer="posterior",
            target_similarity=target,
        )
        given["y_unrelated"] = woman[:1000]
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(columns, net).fit(people[:1000], rich[:1000], **given)
    return model.predict(people[1000:])


# %%
# The trade-off
# -------------
# The gap of selection rates: of how many more men than women is a high income predicted?

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(5.5, 3.4), layout="constrained")
for target in (None, 0.4, 0.3, 0.2):
    rich_predicted = decide(target)
    gap = rich_predicted[~woman[1000:]].mean() - rich_predicted[woman[1000:]].mean()
    accuracy = (rich_predicted == rich[1000:]).mean()
    name = "plain" if target is None else f"target {target}"
    ax.scatter(gap, accuracy, color="tab:gray" if target is None else "tab:blue")
    ax.annotate(name, (gap, accuracy), textcoords="offset points", xytext=(6, 4))
ax.set(xlabel="gap of selection rates", ylabel="accuracy")
ax.margins(0.15)

# %%
# Each step to the left costs something. Which one to take is not for an algorithm to say.
