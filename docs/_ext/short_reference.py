"""A reference that can be read: short signatures, parameters in groups, and no hooks of skorch's.

numpydoc makes a definition list of the parameters. In it, what belongs together gets a heading.
"""

import re

# A parameter of the estimators that is in none of these groups is a warning, and so an error.
GROUPS = {
    "The task": (
        "module", "criterion", "class_weight", "classes", "predict_nonlinearity", "precision",
        "device", "random_state",
    ),
    "Anti-transfer": (
        "unrelated", "layer", "unrelated_layer", "metric", "aggregation", "weight",
        "target_similarity", "weight_schedule", "penalty_data", "penalty_batch_size",
        "penalty_every", "conditional", "product_of_experts",
    ),
    "Training": (
        "max_epochs", "batch_size", "optimizer", "lr", "lr_schedule", "max_grad_norm",
        "weight_decay", "augment", "augment_unrelated", "augment_keep", "train_split",
        "callbacks", "warm_start", "compile", "verbose",
    ),
    "What is kept": ("cache", "cache_size", "memory", "checkpoint_dir"),
    "skorch": (
        "iterator_train, iterator_valid", "dataset", "use_caching", "torch_load_kwargs",
        "**kwargs",
    ),
}  # fmt: skip
GROUPED = ("AntiTransferClassifier", "AntiTransferRegressor")
# Methods that skorch calls and users do not, unless they write a subclass.
HOOKS = re.compile(
    "check_|get_(dataset|iterator|loss|params_for|split)|infer$|initialize|notify$|on_|run_single_"
    "|train_step|validation_step|evaluation_step"
)
LONGEST_SIGNATURE = 90
_ENTRY = re.compile(r"^    \*\*(?P<name>.+?)\*\* : ")
# In the shape of an array, "*name" stands for several axes.
_AXES = re.compile(r"(?<=, )\*(?P<name>\w+?)(?P<underscore>_?)(?=[),])")


def shorten(signature):
    """Return a signature that ends in ``...`` where it would be longer than a line."""
    if signature is None or len(signature) <= LONGEST_SIGNATURE:
        return signature
    kept, depth, text = [], 0, ""
    for character in signature[1:-1]:
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            kept.append(text.strip())
            text = ""
        else:
            text += character
    short = []
    while kept and len(", ".join(short)) + len(kept[0]) < LONGEST_SIGNATURE - 10:
        short.append(kept.pop(0))
    return f"({', '.join(short)}, ...)"


def on_signature(app, what, name, obj, options, signature, return_annotation):
    """Shorten what autodoc is about to write."""
    return shorten(signature), return_annotation


def _entries(lines):
    """Return the entries of a definition list by name, each with its lines."""
    entries, name = {}, None
    for line in lines:
        found = _ENTRY.match(line)
        if found:
            name = found["name"].replace("\\", "")
            entries[name] = []
        if name is not None:
            entries[name].append(line)
    return entries


def group(lines, warn):
    """Return the lines of a docstring, as numpydoc leaves them, with its parameters in groups."""
    if ":Parameters:" not in lines:
        return lines
    start = lines.index(":Parameters:") + 1
    end = next(
        (i for i in range(start, len(lines)) if lines[i] and not lines[i].startswith(" ")),
        len(lines),
    )
    entries = _entries(lines[start:end])
    grouped = [""]
    for title, names in GROUPS.items():
        there = [name for name in names if name in entries]
        if there:
            grouped += [f"    .. rubric:: {title}", ""]
        for name in there:
            grouped += [*entries.pop(name)]
        grouped.append("")
    if entries:
        warn(f"in no group of docs/_ext/short_reference.py: {sorted(entries)}")
    return [*lines[:start], *grouped, *lines[end:]]


def _escaped(axes):
    return rf"\*{axes['name']}" + (r"\_" if axes["underscore"] else "")


def on_docstring(app, what, name, obj, options, lines):
    """Group the parameters of the estimators, and write shapes as they are, after numpydoc."""
    lines[:] = [line if "``" in line else _AXES.sub(_escaped, line) for line in lines]
    if what == "class" and name.rpartition(".")[2] in GROUPED:
        from sphinx.util import logging

        logger = logging.getLogger(__name__)
        lines[:] = group(list(lines), lambda text: logger.warning("%s: %s", name, text))


def on_member(app, what, name, obj, skip, options):
    """Leave out the hooks of the estimators."""
    of_estimators = (getattr(obj, "__module__", None) or "").startswith("atl_sklearn.estimators")
    return True if of_estimators and HOOKS.match(name) else None


def setup(app):
    """Connect to autodoc, after numpydoc, whose priority is the default one."""
    app.connect("autodoc-process-signature", on_signature, priority=900)
    app.connect("autodoc-process-docstring", on_docstring, priority=900)
    app.connect("autodoc-skip-member", on_member)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
