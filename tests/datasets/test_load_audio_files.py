"""Audio files in a folder for each class."""

import zipfile
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
    with pytest.raises(ValueError, match=r"\['dog', 'emu'\] of .* hold no files in \['.flac'\]"):
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


def write(path, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path))).uniform(-0.1, 0.1, 2000)
    soundfile.write(path, noise, 8000, **options)


def test_whatever_can_be_read_is_listed_whatever_its_name(tmp_path):
    kinds = {"w64": "W64", "caf": "CAF", "oga": "OGG", "wave": "WAV", "aifc": "AIFF", "x": "FLAC"}
    for ending, kind in kinds.items():
        write(tmp_path / "angry" / f"1.{ending}", format=kind)
    write(tmp_path / "sad" / "no ending", format="AU")
    files = load_audio_files(tmp_path)
    assert names_of(files) == [*(f"angry/1.{e}" for e in sorted(kinds)), "sad/no ending"]
    assert files.left_out == []
    assert LibrosaFeatures(sr=8000, duration=0.2).fit_transform(files.paths).shape[0] == 7


def test_what_is_left_out_is_named_and_warned_of(folder):
    for name in ("dog/1.wav", "dog/._2.wav", "cat/2.flac"):
        (folder / name).write_bytes(b"")
    (folder / "dog" / "3.m4a").write_bytes(bytes(100))
    (folder / "dog" / "4.wav").symlink_to("/not/fetched/yet.wav")
    (folder / "dog" / "5.wav").write_text("version https://git-lfs.github.com/spec/v1\noid x")
    (folder / "dog" / "cover.jpg").write_bytes(b"\xff\xd8")
    (folder / "dog" / "old").mkdir()
    write(folder / "loose.wav")
    with pytest.warns(UserWarning, match=r"7 of 13 files and folders in .* are left out:") as told:
        files = load_audio_files(folder)
    assert len(told) == 1
    assert "and 2 more.\nThe attribute left_out lists all of them." in str(told[0].message)
    reasons = {"/".join(Path(path).parts[-2:]): reason for path, reason in files.left_out}
    assert len(reasons) == len(files.left_out) == 9
    assert reasons["dog/1.wav"] == "it is an empty file"
    assert reasons["dog/4.wav"] == "it is a link to '/not/fetched/yet.wav', which does not exist"
    assert reasons["dog/5.wav"].startswith("it is a pointer of Git LFS")
    assert reasons["dog/old"].startswith("it is a folder; with pattern=")
    assert reasons[f"{folder.name}/loose.wav"] == "it is in no folder of a category"
    assert "dog/notes.txt" in reasons
    assert len(files.paths) == 6
    same = load_audio_files(folder, extensions=[".wav", ".flac"], categories=["emu"])
    assert names_of(same) == ["emu/x.wav"]


def test_folders_that_cannot_be_read(folder, monkeypatch):
    original = Path.iterdir

    def iterdir(path):
        if path.name == "emu":
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    message = r"\['emu'\] of .* hold no audio files.*emu: the folder cannot be read \(Permission"
    with pytest.raises(ValueError, match=message):
        load_audio_files(folder)


def test_foreign_formats_are_listed_where_they_can_be_read(folder, monkeypatch):
    pytest.importorskip("av")
    write(folder / "cat" / "0.wav")
    sound = b"#!AMR\n" + bytes([0x3C, *range(1, 32)]) * 50
    (folder / "cat" / "0.amr").write_bytes(sound)
    assert "cat/0.amr" in names_of(load_audio_files(folder))
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.warns(UserWarning, match=r"0.amr: it is amr, .* pip install 'atl_sklearn\[formats"):
        assert "cat/0.amr" not in names_of(load_audio_files(folder))


@pytest.fixture
def speech(tmp_path):
    for name in ("anna/a/3_0.wav", "anna/b/4_1.wav", "ben/3_0.wav", "ben/notes.wav"):
        write(tmp_path / name)
    return tmp_path


def test_labels_in_paths(speech):
    pattern = r"(?P<nuisance>\w+)/.*(?P<target>\d)_(?P<group>\d)"
    with pytest.warns(UserWarning, match="notes.wav: its path does not match the pattern"):
        files = load_audio_files(speech, pattern=pattern)
    assert [Path(path).name for path in files.paths] == ["3_0.wav", "4_1.wav", "3_0.wav"]
    assert files.target_names.tolist() == ["3", "4"]
    assert files.target.tolist() == [0, 1, 0]
    assert files.nuisance.tolist() == ["anna", "anna", "ben"]
    assert files.group.tolist() == ["0", "1", "0"]
    shuffled = load_audio_files(
        speech, pattern=r"(?P<nuisance>\w+?)/", shuffle=True, random_state=0
    )
    parts = [Path(path).relative_to(speech).parts[0] for path in shuffled.paths]
    assert shuffled.nuisance.tolist() == parts
    assert shuffled.target_names[shuffled.target].tolist() == parts
    some = load_audio_files(speech, pattern=r"(?P<target>\w+)/", categories=["ben"])
    assert names_of(some) == ["ben/3_0.wav", "ben/notes.wav"]


@pytest.mark.parametrize("bad", ["(", r"\d+", "(?P<digit>x)", 3, b"(?P<target>x)", ""])
def test_bad_patterns(speech, bad):
    with pytest.raises(ValueError, match=r"'pattern' parameter .* groups named target, nuisance"):
        load_audio_files(speech, pattern=bad)


def test_links(speech):
    (speech / "anna" / "again").symlink_to(speech / "anna")
    (speech / "ben" / "5_0.wav").symlink_to(speech / "ben" / "3_0.wav")
    with pytest.raises(ValueError, match=r"are one file, by links, with two targets, '3' and '5'"):
        load_audio_files(speech, pattern=r"(?P<target>\d)_")
    (speech / "ben" / "5_0.wav").unlink()
    with pytest.warns(UserWarning, match="again: it is a link to a folder that it is in"):
        assert len(load_audio_files(speech, pattern="(?P<target>.)").paths) == 4


def test_archives_are_to_be_unpacked(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("cat/1.wav", b"")
    with pytest.raises(FileNotFoundError, match=r"a.zip is an archive: unpack it first"):
        load_audio_files(tmp_path / "a.zip")
