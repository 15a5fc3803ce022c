"""
Explaining away: coloured digits
================================

Each digit is painted in a colour of its own, in 97 of 100 images. There are no further images.
What the colour explains is added to the network's scores while it is trained
(``product_of_experts``), so that it has to learn only what the colour does not explain: the shape.
"""

# %%
# Digits with colours
# -------------------
# scikit-learn's small digits, painted as in the benchmarks of the field. In the test images
# colour and digit are independent.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from atl_sklearn.datasets import color_digits

digits = load_digits()
images, images_test, digit, digit_test = train_test_split(
    digits.images / 16, digits.target, test_size=600, stratify=digits.target, random_state=0
)
X, color = color_digits(images, digit, conflicting=0.03, random_state=0)
X_test, color_test = color_digits(images_test, digit_test, conflicting=0.9, random_state=1)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(2, 10, figsize=(8, 1.9), layout="constrained")
for row, (title, pictures) in zip(axes, {"training": X, "test": X_test}.items(), strict=True):
    row[0].set_ylabel(title)
    for ax, picture in zip(row, pictures, strict=False):
        ax.imshow(picture.transpose(1, 2, 0))
        ax.set(xticks=[], yticks=[])

# %%
# Two networks
# ------------
# ``unrelated="labels"`` takes the colours themselves: no second network is fitted. Without further
# images the defaults take the product of experts, and a small penalty beside it.

from atl_sklearn import AntiTransferClassifier

small = {"module__channels": (16, 32), "module__pool_after": (0,), "max_epochs": 20}
plain = AntiTransferClassifier(**small, random_state=0).fit(X, digit)
explained = AntiTransferClassifier(unrelated="labels", **small, random_state=0)
explained.fit(X, digit, y_unrelated=color)
print(explained.summary_)

# %%
# Right colour, wrong colour
# --------------------------
# The plain network names the digit that the colour belongs to. So look at the images whose colour
# is that of another digit.

conflicting = color_test != digit_test
names = {"plain": plain, "product of experts": explained}
parts = {"own colour": ~conflicting, "another colour": conflicting}

figure, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
for place, (name, net) in enumerate(names.items()):
    found = [net.score(X_test[part], digit_test[part]) for part in parts.values()]
    bars = ax.bar([i + 0.4 * place for i in range(2)], found, width=0.38, label=name)
    ax.bar_label(bars, fmt="%.2f")
ax.set_xticks([0.2, 1.2], parts)
ax.set(ylim=(0, 1.15), ylabel="accuracy")
_ = ax.legend(loc="upper center", ncols=2)
