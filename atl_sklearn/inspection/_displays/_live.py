"""The training while it goes on, in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skorch.callbacks import Callback

from atl_sklearn.inspection._displays._style import need_matplotlib
from atl_sklearn.inspection._displays._training import TrainingDisplay

if TYPE_CHECKING:
    from IPython.display import DisplayHandle
    from skorch import NeuralNet


class LiveTraining(Callback):
    """Draws losses, similarities, weight and learning rate during training.

    In a notebook the drawing is replaced after each epoch. Elsewhere it is only drawn at the end.
    `display_` has it then. A search may use it: it keeps no figure when it is cloned or pickled.

    Parameters
    ----------
    every : int, default=1
        Number of epochs from drawing to drawing.

    Attributes
    ----------
    display_ : TrainingDisplay
        What was drawn last.

    See Also
    --------
    TrainingDisplay : The same after the training.

    Examples
    --------
    >>> import numpy as np
    >>> from atl_sklearn import AntiTransferClassifier
    >>> from atl_sklearn.inspection import LiveTraining
    >>> X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    >>> live = LiveTraining()
    >>> net = AntiTransferClassifier(max_epochs=2, callbacks=[live]).fit(X, X[:, 0] > 0)
    >>> live.display_.panels
    ('loss', 'rate')
    """

    def __init__(self, every: int = 1) -> None:
        self.every = every

    def initialize(self) -> LiveTraining:
        """Check what is asked for; see skorch.

        Returns
        -------
        self : LiveTraining
            The callback.
        """
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            from atl_sklearn._validation import refuse

            raise refuse(self, "every", "an int in [1, inf)")
        need_matplotlib("LiveTraining")
        return self

    def on_train_begin(self, net: NeuralNet, **kwargs: object) -> None:
        """Make room for the drawing; see skorch."""
        self.place_: DisplayHandle | None = None

    def on_epoch_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Draw anew; see skorch."""
        if in_notebook() and len(net.history) % self.every == 0:
            self._draw(net, show=True)

    def on_train_end(self, net: NeuralNet, **kwargs: object) -> None:
        """Draw for the last time; see skorch."""
        if any("train_loss" in row for row in list.__iter__(net.history)):
            self._draw(net, show=in_notebook())

    def _draw(self, net: NeuralNet, *, show: bool) -> None:
        plt = need_matplotlib("LiveTraining")
        self.display_ = TrainingDisplay.from_history(net.history)
        if not show:
            return
        from IPython.display import display

        figure = self.display_.plot().figure_
        plt.close(figure)  # or the notebook would show it a second time
        if self.place_ is None:
            self.place_ = display(figure, display_id=True)
        else:
            self.place_.update(figure)

    def __getstate__(self) -> dict[str, object]:
        kept = {"place_", "display_"}
        return {name: value for name, value in vars(self).items() if name not in kept}


def in_notebook() -> bool:
    """Tell whether there is a notebook that shows what is drawn."""
    import sys

    return "ipykernel.zmqshell" in sys.modules
