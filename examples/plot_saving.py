"""
Save, load elsewhere, export
============================

A fitted model goes into one file, of which nothing is run when it is loaded. Another process
predicts the same from it; a program without this package uses the ONNX file.
"""

# %%
# A model
# -------

import numpy as np
from sklearn.datasets import load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from atl_sklearn import AntiTransferClassifier

X, y = load_wine(return_X_y=True)
X = X.astype("float32")
strong = (X[:, 0] > 13).astype(int)  # the alcohol must not decide
net = AntiTransferClassifier(unrelated=AntiTransferClassifier(max_epochs=10), random_state=0)
model = make_pipeline(StandardScaler(), net)
model.fit(X, y, antitransferclassifier__y_unrelated=strong)

# %%
# One file, another process
# -------------------------

import subprocess
import sys
import tempfile
from pathlib import Path

import atl_sklearn

folder = Path(tempfile.mkdtemp())
atl_sklearn.save(model, folder / "wine.safetensors")
np.save(folder / "X.npy", X)
code = """
import sys, numpy as np, atl_sklearn
model = atl_sklearn.load(sys.argv[1] + "/wine.safetensors")
np.save(sys.argv[1] + "/there.npy", model.predict_proba(np.load(sys.argv[1] + "/X.npy")))
"""
subprocess.run([sys.executable, "-c", code, str(folder)], check=True)
here, there = model.predict_proba(X), np.load(folder / "there.npy")
print(
    "size:",
    (folder / "wine.safetensors").stat().st_size // 1000,
    "kB; the same:",
    (here == there).all(),
)

# %%
# Another program
# ---------------
# ``export_onnx`` (extra ``onnx``) writes what predicts, with the scaling of its input. The file
# was tried before it was kept. Here onnxruntime runs it, without this package and without
# PyTorch.

import onnxruntime

atl_sklearn.export_onnx(model, folder / "wine.onnx")
session = onnxruntime.InferenceSession(folder / "wine.onnx")
elsewhere = session.run(None, {session.get_inputs()[0].name: X})[0]

# %%
# How far apart
# -------------

import matplotlib.pyplot as plt

figure, ax = plt.subplots(figsize=(4.2, 3.6), layout="constrained")
ax.scatter(here, elsewhere, s=10)
ax.set(
    xlabel="probability here",
    ylabel="probability by onnxruntime",
    title=f"largest difference {np.abs(here - elsewhere).max():.0e}",
)  # fmt: skip
