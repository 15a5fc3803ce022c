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

from atl_sklearn._validation import is_auto
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
from atl_sklearn.estimators._stacking import stack_outputs
from atl_sklearn.estimators._user_datasets import EncodedLabels
from atl_sklearn.unrelated import LayerChoice

_N_JUDGED = 1000  # training samples whose predictions are looked at after a fit
_JUDGED_AT_ONCE = 32


class AntiTransferClassifier(AntiTransferEstimator, NeuralNetClassifier):
    """A neural classifier that you keep from leaning on what an unrelated network knows.

    It is a scikit-learn classifier and a skorch net: callbacks, ``optimizer__*``, ``module__*``,
    `save_params` and `partial_fit` work as in skorch. In the paper [1]_, the *unrelated task* is
    what must not mislead your network: a *nuisance*, such as the speaker where you want the word.

    Parameters
    ----------
    module : str, torch.nn.Module or its class, default="auto"
        Your network. ``"auto"`` takes an :class:`~atl_sklearn.modules.MLP` for 2-D X and a
        :class:`~atl_sklearn.modules.ConvNet` for 3-D and 4-D X; ``"mlp"``, ``"convnet"`` and
        ``"vgg"`` name one. If you pass a class, `fit` tells its constructor the shape of the
        data: it fills in ``input_shape`` (the shape of one sample), ``n_features_in`` (the length
        of its first axis) and ``n_outputs`` where the constructor has these arguments and you did
        not set them (``module__input_shape`` and so on). An instance is copied; the original is
        not trained. The network returns a score for each class, or a number for each target.
    unrelated : estimator, torch.nn.Module, "labels", "precomputed", list or None, default=None
        What knows the nuisance. None trains a plain network. You can pass

        - an estimator that is not fitted: `fit` clones it and fits the clone, on
          ``y_unrelated`` if it learns from labels;
        - a fitted :class:`AntiTransferClassifier`, :class:`AntiTransferRegressor` or other
          skorch net, or a module of any kind: also TorchScript, quantised, an exported program,
          or the path of an ONNX file;
        - any other fitted estimator of scikit-learn's, of which `predict_proba` is compared, or
          else `decision_function`, `transform` or `predict`;
        - any of these in a ``FrozenEstimator``, or at the end of a ``Pipeline``, whose other
          steps then transform the data first;
        - ``"labels"``, to compare with ``y_unrelated`` itself;
        - ``"precomputed"``, to compare with ``Z_unrelated``, which you computed elsewhere;
        - a list of several.

        What is fitted already never changes, and clones of this estimator keep it.
    layer : str, int or list of these, default="last"
        Which layer of your network is compared; :func:`~atl_sklearn.list_layers` lists them.
        ``"last"`` is the last convolution, recurrent or attention layer with its nonlinearity;
        without any of these, the last hidden linear layer with its nonlinearity. An integer
        counts the convolutions, linear, recurrent and attention layers in the order in which they
        run, from the end if it is negative; the nonlinearity is included. The name of any
        submodule takes its output as it is. A dot picks a part of an output, as in
        ``"encoder.pooler_output"``; without it, the logits or the last hidden state are taken.
        ``"output"`` is what the network returns, ``"posterior"`` its probabilities. The channels
        of linear, recurrent and attention layers are features, and time is a position. For a list
        of layers, the penalties are added.
    unrelated_layer : None, str, int or list of these, default=None
        Which layer of the unrelated network is compared; None for the same as `layer`.
        ``"output"`` is what the network returns: the only choice for TorchScript, exported
        programs and ONNX files. ``"posterior"`` is its probabilities (of a plain module: the
        softmax of its output). ``"task"`` is the part of its features that matters for its own
        task, whitened on the first 2000 training samples: what its linear read-out uses, or,
        without such a read-out, the directions in which its answers differ. If `unrelated` has no
        layers, pass None, ``"output"`` or, for probabilities, ``"posterior"``. If `unrelated` is
        a list, pass a list with one entry for each.
    metric : str, callable or list of these, default="cross_correlation"
        How aggregated activations are compared; a list has one for each layer. See
        :func:`~atl_sklearn.similarity.activation_similarity`. ``"adversarial"`` trains a
        small network to read the unrelated activations from yours, and trains yours to prevent
        it; see :class:`~atl_sklearn.AntiTransferLoss`.
    aggregation : str, callable or list of these, default="spatial_mean"
        Which summary of the activations is compared; a list has one for each layer. See
        :func:`~atl_sklearn.similarity.activation_similarity`.
    weight : float, "auto" or list of these, default="auto"
        Weight of the penalty in the loss, in [0, inf); a list has one for each unrelated task. 0
        trains a plain network, bit for bit. ``"auto"`` looks at the training data: the nuisance
        gives the target away if, in samples that were left out, it explains at least a tenth of
        the target's information (for numbers, of their variance). Then the weight is 1 on
        ``X_unlabeled`` and 0.3 on training batches, where a penalty also forbids some of what
        your network has to learn. Otherwise it is 0.3 on ``X_unlabeled`` and 0 on training
        batches. With `target_similarity`, ``"auto"`` is always 1. You find the weight in
        ``weight_``.
    target_similarity : float, list of float or None, default=None
        How much similarity may remain, in [0, 1); a list has one for each unrelated network. None
        keeps `weight` as it is. Otherwise `weight` is where training starts: it rises while any
        layer's similarity is above the target, and falls while all are below, between 0.001 and 10
        times its start. Similarity that chance alone makes in a batch does not count. A target
        means the same on any data, a weight does not. For decisions that do not depend on an
        attribute, compare ``layer="posterior"`` with ``unrelated_layer="posterior"``.
    weight_schedule : str or callable, default="constant"
        Factor of `weight` by epoch: ``"constant"``, ``"linear_warmup"``, ``"sigmoid_warmup"``,
        ``"cosine"`` (see :func:`~atl_sklearn.similarity.get_weight_schedule`), or a callable
        that takes the epoch, counted from 0, and returns the factor.
    penalty_data : {"auto", "unlabeled", "train", "both"}, default="auto"
        Where the penalty is computed: on batches of ``X_unlabeled``, on the training batches, or
        on both, as the mean. ``"auto"`` is ``"unlabeled"`` if you pass ``X_unlabeled``, otherwise
        ``"train"``. It is also ``"train"`` for ``unrelated="labels"``, because nobody knows the
        nuisance of the unlabeled samples. BatchNorm normalises unlabeled batches by themselves;
        its running statistics come from the training batches only.
    penalty_batch_size : int, default=96
        Samples in an unlabeled batch; all of ``X_unlabeled`` if it has fewer.
    penalty_every : int or "auto", default="auto"
        Compute the penalty once in this many steps: in the first step of the training and in
        every `penalty_every`-th one after it, but at least once in an epoch. Its weight is then
        as many times larger, so that the penalty weighs the same. A larger number makes `fit`
        faster, most of all with ``X_unlabeled``. ``"auto"`` is 6 where the penalty sees
        unlabeled batches, which are larger than those of the task, and 4 where it sees only
        training batches. With `target_similarity` it is 1: each comparison corrects the weight
        once, and fewer do not reach the target in a training of usual length.
    conditional : bool, default=False
        Whether to leave what the target explains (for classes, their means) out of the
        comparison. Use it if the target depends on the nuisance for good reason. On unlabeled
        data the network's own predictions stand in for the target.
    product_of_experts : float or "auto", default="auto"
        How much of what the nuisance explains of the target is added to the network's scores during
        training, so that the network need not learn it. Nothing is added in prediction. See
        :func:`~atl_sklearn.unrelated.explained_scores`. 0 adds nothing, 1 all of it. ``"auto"``
        goes with ``weight="auto"``, and is 0 with other weights or a `target_similarity`. It is 1
        if the nuisance explains at least 0.6 of the target's information, and falls to 0 if it
        explains less. With ``X_unlabeled``, and fewer than 20 samples of each class that contradict
        the nuisance, it is 0 up to 0.75 of the information, and rises to 0.5 if all is explained.
        You find it in ``product_of_experts_``. ``"auto"`` is 0 in `partial_fit`, with batches that
        do not say which samples they hold, and with losses that may not take sums of scores; a
        number is an error with such batches, and in `partial_fit` each call explains its own
        samples. Of several unrelated tasks, all answers explain together, and products of two
        tasks' answers, if there are at most 100 and they explain more.
        A penalty beside it shrinks with the share of the task's gradient that is left;
        ``penalty_weight`` in the history shows it. A regressor learns the residual. `memory` keeps
        what is explained.
    augment : transformer, callable, list of these or None, default=None
        Changes the training samples, labeled and unlabeled, differently in every epoch. What you
        validate, predict or score never changes. Transformers, such as
        :class:`~atl_sklearn.audio.AddNoise`, take arrays, while batches are made. Callables, such
        as a ``torch.nn.Module``, run after them, on tensors, on the device of the network. Both
        return samples of the same shape. The change depends only on `random_state`, the epoch
        and the sample's position in X; a transformer's own ``random_state`` does not count. A
        callable takes one sample at a time, of shape (1, ...), and draws from the generators of
        torch, NumPy and Python, which are seeded for it. If it has a parameter ``rngs``, it takes
        a batch, and a :class:`numpy.random.Generator` for each sample.
    augment_unrelated : bool, default=True
        Whether the unrelated networks see the changed samples too, in every step. False compares
        with their activations of the original samples, which can be kept. What is known by
        position (labels, ``Z_unrelated``, ``X_unrelated``) never changes, and
        `product_of_experts` explains the original samples.
    augment_keep : {"all", "same_answer"}, default="all"
        Which changed samples to train on: all, or only those for which every unrelated classifier
        that takes X answers as before (also with ``weight=0``). For the rest, the original
        samples are used in this epoch; ``augment_kept`` in the history is the share of changed
        samples that were used.
    cache : {"auto", "memory", "mapped", "live"}, default="auto"
        Where `fit` keeps the activations of the unrelated networks, which do not change:
        ``"memory"``, memory-mapped files (``"mapped"``), or nowhere (``"live"`` computes them in
        every step). ``"auto"`` keeps them if samples are seen more than once: in memory up to
        `cache_size`, above it in files of the temporary folder, unless a sample needs more than
        1 MiB or the disk has too little space. It keeps none that may change: those of a torch
        Dataset or of an iterator of your own. ``"memory"`` and ``"mapped"`` trust that a torch
        Dataset returns the same samples in every epoch. ``verbose=1`` prints what is done.
    cache_size : int, default=2**30
        How many bytes of activations ``cache="auto"`` keeps in memory, for the training data
        and for the unlabeled data each; 0 keeps none in memory.
    memory : None, str, path-like or joblib.Memory, default=None
        Folder that keeps activations of unrelated networks on disk, unrelated estimators that `fit`
        has fitted, and what they explain of the target, for other fits: other candidates of a
        search, other processes. All are found by their content (the network's weights, the layers,
        the data), never by time or name.
    checkpoint_dir : None, str or path-like, default=None
        Folder in which `fit` keeps its progress. After a kill or a crash, the same call goes on
        from the last checkpoint, which lies between two epochs, and arrives at the same network;
        see the page on training.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes in the task loss.
    random_state : int, RandomState instance or None, default=None
        Seeds the initial weights, the order of batches, dropout, the random choices of the penalty,
        and those of `unrelated` estimators that have no seed of their own. With an int, the global
        generators are left alone. Fits in several threads take turns; if your code in another
        thread draws from torch's global generator during a fit, it changes what the fit draws.
    precision : {"float32", "bfloat16", "float16", "float64"}, default="float32"
        Floating type of the network and of X. In the half precisions the weights and X stay in
        single precision, and torch's autocast runs the networks; losses and similarities are
        computed in single precision, and ``"float16"`` scales the loss so that small gradients
        do not vanish.
    criterion : class, default=torch.nn.CrossEntropyLoss
        Loss of the task.
    optimizer : class, str or callable, default=torch.optim.AdamW
        Optimizer, or the name of one of ``torch.optim`` such as ``"sgd"``. Set its arguments
        as ``optimizer__weight_decay`` and so on.
    lr : float, default=0.003
        Learning rate; under a schedule, the highest one.
    lr_schedule : {"one_cycle", "cosine", "constant"} or callable, default="one_cycle"
        How the learning rate changes from step to step. ``"one_cycle"`` rises to `lr` in the
        first 30 % of the steps and falls to almost 0; meanwhile the first beta of Adam and its
        kin goes from 0.95 to 0.85 and back, unless you set ``optimizer__betas``. ``"cosine"``
        falls from `lr` to 0. A callable takes the share of the training that is done, in [0, 1),
        and returns the factor of `lr`. Each call of `fit` and `partial_fit` is one schedule over
        its `max_epochs`; with ``"constant"``, two calls of two epochs equal one of four. If a
        callback ends the training early, the schedule is cut off. If a callback sets the rate,
        such as skorch's ``LRScheduler``, it replaces the schedule.
    max_grad_norm : float or None, default=5.0
        Largest norm of the gradient over all parameters; a longer one is scaled down. None
        leaves gradients alone, as LBFGS needs it. skorch's ``GradientNormClipping`` among the
        callbacks replaces it.
    weight_decay : float, default=1e-4
        Weight decay, if the optimizer has one. ``optimizer__weight_decay`` wins over it.
    max_epochs : int, default=30
        Passes over the training data in each call of `fit` and `partial_fit`.
    batch_size : int, default=32
        Samples in a batch; -1 for all of them.
    iterator_train, iterator_valid : class, default=torch.utils.data.DataLoader
        Iterators over batches. Set their arguments as ``iterator_train__num_workers`` and so on.
        Training data are shuffled unless ``iterator_train__shuffle=False``.
    dataset : class, default=skorch.dataset.Dataset
        Wraps the data; the default slices arrays a batch at a time.
    train_split : float, callable or None, default=None
        Splits off validation data: a share of X in (0, 1), stratified by class, or a callable
        such as ``skorch.dataset.ValidSplit(5)``. None or False trains on all of X.
    callbacks : list, "disable" or None, default=None
        skorch's callbacks.
    predict_nonlinearity : callable, "auto" or None, default="auto"
        Turns what the network returns into probabilities; ``"auto"`` fits the criterion.
    warm_start : bool, default=False
        Whether `fit` goes on with the weights of the last call.
    verbose : int, default=0
        1 shows a bar over all epochs (lines of text where the output is no terminal), what `fit`
        decides, what else it fits, and `summary_` in two lines. 2 prints a line for each epoch
        instead of the bar.
    device : str or torch.device, default="auto"
        Where the network runs; ``"auto"`` is a GPU if there is one.
    compile : bool, default=False
        Whether to compile the network with ``torch.compile``.
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
        `unrelated`, fitted. A list also where one word stands for several tasks.
    unrelated_score_ : float, None or list of these
        How well an unfitted `unrelated` learns ``y_unrelated``: the score on a held-out fifth of
        the samples after fitting on the others. (The network that is avoided is fitted on all.)
        `fit` warns if it is at chance. None where nothing was fitted.
    product_of_experts_ : float
        The strength that was used for what the nuisance explains of the target.
    weight_ : float or list of float
        The weight that was used; with `target_similarity`, the last one. A list for several
        unrelated tasks.
    history : skorch.history.History
        One row for each epoch. ``train_loss`` and ``valid_loss`` are the loss of the task,
        ``train_penalty`` and ``valid_penalty`` the similarity before its weight,
        ``penalty_weight`` the weight, ``train_similarity`` what `target_similarity` is compared
        with, and ``train_objective`` what is minimised. For several unrelated networks or layers,
        their positions and names are appended.
    classes_ : ndarray of shape (n_classes,)
        The labels, in the order of the outputs.
    summary_ : FitSummary
        What happened in the last fit: the losses, the similarities before and after, the weights
        and where they come from, the scores of the unrelated task, whether the training
        converged, and the warnings. It prints as text, and as a table in notebooks.
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
    atl_sklearn.AntiTransferLoss : The penalty for your own training loop.
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
    >>> X_more, _ = make_classification(n_samples=100, random_state=1)  # nobody labeled these
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
        penalty_every: int | str = "auto",
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
        criterion = criterion_of(self)
        if is_auto(self.predict_nonlinearity) and takes_one_score(criterion):
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
        proba = stack_outputs(self, X, self._get_predict_nonlinearity())
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
        scores = stack_outputs(self, X)
        check_predictions(self, scores, X)
        if is_one_column(scores) and len(self.classes_) == 2:
            if takes_logits(criterion_of(self)):
                return scores.reshape(len(scores))
            scores = np.log(self.predict_proba(X) + np.finfo(scores.dtype).eps)
        elif isinstance(criterion_of(self), torch.nn.NLLLoss):  # probabilities, as skorch has it
            scores = np.log(scores + np.finfo(scores.dtype).eps)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores
