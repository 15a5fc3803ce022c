"""
Which layer?
============

Early layers hold what is close to the input, late ones what is close to the target.
``layer_study`` fits a network for each layer and weight, besides the plain one, and says which to
take.
"""

# %%
# Images in which the shade gives the shape away
# ----------------------------------------------

import numpy as np


def make_images(n, agreement, seed):
    """Return images, their shapes and their shades."""
    rng = np.random.default_rng(seed)
    shade = rng.integers(2, size=n)
    shape = np.where(rng.random(n) < agreement, shade, 1 - shade)
    X = rng.normal(size=(n, 10))
    X[:, 0] += 3 * shade
    X[:, 1] += 1.5 * shape
    return X.astype("float32"), shape, shade


X, shape, shade = make_images(300, 0.96, seed=0)
test = make_images(400, 0.5, seed=1)
X_more, _, _ = make_images(250, 0.5, seed=2)

# %%
# The layers have names
# ---------------------

from atl_sklearn import AntiTransferClassifier, list_layers

knows_shade = AntiTransferClassifier(max_epochs=15, random_state=0)
X_other, _, shade_other = make_images(300, 0.5, seed=3)
knows_shade.fit(X_other, shade_other)
list_layers(knows_shade, X[:2])

# %%
# The study
# ---------
# With ``folder`` it would go on after an interruption, and with ``n_jobs`` fit several at a time.

from atl_sklearn.inspection import layer_study

net = AntiTransferClassifier(unrelated=knows_shade, max_epochs=15, random_state=0)
study = layer_study(
    net, X, shape, shade, layers=[0, 1], weights=[1, 3], test=test, X_unlabeled=X_more
)
print(f"take layer {study.best_layer!r} with weight {study.best_weight}")
_ = study.plot()

# %%
# Several layers at once
# ----------------------
# ``layer`` takes a list, and ``metric`` one entry for each. Their penalties are added.

both = AntiTransferClassifier(
    unrelated=knows_shade, layer=[0, "last"], max_epochs=15, random_state=0
)
both.fit(X, shape, X_unlabeled=X_more)
both.summary_
