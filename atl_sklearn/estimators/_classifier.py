"""The classifier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from os import PathLike

import numpy as np
import torch
from joblib import Memory
from numpy.typing import ArrayLike
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d
from skorch import NeuralNetClassifier
from skorch.dataset import Dataset
from torch.utils.data import DataLoader

from atl_sklearn.estimators._batching import few_samples
from atl_sklearn.estimators._class_weight import weights_by_class
from atl_sklearn.estimators._constructors import arguments_of
from atl_sklearn.estimators._convergence import judge_predictions
from atl_sklearn.estimators._data import is_own_data
from atl_sklearn.estimators._estimator import AntiTransferEstimator
from atl_sklearn.estimators._finiteness import check_predictions
from atl_sklearn.estimators._fit_run import FitRun
from atl_sklearn.estimators._input_checks import check_X
from atl_sklearn.estimators._net import Choice, Choices
from atl_sklearn.estimators._outputs import (
    as_columns,
    check_one_label,
    check_scores,
    criterion_of,
    is_one_column,
    nonlinearity_of,
    takes_logits,
    takes_one_score,
)
from atl_sklearn.estimators._user_datasets import EncodedLabels
from atl_sklearn.unrelated import LayerChoice

_N_JUDGED = 1000  # training samples whose predictions are looked at after a fit
_JUDGED_AT_ONCE = 32


class AntiTransferClassifier(AntiTransferEstimator, NeuralNetClassifier):
    """A neural classifier that does not lean on what an unrelated network knows.

    A skorch net: callbacks, ``optimizer__*``, ``module__*``, `save_params` and `partial_fit` work
    as there; and a scikit-learn classifier.

    Parameters
    ----------
    module : str, torch.nn.Module or its class, default="auto"
        The network. ``"auto"`` takes an :class:`~atl_sklearn.modules.MLP` for 2-D X and a
        :class:`~atl_sklearn.modules.ConvNet` for 3-D and 4-D X; ``"mlp"``, ``"convnet"`` and
        ``"vgg"`` name one. A class whose constructor names ``input_shape`` (the shape of one
        sample), ``n_features_in`` (the length of its first axis) or ``n_outputs`` is given
        these, unless ``module__input_shape`` and so on are set. An instance is copied, not
        trained itself. It returns a score for each class, or a number for each target.
    unrelated : estimator, torch.nn.Module, "labels", "precomputed", list or None, default=None
        What the network must not lean on. A fitted :class:`AntiTransferClassifier`,
        :class:`AntiTransferRegressor` or other skorch net, or a module of any kind: TorchScript,
        quantised, an exported program, the path of an ONNX file. Any other fitted estimator of
        scikit-learn's, by ``predict_proba``, else ``decision_function``, ``transform`` or
        ``predict``. The same in a ``FrozenEstimator``, or at the end of a ``Pipeline``, whose other
        steps are applied to what `fit` is given. ``"labels"`` compares with ``y_unrelated``, and
        ``"precomputed"`` with ``Z_unrelated``. What is fitted is never changed, and clones of this
        estimator keep it; an estimator that is not fitted is cloned and fitted inside `fit`, on
        ``y_unrelated`` if it learns from labels. A list holds several. None trains a plain
        network.
    layer : str, int or list of these, default="last"
        Where this network is compared: ``"last"``, the last convolution, recurrent or attention
        layer with its nonlinearity, or without these the last hidden linear layer with its
        nonlinearity; an index among the convolutions, linear, recurrent and attention layers in
        the order in which they run (with its nonlinearity; negative from the end); or the name of
        any submodule, whose output is taken as it is. A part of an output is named behind a dot,
        as in ``"encoder.pooler_output"``; unnamed, the logits or the last hidden state are
        taken. Features are the channels of what recurrent, attention and linear layers return,
        and time is a position. :func:`~atl_sklearn.list_layers` shows them. ``"output"`` is what
        the network returns, ``"posterior"`` the probabilities made of it. The penalties of several
        layers are added.
    unrelated_layer : None, str, int or list of these, default=None
        Where the unrelated network is compared; None for the same as `layer`. ``"output"`` is
        what the network returns, which is all that can be had of TorchScript, exported programs
        and ONNX files. ``"task"`` is what of its features matters for its own task, whitened on
        the first 2000 training samples: what its linear read-out uses, or where it has none, where
        its answers differ. ``"posterior"`` are the probabilities made of its output (of a plain
        module: its softmax). What has no layers takes None, ``"output"`` or, of probabilities,
        ``"posterior"``. With a list as `unrelated`, a list has one entry for each.
    metric : str, callable or list of these, default="cross_correlation"
        How aggregated activations are compared, a list for each layer; see
        :func:`~atl_sklearn.similarity.activation_similarity`. ``"adversarial"`` trains a
        small network to read the unrelated activations from this network's, which is trained
        to prevent it; see :class:`~atl_sklearn.AntiTransferLoss`.
    aggregation : str, callable or list of these, default="spatial_mean"
        What of the activations is compared, a list for each layer; see
        :func:`~atl_sklearn.similarity.activation_similarity`.
    weight : float, "auto" or list of these, default="auto"
        Weight of the penalty in the loss, in [0, inf); a list has one for each unrelated
        task. 0 trains a plain network, bit for bit. ``"auto"`` is found from the training data. The
        unrelated task gives the target away where its answers explain a tenth of the target's
        information (of numbers, of their variance) in samples that were left out. Then it is 1 on
        ``X_unlabeled`` and 0.3 on training batches, in which a penalty also forbids some of what
        is to be learnt. Elsewhere it is 0.3 and 0, and with `target_similarity` 1. ``weight_``
        has it.
    target_similarity : float, list of float or None, default=None
        The similarity in [0, 1) that may be left, or one for each unrelated network; None keeps
        `weight` as it is. With it, `weight` is where training starts: it rises while the
        similarity is above the target in any layer, and falls while it is below it, between 0.001
        and 10 times what was given. Similarity that chance alone makes in a batch does not count.
        The same target asks for the same on all data, which the same weight does not; for a
        decision that does not depend on an attribute, compare ``layer="posterior"`` with
        ``unrelated_layer="posterior"``.
    weight_schedule : str or callable, default="constant"
        Factor of `weight` by epoch: ``"constant"``, ``"linear_warmup"``, ``"sigmoid_warmup"``,
        ``"cosine"`` (see :func:`~atl_sklearn.similarity.get_weight_schedule`), or a callable
        that takes the epoch, counted from 0, and returns it.
    penalty_data : {"auto", "unlabeled", "train", "both"}, default="auto"
        What the penalty is computed on: batches of ``X_unlabeled`` in `fit`, the training
        batches, or the mean of both; ``"auto"`` is ``"unlabeled"`` where there is
        ``X_unlabeled``, otherwise ``"train"``, as with ``unrelated="labels"`` where nobody knows
        the labels of the unlabeled data. BatchNorm normalises unlabeled batches by
        themselves, and its running statistics come from the training batches only.
    penalty_batch_size : int, default=96
        Samples in an unlabeled batch; all of ``X_unlabeled`` if it has fewer.
    penalty_every : int, default=4
        In how many steps the penalty is computed once: in the first step of each epoch and in
        every `penalty_every`-th after it, with a weight that is as many times larger, so that an
        epoch weighs the same. A larger number makes the fit faster, most of all with
        ``X_unlabeled``.
    conditional : bool, default=False
        Whether what the target explains (for classes their means) is left out of the
        comparison, for a target that may legitimately go along with the unrelated task. On
        unlabeled data the network's predictions stand for the target.
    product_of_experts : float or "auto", default="auto"
        How much of what the unrelated tasks explain of the target is added to the network's
        scores while it is trained, and not when it predicts, so that it need not learn that; see
        :func:`~atl_sklearn.unrelated.explained_scores`. 0 adds nothing, 1 all of it. ``"auto"``
        goes with ``weight="auto"`` and is 0 with other weights: without ``X_unlabeled``, and
        with them where the tasks speak against at least 20 samples of each class, it is 1 where
        these explain 0.6 of the target's information or more, and falls to 0 where they explain
        less. ``product_of_experts_`` has it. It is 0 where nothing can be added: in
        `partial_fit`, with batches that do not say which samples they have, and with losses of
        which nobody knows whether they take sums of scores. It needs no ``X_unlabeled``. A
        penalty beside it is made smaller by the share of the task's gradient that is left, as
        ``penalty_weight`` in the history says. Of a regressor what is learnt is
        the residual.
    augment : transformer, callable, list of these or None, default=None
        What changes the training samples, labelled and unlabelled, in every epoch in another way;
        what is validated, predicted or scored is never changed. Transformers, such as
        :class:`~atl_sklearn.audio.AddNoise`, are given arrays where batches are made, and
        callables, such as a ``torch.nn.Module``, after them tensors where the network is. What
        is drawn for a sample depends on `random_state`, the epoch and its position in X alone;
        a ``random_state`` of a transformer's own does not count. A callable is given one sample
        at a time, of shape (1, ...), while torch's, NumPy's and Python's generators speak its
        stream; or, if it has a parameter ``rngs``, a batch and a :class:`numpy.random.Generator`
        for each sample. Both return samples of the same shape.
    augment_unrelated : bool, default=True
        Whether the unrelated networks are given the changed samples too, in every step; False
        compares with what they say of the samples as they were, which can be kept. What is known
        by position (labels, ``Z_unrelated``, ``X_unrelated``) is never changed, and
        `product_of_experts` explains the samples as they were.
    augment_keep : {"all", "same_answer"}, default="all"
        Which changed samples are trained on: all, or those for which every unrelated
        classifier that is given X answers as before, also where `weight` is 0. Instead of the
        others, the samples are used as they were in this epoch; ``augment_kept`` in the history is
        the share of changed samples that were used.
    cache : {"auto", "memory", "mapped", "live"}, default="auto"
        Where the unrelated networks' activations, which do not change, are kept during `fit`:
        in memory, in memory-mapped files, or nowhere (they are computed in every step).
        ``"auto"`` keeps them where samples are seen more than once: in memory up to
        `cache_size`, above it in files of the temporary folder, unless a sample has more than
        1 MiB or the disk has too little space. It computes them where they may change: the
        samples of a torch Dataset, which ``"memory"`` and ``"mapped"`` take to be the same in
        every epoch, or of an iterator of one's own. With ``verbose=1`` it says what it does.
    cache_size : int, default=2**30
        Bytes up to which ``cache="auto"`` keeps activations in memory, for the training data
        and for the unlabeled data each; 0 for never keeping any.
    memory : None, str, path-like or joblib.Memory, default=None
        Folder in which what is computed of unrelated networks is kept on disk, so that other
        fits find it: other candidates of a search, other processes. It is found by the
        network's weights, the layers and the data, never by time or name.
    checkpoint_dir : None, str or path-like, default=None
        Folder in which `fit` keeps where it is, so that the same call after a kill or a crash goes
        on from the last checkpoint between two epochs, to the same network; see the page on
        training.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the task loss.
    random_state : int, RandomState instance or None, default=None
        Determines initialisation, order of batches, dropout and random choices of the penalty.
        The global generators are not touched by an int. Fits in several threads take turns; code
        of your own in another thread that draws from torch's global generator during a fit
        changes what that fit draws.
    precision : {"float32", "bfloat16", "float16", "float64"}, default="float32"
        Floating type of the network and of X, which is cast to it. In the half precisions the
        weights and X stay in single precision, and torch's autocast runs the networks;
        losses and similarities are computed in single precision, and ``"float16"`` scales the
        loss so that small gradients do not vanish.
    criterion : class, default=torch.nn.CrossEntropyLoss
        Loss of the task.
    optimizer : class, str or callable, default=torch.optim.AdamW
        Optimizer, or the name of one of ``torch.optim`` such as ``"sgd"``; its arguments are set
        as ``optimizer__weight_decay`` and so on.
    lr : float, default=0.003
        Learning rate; the highest one under a schedule.
    lr_schedule : {"one_cycle", "cosine", "constant"} or callable, default="one_cycle"
        How the learning rate changes from step to step. ``"one_cycle"`` rises to `lr` in the
        first 30 % of the steps and falls to almost 0, while the first beta of Adam's kin goes
        from 0.95 to 0.85 and back (unless ``optimizer__betas`` is set); ``"cosine"`` falls from
        `lr` to 0; a callable takes the share of the training that is done, in [0, 1), and
        returns the factor of `lr`. Each call of `fit` and `partial_fit` is one schedule over
        its `max_epochs`; with ``"constant"``, two calls of two epochs are one of four. The
        schedule of a training that a callback ends early is cut off. A callback that sets the
        rate, such as skorch's ``LRScheduler``, takes the place of the schedule.
    max_grad_norm : float or None, default=5.0
        Gradients are scaled so that their norm, over all parameters, is at most this; None
        leaves them as they are. Not for LBFGS, which needs them so; and skorch's
        ``GradientNormClipping`` among the callbacks takes its place.
    weight_decay : float, default=1e-4
        Weight decay of an optimizer that has one. ``optimizer__weight_decay`` comes first.
    max_epochs : int, default=30
        Passes over the training data in each call of `fit` and `partial_fit`.
    batch_size : int, default=32
        Samples in a batch; -1 for all of them.
    iterator_train, iterator_valid : class, default=torch.utils.data.DataLoader
        Iterators over batches; arguments are set as ``iterator_train__num_workers`` and so on.
        Training data are shuffled unless ``iterator_train__shuffle=False``.
    dataset : class, default=skorch.dataset.Dataset
        Wraps the data; the default slices arrays a batch at a time.
    train_split : float, callable or None, default=None
        Splits off validation data: a share of X in (0, 1), stratified for classes, or a callable
        such as ``skorch.dataset.ValidSplit(5)``; None or False trains on all of X.
    callbacks : list, "disable" or None, default=None
        skorch's callbacks.
    predict_nonlinearity : callable, "auto" or None, default="auto"
        Applied to what the network returns when probabilities are asked for;
        ``"auto"`` fits the criterion.
    warm_start : bool, default=False
        Whether `fit` goes on with the weights of the last one.
    verbose : int, default=0
        With 1, a bar over all epochs (plain lines where the output is no terminal), what `fit`
        decided and fits besides, and `summary_` in two lines; with 2, a line for each epoch
        instead of the bar.
    device : str or torch.device, default="auto"
        Where the network runs; ``"auto"`` is a GPU if there is one.
    compile : bool, default=False
        Whether the network is compiled by ``torch.compile``.
    use_caching : bool or "auto", default="auto"
        Whether scoring callbacks keep predictions; see skorch.
    torch_load_kwargs : dict or None, default=None
        Arguments of ``torch.load``; see skorch.
    classes : array-like of shape (n_classes,) or None, default=None
        All classes, in the order of the outputs; None takes those in y.
    **kwargs : dict
        Arguments of the parts, with the part's name in front: ``module__dropout``,
        ``optimizer__weight_decay``, ``callbacks__print_log``, ...

    Attributes
    ----------
    module_ : torch.nn.Module
        The trained network.
    unrelated_ : estimator, module, str, list of these or None
        What `unrelated` was, fitted; a list, too, where one word stood for several tasks.
    unrelated_score_ : float, None or list of these
        How well an unfitted `unrelated` learnt ``y_unrelated``: its score on a fifth of the
        samples, held out, when it is fitted on the others (the network that is avoided is fitted
        on all). `fit` warns where it is at chance. None where nothing was fitted.
    product_of_experts_ : float
        The strength with which what the unrelated tasks explain was added.
    weight_ : float or list of float
        The weight that was used, with `target_similarity` at the end; a list where there are
        several unrelated tasks.
    history : skorch.history.History
        For each epoch ``train_loss`` and ``valid_loss``, which are those of the task;
        ``train_penalty`` and ``valid_penalty``, the similarity before its weight;
        ``penalty_weight``; ``train_similarity``, what `target_similarity` is compared with; and
        ``train_objective``, what is minimised. With several unrelated networks, or layers, their
        positions and names are appended.
    classes_ : ndarray of shape (n_classes,)
        The labels, in the order of the outputs.
    summary_ : FitSummary
        What happened in the last fit: the losses, the similarities before and after, the weights
        and where they come from, the scores of the unrelated task, whether the training
        converged, and what was warned of. It prints as text, and as a table in notebooks.
    n_features_in_ : int
        Length of the first axis of a sample of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the columns of a DataFrame.
    input_shape_ : tuple of int
        Shape of a sample of X.
    n_outputs_ : int
        Number of outputs of the network.

    See Also
    --------
    AntiTransferRegressor : The same for numbers.
    atl_sklearn.AntiTransferLoss : The penalty for a training loop of one's own.
    atl_sklearn.list_layers : Names of layers.

    Notes
    -----
    The loss of a batch is ``task loss + weight * sum over layers of metric(aggregation(this
    network's activations), aggregation(the unrelated network's activations))`` [1]_.

    References
    ----------
    .. [1] E. Guizzo, T. Weyde, G. Tarroni, "Anti-transfer learning for task invariance in
       convolutional neural networks for speech processing", Neural Networks 142, 2021.
       https://arxiv.org/abs/2006.06494

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from atl_sklearn import AntiTransferClassifier
    >>> X, y = make_classification(n_samples=200, random_state=0)
    >>> nuisance = X[:, 0] > 0
    >>> unrelated = AntiTransferClassifier(max_epochs=5, random_state=0).fit(X, nuisance)
    >>> X_more, _ = make_classification(n_samples=100, random_state=1)  # nobody labelled these
    >>> model = AntiTransferClassifier(unrelated=unrelated, max_epochs=5, random_state=0)
    >>> model.fit(X, y, X_unlabeled=X_more).predict(X[:2]).shape
    (2,)
    >>> model.weight_  # the nuisance says little of y
    0.3
    >>> sorted(name for name in model.history[-1] if "penalty" in name)
    ['penalty_weight', 'train_penalty']
    """

    _declared_classes: ArrayLike | None = None

    def __init__(
        self,
        module: str | torch.nn.Module | Callable[..., torch.nn.Module] = "auto",
        *,
        unrelated: object = None,
        layer: LayerChoice = "last",
        unrelated_layer: object = None,
        metric: Choices = "cross_correlation",
        aggregation: Choices = "spatial_mean",
        weight: float | str | list[float | str] = "auto",
        target_similarity: float | list[float | None] | None = None,
        weight_schedule: Choice = "constant",
        penalty_data: str = "auto",
        penalty_batch_size: int = 96,
        penalty_every: int = 4,
        conditional: bool = False,
        product_of_experts: float | str = "auto",
        augment: object = None,
        augment_unrelated: bool = True,
        augment_keep: str = "all",
        cache: str = "auto",
        cache_size: int = 2**30,
        memory: str | PathLike[str] | Memory | None = None,
        checkpoint_dir: str | PathLike[str] | None = None,
        class_weight: Mapping[object, float] | str | None = None,
        random_state: int | np.random.RandomState | None = None,
        precision: str = "float32",
        criterion: torch.nn.Module | Callable[..., object] = torch.nn.CrossEntropyLoss,
        optimizer: Choice = torch.optim.AdamW,
        lr: float = 0.003,
        lr_schedule: Choice = "one_cycle",
        max_grad_norm: float | None = 5.0,
        weight_decay: float = 1e-4,
        max_epochs: int = 30,
        batch_size: int = 32,
        iterator_train: Callable[..., Iterable[object]] = DataLoader,
        iterator_valid: Callable[..., Iterable[object]] = DataLoader,
        dataset: Callable[..., torch.utils.data.Dataset] = Dataset,
        train_split: float | Callable[..., object] | None = None,
        callbacks: list[object] | str | None = None,
        predict_nonlinearity: Choice | None = "auto",
        warm_start: bool = False,
        verbose: int = 0,
        device: str | torch.device | None = "auto",
        compile: bool = False,
        use_caching: bool | str = "auto",
        torch_load_kwargs: dict[str, object] | None = None,
        classes: ArrayLike | None = None,
        **kwargs: object,
    ) -> None:
        arguments = arguments_of(locals())
        self.class_weight = arguments.pop("class_weight")
        super().__init__(**arguments)

    def _check_target(self, y: object) -> None:
        check_one_label(y, type(self).__name__)

    def _encode_targets(self, y: object, *, reset: bool) -> np.ndarray:
        self._check_target(y)
        labels: np.ndarray = column_or_1d(y)
        if reset:
            check_classification_targets(labels)
            declared = self.classes if self.classes is not None else self._declared_classes
            self.classes_inferred_ = np.unique(labels) if declared is None else np.asarray(declared)
            n_classes = len(self.classes_inferred_)
            one_score = n_classes == 2 and takes_one_score(self.criterion)
            self.n_outputs_ = 1 if one_score else n_classes
        known = vars(self).get("classes_inferred_", self.classes)
        order = np.argsort(known)
        places = np.searchsorted(known, labels, sorter=order)
        codes = order[np.minimum(places, len(known) - 1)]
        unknown = known[codes] != labels
        if np.any(unknown):
            raise ValueError(
                f"y contains labels that are not among the classes {known.tolist()}: "
                f"{np.unique(labels[unknown]).tolist()}. Name all classes in the 'classes' "
                "parameter, or in the first call of partial_fit."
            )
        return codes.astype(np.int64)

    def _with_encoded_labels(self, dataset: object) -> object:
        known = np.asarray(vars(self).get("classes_inferred_", self.classes)).tolist()
        if known == list(range(len(known))):
            return dataset
        places = {label: place for place, label in enumerate(known)}
        return EncodedLabels(dataset, places)

    def _check_output(self, output: object) -> None:
        check_scores(self, output)

    def get_loss(
        self, y_pred: object, y_true: object, *args: object, **kwargs: object
    ) -> torch.Tensor:
        """Return the task loss; see skorch.

        Parameters
        ----------
        y_pred : Tensor of shape (n_samples, ...)
            What the network returned.
        y_true : Tensor of shape (n_samples,)
            The encoded targets; numbers for a criterion that takes one score for two classes.
        *args, **kwargs : object
            Passed on to skorch.

        Returns
        -------
        loss : Tensor
            As the criterion returns it.
        """
        if takes_one_score(criterion_of(self)) and isinstance(y_pred, torch.Tensor):
            y_true = torch.as_tensor(y_true).to(y_pred).reshape(y_pred.shape)
        return super().get_loss(y_pred, y_true, *args, **kwargs)

    def _get_predict_nonlinearity(self) -> Callable[[torch.Tensor], torch.Tensor]:
        is_auto = isinstance(self.predict_nonlinearity, str) and self.predict_nonlinearity == "auto"
        criterion = criterion_of(self)
        if is_auto and takes_one_score(criterion):
            return nonlinearity_of(criterion)
        return super()._get_predict_nonlinearity()

    def _judge_predictions(self, run: FitRun) -> str:
        if not is_own_data(run.dataset) or self.iterator_train is not DataLoader:
            return ""
        n_samples = len(run.dataset)
        # Evenly over all of them, since data are often sorted by class.
        index = np.linspace(0, n_samples - 1, min(n_samples, _N_JUDGED)).astype(int).tolist()
        predicted, labels = [], []
        self._set_training(False)
        with torch.no_grad():
            for start in range(0, len(index), _JUDGED_AT_ONCE):
                X, y = few_samples(self, run.dataset, index[start : start + _JUDGED_AT_ONCE])
                output = self.infer(X)
                scores = output[0] if isinstance(output, tuple) else output
                if not isinstance(scores, torch.Tensor) or scores.ndim != 2:
                    return ""  # a loss of the user's own knows what it is
                predicted.append(scores.argmax(dim=1).cpu())
                labels.append(torch.as_tensor(y).cpu())
        what = judge_predictions(torch.cat(predicted), torch.cat(labels), len(index))
        if not what:
            return ""
        remedy = "Train longer, try another lr, or set class_weight='balanced'."
        if run.penalty is not None:
            remedy = f"Lower weight, which is {self.weight_!r}, or train longer."
        label = self.classes_inferred_.tolist()[int(predicted[0][0])]
        return f"{what}: {label!r}. {remedy}"

    def _task_weight(self, y: object, sample_weight: np.ndarray | None) -> np.ndarray | None:
        if self.class_weight is None:
            return sample_weight
        weight = weights_by_class(self, column_or_1d(y), self.classes_inferred_)
        return weight if sample_weight is None else weight * sample_weight

    @property
    def classes_(self) -> np.ndarray:
        """The labels, in the order of the outputs."""
        if self._run is not None:
            # Callbacks score during training, on data whose labels are encoded.
            return np.arange(len(self.classes_inferred_))
        if "classes_inferred_" in vars(self):
            return self.classes_inferred_
        if self._completed and self.classes is not None:  # weights were loaded, not trained
            return np.asarray(self.classes)
        if self._completed:
            raise AttributeError(
                f"{type(self).__name__} has no classes_: its weights were saved without them. Set "
                "classes, in the order of the outputs."
            )
        raise AttributeError(f"{type(self).__name__} has no classes_ before it is fitted.")

    def predict_proba(self, X: object) -> np.ndarray:
        """Return the probabilities of the classes.

        Parameters
        ----------
        X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
            Data of the shape seen in `fit`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        if self._run is None:
            check_is_fitted(self)
        X = check_X(self, X)
        proba = super().predict_proba(X)
        check_predictions(self, proba, X)
        return as_columns(proba) if is_one_column(proba) and len(self.classes_) == 2 else proba

    def predict(self, X: object) -> np.ndarray:
        """Return the most probable classes.

        Parameters
        ----------
        X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
            Data of the shape seen in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels as they were in `fit`.
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def decision_function(self, X: object) -> np.ndarray:
        """Return the scores of the classes, as the network gives them.

        Parameters
        ----------
        X : array-like or sparse of shape (n_samples, ...), mapping or torch Dataset
            Data of the shape seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes) or (n_samples,)
            With two classes, the score of the second over the first; positive where the second
            is predicted.
        """
        if self._run is None:
            check_is_fitted(self)
        X = check_X(self, X)
        output = self.forward(X)
        scores = (output[0] if isinstance(output, tuple) else output).numpy()
        check_predictions(self, scores, X)
        if is_one_column(scores) and len(self.classes_) == 2:
            if takes_logits(criterion_of(self)):
                return scores.reshape(len(scores))
            scores = np.log(self.predict_proba(X) + np.finfo(scores.dtype).eps)
        elif isinstance(criterion_of(self), torch.nn.NLLLoss):  # probabilities, as skorch has it
            scores = np.log(scores + np.finfo(scores.dtype).eps)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores
