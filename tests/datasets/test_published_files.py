"""Adult and MNIST: small imitations from a local server, and the real ones."""

import gzip
import hashlib
import io
import os
import struct
import zipfile

import numpy as np
import pytest

from atl_sklearn.datasets import _adult, _mnist, fetch_adult, fetch_mnist
from tests.loopback import serving

DATA = os.environ.get("ATL_SKLEARN_DATA", "")
ROWS = b"""\
39, Private, 77516, Masters, 13, Widowed, Sales, Wife, White, Male, 2174, 0, 40, Cuba, <=50K
50, ?, 83311, Bachelors, 13, Divorced, ?, Husband, Black, Female, 0, 0, 13, ?, >50K

"""
rng = np.random.RandomState(0)
N = {"train": 40, "test": 20}
IMAGES = {s: rng.randint(256, size=(n, 28, 28)).astype(np.uint8) * (rng.rand(n, 28, 28) < 0.3)
          for s, n in N.items()}  # fmt: skip
LABELS = {s: np.arange(n, dtype=np.uint8) * 7 % 10 for s, n in N.items()}


@pytest.fixture(autouse=True)
def no_other_places(monkeypatch, tmp_path):
    monkeypatch.delenv("ATL_SKLEARN_DATA", raising=False)
    monkeypatch.setenv("ATL_SKLEARN_DATA_HOME", str(tmp_path / "home"))
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")


@pytest.fixture
def server():
    with serving() as running:
        yield running


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


@pytest.fixture
def adult(monkeypatch, server):
    content = zipped(adult_data=ROWS, adult_test=b"other")
    server.files["/adult.zip"] = (content, len(content))
    monkeypatch.setattr(_adult, "_URL", f"{server.url}/adult.zip")
    monkeypatch.setattr(_adult, "_ARCHIVE", f"sha256:{hashlib.sha256(content).hexdigest()}")
    monkeypatch.setattr(_adult, "_ROWS", hashlib.sha256(ROWS).hexdigest())
    return server


def test_adult_is_downloaded_once(adult):
    for _ in range(2):
        found = fetch_adult()
        assert found.data.shape == (2, 14)
        assert list(found.target) == [0, 1]
        assert list(found.sex) == ["Male", "Female"]
        assert list(found.race) == ["White", "Black"]
        assert found.data["native-country"].isna().tolist() == [False, True]
        assert found.data["age"].tolist() == [39, 50]
        assert list(found.data.columns) == found.feature_names
    assert adult.requests == ["/adult.zip"]
    data, target = fetch_adult(return_X_y=True)
    assert data.equals(found.data)
    assert list(target) == [0, 1]


def test_the_same_rows_with_a_header_are_the_same(adult, tmp_path, monkeypatch):
    monkeypatch.setenv("ATL_SKLEARN_DATA", str(tmp_path))
    lines = b"\n".join(line.replace(b", ", b",") for line in ROWS.split(b"\n")[:-1])
    (tmp_path / "adult.zip").write_bytes(zipped(adult_csv=b"age,...\n" + lines))
    assert list(fetch_adult(download_if_missing=False).target) == [0, 1]
    assert adult.requests == []


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"no zip file", "not a complete zip file"),
        (zipped(other_data=ROWS), "not a complete zip file with one of"),
        (zipped(adult_data=ROWS.replace(b"39", b"38")), "other rows"),
    ],
)
def test_another_adult_is_refused_and_stays(adult, tmp_path, content, match):
    home = tmp_path / "home"
    home.mkdir()
    (home / "adult.zip").write_bytes(content)
    with pytest.raises(OSError, match=match):
        fetch_adult()
    assert (home / "adult.zip").read_bytes() == content


def test_a_download_that_is_something_else_leaves_nothing(adult, tmp_path):
    adult.files["/adult.zip"] = (b"an error page", 13)
    with pytest.raises(OSError, match=r"not adult\.zip as it was published"):
        fetch_adult()
    del adult.files["/adult.zip"]
    with pytest.raises(OSError, match=r"could not be downloaded.*put the file there as adult.zip"):
        fetch_adult()
    assert list((tmp_path / "home").iterdir()) == []
    with pytest.raises(OSError, match="download_if_missing is False"):
        fetch_adult(download_if_missing=False)


def idx(array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.tobytes())


@pytest.fixture
def mnist(monkeypatch, server):
    monkeypatch.setattr(_mnist, "_N", N)
    monkeypatch.setattr(_mnist, "_URL", f"{server.url}/")
    sha256, md5 = {}, {}
    for subset, prefix in (("train", "train"), ("test", "t10k")):
        rows = sorted(
            bytes([label]) + image.tobytes()
            for label, image in zip(LABELS[subset], IMAGES[subset], strict=True)
        )
        sha256[subset] = hashlib.sha256(b"".join(rows)).hexdigest()
        for kind, array in (("images-idx3", IMAGES), ("labels-idx1", LABELS)):
            content = idx(array[subset])
            name = f"{prefix}-{kind}-ubyte.gz"
            server.files[f"/{name}"] = (content, len(content))
            md5[name] = hashlib.md5(content).hexdigest()
    monkeypatch.setattr(_mnist, "_SHA256", sha256)
    monkeypatch.setattr(_mnist, "_MD5", md5)
    return server


def packed(path, *, shift=0):
    np.savez(
        path,
        X_train=IMAGES["train"][::-1] + np.uint8(shift),
        y_train=LABELS["train"][::-1],
        X_test=IMAGES["test"],
        y_test=LABELS["test"],
    )


def test_mnist_is_the_same_from_wherever_it_comes(mnist, tmp_path, monkeypatch):
    downloaded = fetch_mnist()
    assert downloaded.images.shape == (40, 28, 28)
    assert (np.diff(downloaded.target) >= 0).all()
    assert {
        (t, i.tobytes()) for t, i in zip(downloaded.target, downloaded.images, strict=True)
    } == {(t, i.tobytes()) for t, i in zip(LABELS["train"], IMAGES["train"], strict=True)}
    fetch_mnist(download_if_missing=False)
    assert len(mnist.requests) == 2
    assert len(fetch_mnist(subset="test").target) == 20

    monkeypatch.setenv("ATL_SKLEARN_DATA_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("ATL_SKLEARN_DATA", str(tmp_path))
    packed(tmp_path / "mnist.npz")
    images, target = fetch_mnist(download_if_missing=False, return_X_y=True)
    np.testing.assert_array_equal(images, downloaded.images)
    np.testing.assert_array_equal(target, downloaded.target)


def test_another_mnist_is_refused(mnist, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    packed(home / "mnist.npz", shift=1)
    with pytest.raises(OSError, match="not the images of MNIST"):
        fetch_mnist()
    np.savez(home / "mnist.npz", X_train=IMAGES["test"], y_train=LABELS["test"])
    with pytest.raises(OSError, match=r"cannot be read as MNIST .shapes"):
        fetch_mnist()
    (home / "mnist.npz").write_bytes(b"no zip file")
    with pytest.raises(OSError, match="cannot be read as MNIST"):
        fetch_mnist()
    (home / "mnist.npz").unlink()
    (home / "train-images-idx3-ubyte.gz").write_bytes(b"no gzip file")
    with pytest.raises(OSError, match="cannot be read as MNIST"):
        fetch_mnist()
    (home / "train-images-idx3-ubyte.gz").write_bytes(idx(IMAGES["test"]))
    with pytest.raises(OSError, match="no array of shape"):
        fetch_mnist()
    with pytest.raises(OSError, match="download_if_missing is False"):
        fetch_mnist(subset="test", download_if_missing=False)


def test_an_unknown_subset_is_refused():
    with pytest.raises(ValueError, match="subset"):
        fetch_mnist(subset="all")


@pytest.mark.skipif(not DATA, reason="ATL_SKLEARN_DATA names no folder with the real data")
def test_the_real_data(monkeypatch):
    monkeypatch.setenv("ATL_SKLEARN_DATA", DATA)
    mnist = fetch_mnist(download_if_missing=False)
    assert np.bincount(mnist.target).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert len(fetch_mnist(subset="test", download_if_missing=False).target) == 10_000
    adult = fetch_adult(download_if_missing=False)
    assert adult.data.shape == (32_561, 14)
    assert adult.target.sum() == 7841
    assert int(adult.data.isna().sum().sum()) == 4262
