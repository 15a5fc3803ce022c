"""TensorBoard, MLflow, Weights & Biases
=====================================

Follow a search in TensorBoard, MLflow or Weights & Biases.

skorch has callbacks for all three, but they are given something that is open, a file or a run,
which can neither be cloned nor sent to another process: a search fails on them. `Fresh` is given
what makes them instead, makes one for each training, and forgets it at the end.

::

    python examples/tracking.py --tool tensorboard   # pip install tensorboard
    python examples/tracking.py --tool mlflow        # pip install mlflow
    python examples/tracking.py --tool wandb         # pip install wandb

MLflow writes where the environment variable MLFLOW_TRACKING_URI says, such as sqlite:///mlflow.db;
Weights & Biases writes into a folder and asks for no account where WANDB_MODE is offline.
"""

import argparse
import contextlib
import os
import tempfile
from functools import partial

from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from atl_sklearn import AntiTransferClassifier
from atl_sklearn.datasets import make_notes


class Fresh(Callback):
    """A callback that is made anew for each training.

    Parameters
    ----------
    make : callable
        Makes skorch's callback, given the estimator. A function of a module, or a partial of one,
        so that it can be sent to other processes.
    """

    def __init__(self, make):
        self.make = make

    def on_train_begin(self, net, **kwargs):
        """Make the callback, and begin."""
        self.inner_ = self.make(net)
        self.inner_.initialize()
        self.inner_.on_train_begin(net, **kwargs)

    def on_batch_end(self, net, **kwargs):
        """Hand on."""
        self.inner_.on_batch_end(net, **kwargs)

    def on_epoch_end(self, net, **kwargs):
        """Hand on."""
        self.inner_.on_epoch_end(net, **kwargs)

    def on_train_end(self, net, **kwargs):
        """Hand on, and forget the callback."""
        self.inner_.on_train_end(net, **kwargs)
        del self.inner_  # it may hold files or threads, which cannot be pickled


def tensorboard(net, folder):
    """Return a callback that writes a run into a folder of its own."""
    from skorch.callbacks import TensorBoard
    from torch.utils.tensorboard import SummaryWriter

    os.makedirs(folder, exist_ok=True)
    run = tempfile.mkdtemp(prefix=f"weight_{net.weight}_", dir=folder)
    return TensorBoard(SummaryWriter(run), close_after_train=True)


def mlflow(net, experiment):
    """Return a callback that logs into a run of MLflow, where MLFLOW_TRACKING_URI says."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
    from skorch.callbacks import MlflowLogger

    client = MlflowClient()
    with contextlib.suppress(MlflowException):  # there is one, or another process was faster
        client.create_experiment(experiment)
    number = client.get_experiment_by_name(experiment).experiment_id
    run = client.create_run(number, tags={"weight": str(net.weight)})
    return MlflowLogger(run, client, terminate_after_train=True)


def wandb(net, project):
    """Return a callback that logs into a run of Weights & Biases."""
    import wandb
    from skorch.callbacks import WandbLogger

    class Finished(WandbLogger):
        """Ends its run with the training; a process may be ended before it does so itself."""

        def on_train_end(self, net, **kwargs):
            """End the run."""
            self.wandb_run.finish()

    run = wandb.init(project=project, config={"weight": net.weight}, reinit="finish_previous")
    # It would save the network that is best on validation data, of which there are none here.
    return Finished(run, save_model=False)


def search(make, n_jobs=None):
    """Search for a weight, with a run in the tool for each fit."""
    notes = make_notes(200, correlation=0.8, random_state=0)
    X = abs(notes.data[:, :512]).astype("float32")
    unrelated = AntiTransferClassifier(max_epochs=2, random_state=0).fit(X, notes.pitch)
    net = AntiTransferClassifier(
        unrelated=unrelated, max_epochs=3, random_state=0, callbacks=[("tracking", Fresh(make))]
    )
    return GridSearchCV(net, {"weight": [0, 1]}, cv=2, n_jobs=n_jobs).fit(X, notes.timbre)


def main():
    """Search, and follow it in the tool that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[3])
    parser.add_argument("--tool", choices=["tensorboard", "mlflow", "wandb"], required=True)
    parser.add_argument("--folder", default="runs")
    options = parser.parse_args()
    makers = {
        "tensorboard": partial(tensorboard, folder=options.folder),
        "mlflow": partial(mlflow, experiment="anti-transfer"),
        "wandb": partial(wandb, project="anti-transfer"),
    }
    print(search(makers[options.tool], n_jobs=2).best_params_)


if __name__ == "__main__":
    main()
