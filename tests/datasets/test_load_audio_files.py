"""Audio files in a folder for each class."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from atl_sklearn.audio import LibrosaFeatures
from atl_sklearn.datasets import load_audio_files


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("dog/b.wav", "dog/a.WAV", "cat/1.flac", "cat/2.wav", "cat/3.wav", "emu/x.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, rng.uniform(-0.1, 0.1, 2000), 8000)
    for name in ("dog/notes.txt", "dog/._b.wav", "README.md"):
        (tmp_path / name).touch()
    (tmp_path / ".cache").mkdir()
    (tmp_path / "cat" / "folder.wav").mkdir()
    return tmp_path


def names_of(files):
    return ["/".join(Path(path).parts[-2:]) for path in files.paths]


def test_sorted_files_with_their_folders(folder):
    files = load_audio_files(folder, description="Some animals.")
    assert names_of(files) == [
        "cat/1.flac",
        "cat/2.wav",
        "cat/3.wav",
        "dog/a.WAV",
        "dog/b.wav",
        "emu/x.wav",
    ]
    np.testing.assert_array_equal(files.target, [0, 0, 0, 1, 1, 2])
    assert list(files.target_names) == ["cat", "dog", "emu"]
    assert files.DESCR == "Some animals."
    X = LibrosaFeatures(sr=8000, duration=0.2).fit_transform(files.paths)
    assert X.shape[0] == 6
    assert load_audio_files(str(folder)).DESCR is None


def test_categories_and_extensions(folder):
    files = load_audio_files(folder, categories=["emu", "cat"], extensions=[".Wav"])
    assert names_of(files) == ["cat/2.wav", "cat/3.wav", "emu/x.wav"]
    assert list(files.target_names) == ["cat", "emu"]
    np.testing.assert_array_equal(files.target, [0, 0, 1])


def test_shuffling_keeps_files_with_their_labels(folder):
    plain = load_audio_files(folder)
    first, same = (load_audio_files(folder, shuffle=True, random_state=3) for _ in range(2))
    assert list(first.paths) == list(same.paths)
    assert list(first.paths) != list(plain.paths)
    assert dict(zip(first.paths, first.target, strict=True)) == dict(
        zip(plain.paths, plain.target, strict=True)
    )


def test_bad_folders(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist"):
        load_audio_files(folder / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"README.md is not a folder"):
        load_audio_files(folder / "README.md")
    with pytest.raises(ValueError, match=r"no sub-folders, .* holds 2 audio files itself"):
        load_audio_files(folder / "dog")
    with pytest.raises(ValueError, match=r"no sub-folders \['cow'\]. Available: \['cat'"):
        load_audio_files(folder, categories=["cow", "cat"])
    with pytest.raises(ValueError, match=r"\['dog', 'emu'\] of .* hold no audio files.*extensions"):
        load_audio_files(folder, extensions=[".flac"])


@pytest.mark.parametrize("bad", ["cat", [], [1], 3])
def test_bad_lists_of_names(folder, bad):
    with pytest.raises(ValueError, match=r"'categories' parameter .* sequence of str"):
        load_audio_files(folder, categories=bad)
    with pytest.raises(ValueError, match=r"'extensions' parameter .* sequence of str"):
        load_audio_files(folder, extensions=bad)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"folder": 3}, "'folder' parameter of load_audio_files must be the path of a folder"),
        ({"folder": b"x"}, "'folder' parameter"),
        ({"folder": ""}, "'folder' parameter .* Got '' instead"),
        ({"shuffle": "yes"}, "'shuffle' parameter .* True or False. Got 'yes'"),
        ({"random_state": -1}, r"'random_state' parameter .* int in \[0, .* Got -1 instead"),
    ],
)
def test_bad_parameters(folder, parameters, message):
    with pytest.raises(ValueError, match=message):
        load_audio_files(**{"folder": folder, **parameters})
