"""What a weight and a target of similarity do on tables, images and speech.

    python -m benchmarks.weights

Reads fsdd.zip and adult.zip from the folder that ``ATL_SKLEARN_DATA`` names, adds the runs that are
not there yet to ``docs/weights/runs.jsonl``, one JSON line each, and draws the table and the figure
of all that are there.
"""

from __future__ import annotations

import argparse
import functools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch

from atl_sklearn.datasets import fetch_adult
from atl_sklearn.inspection import extract_activations
from benchmarks.evidence.folds import Clips, Fold, standardised
from benchmarks.evidence.method import Fitted, fit_unrelated, network
from benchmarks.evidence.protocols import digit_images, fsdd_confounded
from benchmarks.evidence.runs import measure, read_runs

FOLDER = Path(__file__).parents[1] / "docs" / "weights"


@functools.cache
def _census() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the columns of Adult but for the sex, the income and the sex."""
    table, income = fetch_adult(return_X_y=True)
    sex = (table.pop("sex") == "Male").to_numpy().astype(int)
    X = pd.get_dummies(table.drop(columns="fnlwgt").fillna("?")).to_numpy(dtype=np.float32)
    return X, income, sex


def adult(index: int) -> Fold:
    """Income, which shall be predicted by a decision that does not depend on the sex.

    Parameters
    ----------
    index : int
        Which split.
    """
    X, income, sex = _census()
    order = np.random.RandomState(6000 + index).permutation(len(X))

    def part(start: int, end: int) -> Clips:
        at = order[start:end]
        return Clips(X[at], income[at], sex[at])

    return standardised(
        Fold(
            train=part(0, 4000),
            unrelated=part(0, 4000),
            unlabeled=part(4000, 8002),
            valid=part(8002, 9000),
            valid_like_test=part(9000, 10000),
            test=part(10000, 22000),
            probe=part(22000, 24000),
            max_epochs=8,
            unrelated_epochs=8,
        )
    )


DATA: dict[str, Callable[[int], Fold]] = {
    "adult": adult,
    "digits": digit_images,
    "digits, nothing to avoid": functools.partial(digit_images, confounding=0.0),
    "speech": fsdd_confounded,
}
COMPARED: dict[str, dict[str, Any]] = {
    "features": {},
    "probabilities": {"layer": "posterior", "unrelated_layer": "posterior"},
}
WEIGHTS = (0.0, 0.1, 0.3, 1.0, 3.0)
TARGETS = (0.3, 0.2, 0.1, 0.05)


def run(data: str, compared: str, form: str, value: float, seed: int) -> dict[str, Any]:
    """Train one network and return what is reported of it."""
    fold, unrelated = _prepared(data)
    params: dict[str, Any] = {form: value, "unrelated": unrelated, **COMPARED[compared]}
    params["penalty_every"] = 1  # so that what is compared is the penalty alone
    start = time.perf_counter()
    net = network(fold.max_epochs, seed, **params)
    net.fit(fold.train.X, fold.train.target, X_unlabeled=fold.unlabeled.X)
    seconds = time.perf_counter() - start
    model = Fitted(net.predict, lambda X: extract_activations(net, X, layer="last"))
    found = {
        "data": data,
        "compared": compared,
        "form": form,
        "value": value,
        "seed": seed,
        **measure(model, fold),
        "weight": net.weight_,
        "similarity": net.history[-1].get("train_similarity"),
        "seconds": round(seconds, 1),
    }
    if data == "adult":
        found.update(gaps(net.predict(fold.test.X), fold.test))
    return found


def gaps(predicted: np.ndarray, test: Clips) -> dict[str, float]:
    """Return how the rates of the decision differ between the two groups."""
    first, second = test.nuisance == 1, test.nuisance == 0
    positive = test.target == 1
    return {
        "selection_gap": float(predicted[first].mean() - predicted[second].mean()),
        "recall_gap": float(
            predicted[first & positive].mean() - predicted[second & positive].mean()
        ),
    }


@functools.cache
def _prepared(data: str) -> tuple[Fold, Any]:
    fold = DATA[data](0)
    return fold, fit_unrelated(fold, 0)


def run_all(
    path: Path,
    names: Sequence[str],
    n_seeds: int,
    *,
    compared: Sequence[str] = tuple(COMPARED),
    weights: Sequence[float] = WEIGHTS,
    targets: Sequence[float] = TARGETS,
) -> None:
    """Make the runs that are not in the file yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    keys = ("data", "compared", "form", "value", "seed")
    done = {tuple(one[key] for key in keys) for one in read_runs(path)}
    forms = [("weight", value) for value in weights]
    forms += [("target_similarity", value) for value in targets]
    for data in names:
        for seed in range(n_seeds):
            for what in compared:
                for form, value in forms:
                    key = (data, what, form, value, seed)
                    # without a penalty nothing is compared
                    if key in done or (value == 0 and form == "weight" and what != "features"):
                        continue
                    found = run(*key)
                    with open(path, "a") as file:
                        file.write(json.dumps(found) + "\n")
                    print(json.dumps(found), flush=True)


def summarise(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the means over seeds, and the spread of what decides."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for one in runs:
        key = (one["data"], one["compared"], one["form"], one["value"])
        groups.setdefault(key, []).append(one)
    rows = []
    for (data, compared, form, value), found in groups.items():
        row = {"data": data, "compared": compared, "form": form, "value": value, "n": len(found)}
        for name in ("accuracy", "probe", "selection_gap", "recall_gap", "weight"):
            values = [one[name] for one in found if one.get(name) is not None]
            if values:
                row[name] = float(np.mean(values))
                row[f"{name}_spread"] = float(np.ptp(values))
        rows.append(row)
    return sorted(rows, key=lambda row: (list(DATA).index(row["data"]), row["compared"]))


def table(rows: Sequence[dict[str, Any]], data: str) -> str:
    """Return the rows of one data set in reStructuredText."""
    header = ["compared", "setting", "accuracy", "probe"]
    header += ["gap of selection rates", "gap of recalls"] * (data == "adult")
    cells = [[*header, "weight at the end", "seeds"]]
    for row in rows:
        if row["data"] != data:
            continue
        is_plain = row["form"] == "weight" and row["value"] == 0
        entries = [
            "" if is_plain else row["compared"],
            "plain network" if is_plain else f"``{row['form']}={row['value']:g}``",
            f"{row['accuracy']:.3f} (spread {row['accuracy_spread']:.3f})",
            f"{row['probe']:.2f}",
        ]
        if data == "adult":
            gap, spread = row["selection_gap"], row["selection_gap_spread"]
            entries += [f"{gap:.3f} (spread {spread:.3f})", f"{row['recall_gap']:+.3f}"]
        cells.append([*entries, f"{row['weight']:.2g}", str(row["n"])])
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for first, *others in cells:
        lines.append(f"   * - {first}".rstrip())
        lines += [f"     - {entry}".rstrip() for entry in others]
    return "\n".join([*lines, ""])


def draw(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw accuracy against what shall be avoided, for weights and for targets."""
    names = [name for name in DATA if any(row["data"] == name for row in rows)]
    n_rows = -(-len(names) // 2)
    drawing, axes = plt.subplots(
        n_rows, 2, figsize=(10, 3.8 * n_rows), layout="constrained", squeeze=False
    )
    for unused in axes.flat[len(names) :]:
        unused.set_axis_off()
    looks = {
        ("features", "weight"): ("tab:gray", "o"),
        ("probabilities", "weight"): ("tab:blue", "o"),
        ("features", "target_similarity"): ("tab:olive", "s"),
        ("probabilities", "target_similarity"): ("tab:red", "s"),
    }
    for one, data in zip(axes.flat, names, strict=False):
        x = "selection_gap" if data == "adult" else "probe"
        for (compared, form), (color, marker) in looks.items():
            found = [
                row
                for row in rows
                if row["data"] == data
                and row["form"] == form
                and (row["compared"] == compared or (form == "weight" and row["value"] == 0))
            ]
            found.sort(key=lambda row: row["value"])
            label = f"{form.replace('_', ' ')}, {compared}"
            xs, ys = [row[x] for row in found], [row["accuracy"] for row in found]
            one.plot(xs, ys, color=color, marker=marker, markersize=4, lw=1, label=label)
            for row in found:
                text = f"{row['value']:g}"
                one.annotate(
                    text, (row[x], row["accuracy"]), fontsize=6.5, color=color,
                    xytext=(3, 3), textcoords="offset points",
                )  # fmt: skip
        one.set(title=data, ylabel="accuracy")
        low, high = one.get_ylim()
        if high - low < 0.1:  # or noise would look like an effect
            one.set_ylim((low + high) / 2 - 0.05, (low + high) / 2 + 0.05)
        one.set_xlabel("gap of selection rates" if data == "adult" else "probe of the nuisance")
        one.grid(linewidth=0.3)
    handles, labels = axes[0][0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    drawing.savefig(path, dpi=110)
    plt.close(drawing)


def write_report(path: Path) -> None:
    """Write tables and figure of the runs in a file beside it."""
    rows = summarise(read_runs(path))
    for data in dict.fromkeys(row["data"] for row in rows):
        name = data.split(",")[0] + ("-nothing" if "nothing" in data else "")
        (path.parent / f"{name}.rst").write_text(table(rows, data))
    draw(rows, path.parent / "trade-off.png")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.weights", description=__doc__)
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=FOLDER / "runs.jsonl")
    parser.add_argument("--compared", nargs="+", choices=list(COMPARED), default=list(COMPARED))
    parser.add_argument("--weights", nargs="*", type=float, default=WEIGHTS)
    parser.add_argument("--targets", nargs="*", type=float, default=TARGETS)
    parser.add_argument("--report", action="store_true", help="no new runs, the report only")
    options = parser.parse_args()
    if not options.report:
        torch.set_num_threads(1)
        run_all(
            options.runs,
            options.data,
            options.seeds,
            compared=options.compared,
            weights=options.weights,
            targets=options.targets,
        )
    write_report(options.runs)


if __name__ == "__main__":
    main()
