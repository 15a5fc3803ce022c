"""What happened in a fit, in one place."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

_COLUMNS = (
    "unrelated",
    "its score",
    "layer",
    "similarity, first epoch",
    "similarity, last epoch",
    "weight",
)


@dataclass(frozen=True)
class ComparisonSummary:
    """How the similarity to one unrelated network changed, at one layer.

    Attributes
    ----------
    unrelated : str
        The unrelated network.
    unrelated_score : float or None
        How well it learnt its own task, on held-out samples; None if `fit` did not fit it.
    layer : str
        The layer of the network in training.
    first, last : float
        The similarity in the first and in the last epoch.
    weight : float
        The weight of the penalty in the last epoch.
    weight_from : str
        Where the given or chosen weight comes from.
    chosen_weight : float or None, default=None
        The weight that was given or chosen; None if it is `weight`.
    changed_by : str, default=""
        Why `weight` is not `chosen_weight`: a schedule, or a product of experts beside the penalty.

    Examples
    --------
    >>> from atl_sklearn.estimators import ComparisonSummary
    >>> print(ComparisonSummary("Net", 0.9, "last", 0.3, 0.1, 1.0, "as given"))
    similarity to Net (score 0.900) at 'last' 0.300 -> 0.100, weight 1 (as given)
    """

    unrelated: str
    unrelated_score: float | None
    layer: str
    first: float
    last: float
    weight: float
    weight_from: str
    chosen_weight: float | None = None
    changed_by: str = ""

    def __str__(self) -> str:
        score = "" if self.unrelated_score is None else f" (score {self.unrelated_score:.3f})"
        return (
            f"similarity to {self.unrelated}{score} at {self.layer!r} {self.first:.3f} -> "
            f"{self.last:.3f}, weight {self._weights()}"
        )

    def _weights(self) -> str:
        """Return the chosen weight, and that of the last epoch if it reads differently."""
        last = f"{self.weight:.3g}"
        chosen = last if self.chosen_weight is None else f"{self.chosen_weight:.3g}"
        text = f"{chosen} ({self.weight_from})"
        if chosen != last:
            text += f", {last} in the last epoch"
            text += f" ({self.changed_by})" if self.changed_by else ""
        return text


@dataclass(frozen=True)
class FitSummary:
    """What happened in a fit.

    Attributes
    ----------
    estimator : str
        The class of the estimator.
    n_epochs, max_epochs : int
        Epochs that were finished, and that you asked for.
    ended_by : {"max_epochs", "callback", "interruption"}
        What ended the training.
    converged : bool or None
        Whether the task loss stopped falling; None if a callback or an interruption ended the
        training, and after `partial_fit`.
    train_loss : (float, float) or None
        The task loss in the first and in the last epoch.
    valid_loss : (float, float) or None
        The same on the validation data; None without any.
    comparisons : tuple of ComparisonSummary
        One for each unrelated network and layer; none for a plain network.
    why_plain : str
        Why there are no comparisons.
    product_of_experts : float
        The strength that was used for what the nuisance explains of the target.
    warnings : tuple of str
        The warnings of `fit`.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from atl_sklearn import AntiTransferClassifier
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> AntiTransferClassifier(random_state=0).fit(X, y).summary_  # doctest: +ELLIPSIS
    AntiTransferClassifier: 30 of 30 epochs, converged, task loss 0... -> 0...
    Plain network: there is no unrelated task.
    """

    estimator: str
    n_epochs: int
    max_epochs: int
    ended_by: str
    converged: bool | None
    train_loss: tuple[float, float] | None
    valid_loss: tuple[float, float] | None
    comparisons: tuple[ComparisonSummary, ...]
    why_plain: str
    product_of_experts: float
    warnings: tuple[str, ...]

    def lines(self) -> tuple[str, str]:
        """Return two lines of text.

        Returns
        -------
        lines : tuple of two str
            The training, and the anti-transfer.
        """
        how = {True: "converged", False: "not converged", None: f"ended by {self.ended_by}"}
        known = self.ended_by == "max_epochs" and self.converged is None
        parts = [f"{self.n_epochs} of {self.max_epochs} epochs"]
        parts += [] if known else [how[self.converged]]
        for name, losses in (("task", self.train_loss), ("validation", self.valid_loss)):
            if losses is not None:
                parts.append(f"{name} loss {losses[0]:.3f} -> {losses[1]:.3f}")
        forms = list(map(str, self.comparisons))
        if self.product_of_experts:
            forms.append(f"product of experts of strength {self.product_of_experts:.3g}")
            forms += [] if self.comparisons else [f"no penalty: {self.why_plain}"]
        text = "; ".join(forms) or f"plain network: {self.why_plain}"
        return f"{self.estimator}: {', '.join(parts)}", f"{text[0].upper()}{text[1:]}."

    def __repr__(self) -> str:
        return "\n".join([*self.lines(), *(f"Warning: {text}" for text in self.warnings)])

    def _repr_html_(self) -> str:
        title, _ = self.lines()
        rows = "".join(
            "<tr>"
            + "".join(
                f"<td>{escape(value)}</td>"
                for value in (
                    found.unrelated,
                    "" if found.unrelated_score is None else f"{found.unrelated_score:.3f}",
                    found.layer,
                    f"{found.first:.3f}",
                    f"{found.last:.3f}",
                    found._weights(),
                )
            )
            + "</tr>"
            for found in self.comparisons
        )
        head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
        table = f"<table><tr>{head}</tr>{rows}</table>" if rows else ""
        if self.product_of_experts or not rows:
            table += f"<p>{escape(self.lines()[1])}</p>"
        warned = "".join(f"<p>Warning: {escape(text)}</p>" for text in self.warnings)
        return f"<p>{escape(title)}</p>{table}{warned}"
