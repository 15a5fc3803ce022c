"""Paths and labels from a table."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import LeaveOneGroupOut, cross_validate
from sklearn.pipeline import make_pipeline

from atl_sklearn.audio import LibrosaFeatures
from atl_sklearn.datasets import load_audio_table

NAMES = ["a.wav", "b/c.wav", "d.wav"]
TEXT = """file,emotion,speaker,level,take
a.wav,angry,f01,1.5,01
b/c.wav,sad,m02,2,02
d.wav,sad,f01,-3,01
"""


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(NAMES):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, np.random.default_rng(i).uniform(-0.1, 0.1, 1600), 8000)
    (tmp_path / "labels.csv").write_text(TEXT)
    return tmp_path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_text_files(folder, delimiter, start):
    table = folder / "labels.csv"
    table.write_text(start + TEXT.replace(",", delimiter), encoding="utf-8")
    files = load_audio_table(table, path="file", target="emotion", nuisance="speaker")
    assert files.paths.tolist() == [str(folder / name) for name in NAMES]
    assert files.target.tolist() == ["angry", "sad", "sad"]
    assert files.nuisance.tolist() == ["f01", "m02", "f01"]
    assert "group" not in files


def test_numbers_are_numbers_and_names_are_names(folder):
    files = load_audio_table(
        folder / "labels.csv", path="file", target="level", nuisance="take", group="take"
    )
    assert files.target.tolist() == [1.5, 2.0, -3.0]
    assert files.nuisance.tolist() == files.group.tolist() == ["01", "02", "01"]
    (folder / "labels.csv").write_text("file,n\na.wav,3\nd.wav,4\n")
    files = load_audio_table(folder / "labels.csv", path="file", target="n", group="n")
    assert files.target.dtype == np.int64
    assert files.group.tolist() == ["3", "4"]


@pytest.mark.parametrize(
    "labels",
    [
        ["1_11", "11_1", "2"],
        ["1e1", "10", "2"],
        ["+1", "1", "2"],
        ["1.10", "1.1", "2"],
        ["1.0", "1", "2"],
    ],
)
def test_labels_that_would_be_one_number_stay_text(folder, labels):
    rows = [f"{name},{label}" for name, label in zip(NAMES, labels, strict=True)]
    (folder / "labels.csv").write_text("\n".join(["path,y", *rows]))
    files = load_audio_table(folder / "labels.csv", target="y", nuisance="y")
    assert files.target.tolist() == files.nuisance.tolist() == labels


@pytest.mark.parametrize(
    ("entries", "numbers"),
    [
        (["1e1", "20", "20"], [10, 20, 20]),
        ([" 1", "1", "2"], [1, 1, 2]),
        (["-0.0", "0.0", "0.5"], [0, 0, 0.5]),
    ],
)
def test_spaces_and_the_sign_of_zero_make_no_labels(folder, entries, numbers):
    rows = [f"{name},{entry}" for name, entry in zip(NAMES, entries, strict=True)]
    (folder / "labels.csv").write_text("\n".join(["path,y", *rows]))
    files = load_audio_table(folder / "labels.csv", target="y")
    assert files.target.tolist() == numbers


@pytest.mark.parametrize("kind", [dict, pd.DataFrame])
def test_tables_in_memory(folder, kind):
    table = kind({"path": NAMES, "y": [1, 0, 1], "who": ["a", "b", "b"]})
    files = load_audio_table(table, target="y", group="who", root=folder, description="Mine.")
    assert files.paths.tolist() == [str(folder / name) for name in NAMES]
    assert files.target.tolist() == [1, 0, 1]
    assert files.DESCR == "Mine."


def test_it_is_what_cross_validate_takes(folder):
    files = load_audio_table(folder / "labels.csv", path="file", target="emotion", group="speaker")
    pipe = make_pipeline(LibrosaFeatures(sr=8000, duration=0.1, flatten=True), DummyClassifier())
    found = cross_validate(
        pipe, files.paths, files.target, groups=files.group, cv=LeaveOneGroupOut()
    )
    assert len(found["test_score"]) == 2


def test_missing_and_repeated_files_are_named(folder):
    table = {"path": [*NAMES, *(f"{i}.wav" for i in range(25))], "y": [0] * 28}
    with pytest.raises(FileNotFoundError, match=r"(?s)25 of 28 files .*row 3: .*0.wav.*and 5 more"):
        load_audio_table(table, root=folder)
    table = {"path": [*NAMES, "b/../a.wav"]}
    with pytest.raises(ValueError, match=r"1 files are in .* once:\n  rows 0 and 3: .*a.wav\nKeep"):
        load_audio_table(table, root=folder)
    with pytest.raises(FileNotFoundError, match=r"nowhere.csv is no file"):
        load_audio_table(folder / "nowhere.csv")


def test_missing_labels_are_named(folder):
    (folder / "labels.csv").write_text("path,y\na.wav,1\nb/c.wav,\nd.wav, \n")
    with pytest.raises(ValueError, match=r"target='y' has missing values.*positions 1, 2"):
        load_audio_table(folder / "labels.csv", target="y")
    with pytest.raises(ValueError, match=r"nuisance='y' has missing values"):
        load_audio_table(
            pd.DataFrame({"path": NAMES, "y": [1, np.nan, 2]}), nuisance="y", root=folder
        )
    with pytest.raises(ValueError, match="has no path in row 1"):
        load_audio_table({"path": ["a.wav", None]}, root=folder)


def test_bad_tables(folder):
    table = folder / "labels.csv"
    with pytest.raises(ValueError, match=r"'path' parameter .* one of \['file', .*Got 'path'"):
        load_audio_table(table)
    with pytest.raises(ValueError, match=r"'target' parameter .*Did you mean 'emotion'\?"):
        load_audio_table(table, path="file", target="emotions")
    with pytest.raises(ValueError, match=r"'table' parameter .* a DataFrame or a dict of columns"):
        load_audio_table(3)
    table.write_text("path,y\na.wav,1,2\n")
    with pytest.raises(ValueError, match=r"2 columns, but another number in line 2.*delimiter="):
        load_audio_table(table)
    table.write_text("path,y,y\na.wav,1,2\n")
    with pytest.raises(ValueError, match="columns of one name"):
        load_audio_table(table)
    table.write_text("path,y\n")
    with pytest.raises(ValueError, match="has no rows"):
        load_audio_table(table)
