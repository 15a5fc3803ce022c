"""Forms in which people have audio: what is accepted, and what is said of the others."""

import io
import os
import zipfile
from collections import UserList

import numpy as np
import pandas as pd
import pytest
import scipy.io.wavfile
import soundfile
import torch

from atl_sklearn.audio import AddNoise, AudioSegmenter, BadAudioError, LibrosaFeatures
from atl_sklearn.datasets import load_audio_files

SR = 8000


@pytest.fixture(scope="module")
def wave():
    return np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)


@pytest.fixture
def content(wave):
    file = io.BytesIO()
    soundfile.write(file, wave, SR, format="WAV", subtype="FLOAT")
    return file.getvalue()


@pytest.fixture
def features():
    return LibrosaFeatures("waveform", sr=SR, duration=0.5)


class Decoder:
    """What data sets return for a recording, as torchcodec has it."""

    def __init__(self, samples):
        self._samples = samples

    def get_all_samples(self):
        return self

    data = property(lambda self: torch.from_numpy(self._samples)[None])
    sample_rate = SR


def forms(wave, content, folder):
    path = folder / "a.wav"
    path.write_bytes(content)
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.write(path, "x/a.wav")
    integers = np.round(wave * 32768).astype(np.int16)
    at_end = io.BytesIO(content)
    at_end.seek(0, os.SEEK_END)
    return {
        "bytes": content,
        "bytearray": bytearray(content),
        "file in memory": io.BytesIO(content),
        "file in memory, at its end": at_end,
        "member of an archive": zipfile.Path(folder / "a.zip", "x/a.wav"),
        "tensor": torch.from_numpy(wave),
        "tensor with gradients": torch.from_numpy(wave).requires_grad_(),
        "torchaudio": (torch.from_numpy(wave)[None], SR),
        "scipy": (SR, wave),
        "scipy, integers": (SR, integers),
        "scipy, two channels": (SR, np.stack([wave, wave], axis=1)),
        "data set, decoded": {"array": wave, "sampling_rate": SR, "path": "nowhere.wav"},
        "data set, bytes": {"bytes": content, "path": None},
        "data set, path": {"bytes": None, "path": str(path)},
        "data set, torchcodec": Decoder(wave),
        "16 bits": integers,
        "path of bytes": type("P", (), {"__fspath__": lambda self: os.fsencode(path)})(),
    }


NAMES = [
    "bytes", "bytearray", "file in memory", "file in memory, at its end",
    "member of an archive", "tensor", "tensor with gradients", "torchaudio", "scipy",
    "scipy, integers", "scipy, two channels", "data set, decoded", "data set, bytes",
    "data set, path", "data set, torchcodec", "16 bits", "path of bytes",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_forms_that_are_read(name, features, wave, content, tmp_path):
    item = forms(wave, content, tmp_path)[name]
    features.set_params(scale=32768)
    found = features.fit_transform([item])
    np.testing.assert_allclose(found[0, 0], wave, atol=1e-4)
    np.testing.assert_array_equal(features.transform([item]), found)  # and once more
    windows = AudioSegmenter(0.25, hop=0.25, sr=SR, scale=32768).fit_transform([item])
    parts = features.set_params(duration=0.25).transform(windows)
    np.testing.assert_allclose(parts.ravel(), wave, atol=1e-4)


def test_all_forms_are_listed(wave, content, tmp_path):
    assert list(forms(wave, content, tmp_path)) == NAMES


@pytest.mark.parametrize("crop", ["start", "random"])
def test_contents_are_kept_like_files(features, content, wave, tmp_path, crop):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    features.set_params(memory=tmp_path / "cache", duration=0.2, crop=crop, random_state=0)
    expected = features.fit_transform([path])
    for _ in range(2):
        np.testing.assert_array_equal(features.transform([content]), expected)
    mapped = features.set_params(memory_map=tmp_path / "maps").transform([content, path])
    np.testing.assert_array_equal(mapped[0], mapped[1])


@pytest.mark.parametrize(
    ("scale", "dtype", "values", "expected"),
    [
        (32768, np.int16, [-32768, 0, 16384], [-1, 0, 0.5]),
        ("dtype", np.int16, [-32768, 0, 16384], [-1, 0, 0.5]),
        ("dtype", np.int32, [-(2**31), 0, 2**30], [-1, 0, 0.5]),
        ("dtype", np.uint8, [0, 128, 192], [-1, 0, 0.5]),
        (255, np.uint8, [0, 51, 255], [0, 0.2, 1]),
    ],
)
def test_integers_are_divided_by_what_was_said(scale, dtype, values, expected):
    features = LibrosaFeatures("waveform", sr=SR, duration=3 / SR, scale=scale)
    wave = np.array(values, dtype)
    np.testing.assert_allclose(features.fit_transform([wave]).ravel(), expected, atol=1e-7)
    np.testing.assert_allclose(features.transform(wave[None]).ravel(), expected, atol=1e-7)


def test_scipy_reads_what_is_accepted(tmp_path, wave, features):
    scipy.io.wavfile.write(tmp_path / "a.wav", SR, (np.stack([wave, wave], 1) * 32767).astype("i2"))
    item = scipy.io.wavfile.read(tmp_path / "a.wav")
    features.set_params(scale="dtype", n_channels=2)
    np.testing.assert_allclose(features.fit_transform([item])[0, 1, 0], wave, atol=1e-4)


@pytest.mark.parametrize("scale", [0, -1, "int16", True, np.nan])
@pytest.mark.parametrize("kind", [LibrosaFeatures, AudioSegmenter])
def test_bad_scales(scale, kind, wave):
    with pytest.raises(ValueError, match=f"'scale' parameter of {kind.__name__} must be"):
        kind(scale=scale).fit([(wave, SR)])


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"audio": 3}, r"it is a dict with the keys \['audio'\], not one of Hugging Face's"),
        (io.StringIO("text"), r"it is open as text; open it by open\(path, 'rb'\)"),
        (["a.wav", "anna"], r"it is text, \['a.wav', 'anna'\]. From a table, pass only the column"),
        (("a.wav", 16000), r"it is text, .* need no pairs"),
        (object(), "it is <object object at .*, neither a path nor a waveform"),
        ((16000, np.zeros(4, np.int16)), "it has dtype int16, not floating-point; scale=32768"),
        (b"a.wav", r"the content of a file of 5 bytes, .* a path is a str"),
        (["x" * 10**6, "y"], r"it is text, \['x{290,300}\.\.\.\. From a table"),
        ({"k" * 10**6: 1}, r"the keys \['k{290,300}\.\.\., not one"),
        ((np.ones(4), "8" * 10**6), r"its rate is '8{290,300}\.\.\., not a number"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_what_is_said_of_other_forms(item, reason, features):
    with pytest.raises(BadAudioError, match=reason) as caught:
        features.fit([item])
    assert len(str(caught.value)) < 1000


def test_open_files_stay_where_they_are(features, content, wave, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with open(path, "rb") as file:
        file.seek(7)
        np.testing.assert_array_equal(features.fit_transform([file])[0, 0], wave)
        assert file.tell() == 7


def test_a_pipe_can_be_read_once_only(features):
    reading, writing = os.pipe()
    os.close(writing)
    with os.fdopen(reading, "rb") as file, pytest.raises(BadAudioError, match=r"twice .*read\(\)"):
        features.fit([file])


def test_one_that_is_not_in_a_list(features, content):
    for item in (content, io.BytesIO(content), {"bytes": content}):
        with pytest.raises(TypeError, match="Put a single one into a list"):
            features.fit(item)


def test_bad_contents_are_named_by_position(features, content):
    with pytest.raises(BadAudioError, match=r"(?s)1 of 2.*X\[1\]: it is truncated: .*16000 bytes"):
        features.fit_transform([content, content[:3000]])
    with pytest.raises(TypeError, match="AddNoise needs samples or features, not files"):
        AddNoise().fit_transform([content])


class Dataset:
    """A data set of Hugging Face's, as far as it matters here."""

    column_names = ("audio", "label")

    def __init__(self, items):
        self._items = items

    def __getitem__(self, name):
        return UserList(self._items) if name == "audio" else [0] * len(self._items)


def test_columns_of_tables(features, wave, content, tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    table = pd.DataFrame({"speaker": ["f01", "m02"], "path": ["a.wav", "a.wav"]})
    expected = np.stack([wave, wave])[:, None]
    features.set_params(root=tmp_path)
    message = r"X is a table with the columns \['speaker', 'path'\]\. Say by column='path'"
    for transformer in (features, AudioSegmenter(0.5)):
        with pytest.raises(TypeError, match=message):
            transformer.fit(table)
    for X, column in (
        (table, "path"),
        (table.to_dict("list"), "path"),
        (table.to_numpy(), 1),
        (Dataset([{"bytes": content}] * 2), "audio"),
        (table.set_axis([0, 1], axis=1), 1),
    ):
        features.set_params(column=column)
        np.testing.assert_allclose(features.fit_transform(X), expected, atol=1e-6)
        windows = AudioSegmenter(0.5, root=tmp_path, column=column).fit_transform(X)
        assert [window.recording for window in windows] == [0, 1]
    features.set_params(column="Path")
    with pytest.raises(ValueError, match=r"no column 'Path'.*Did you mean 'path'\?.*Available"):
        features.fit(table)
    with pytest.raises(TypeError, match=r"X is no table with columns. Got list"):
        features.fit(["a.wav"])
    with pytest.raises(ValueError, match=r"'column' parameter is 5, but X has 2 columns"):
        features.set_params(column=5).fit(table.to_numpy())
    with pytest.raises(ValueError, match="'column' parameter of LibrosaFeatures must be"):
        features.set_params(column=1.5).fit(table)
    one = features.set_params(column=None).fit_transform(table[["path"]])
    np.testing.assert_allclose(one, expected, atol=1e-6)
    numbers = features.fit_transform(pd.DataFrame(np.stack([wave, wave])))
    np.testing.assert_array_equal(numbers, expected)


def test_names_that_are_not_utf8(features, content, wave, tmp_path):
    folder = os.path.join(os.fsencode(tmp_path), b"klang")
    os.mkdir(folder)
    name = os.path.join(folder, b"stra\xdfe.wav")
    try:
        with open(name, "wb") as file:
            file.write(content)
    except OSError:
        pytest.skip("this disk takes names in UTF-8 alone")
    paths = load_audio_files(tmp_path).paths
    for X in (paths, [os.fsdecode(name)]):
        np.testing.assert_array_equal(features.fit_transform(X)[0, 0], wave)
    features.set_params(memory=tmp_path / "cache")
    np.testing.assert_array_equal(features.fit_transform(paths), features.transform(paths))
    with open(name, "wb") as file:
        file.write(content[:3000])
    with pytest.raises(BadAudioError, match=r"stra\\xdfe.wav\): it is truncated") as caught:
        features.transform(paths)
    str(caught.value).encode()  # can be printed


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (
            "zip://a.wav::b.zip",
            "it is an address, not a path: .*fsspec.open for example, and pass",
        ),
        ("https://example.org/a.wav", "it is an address"),
        ("s3://bucket/a.wav", "it is an address"),
        (
            "{folder}/b.zip/a.wav",
            r"b.zip' is a file, not a folder; .* zipfile.Path\(arch",
        ),
    ],
)
def test_paths_into_archives_and_addresses(path, reason, features, tmp_path):
    (tmp_path / "b.zip").write_bytes(b"PK")
    with pytest.raises(BadAudioError, match=reason):
        features.fit_transform([path.format(folder=tmp_path)])
    with pytest.raises(BadAudioError, match=reason):
        features.set_params(root=tmp_path).fit_transform([path.format(folder=tmp_path)])
