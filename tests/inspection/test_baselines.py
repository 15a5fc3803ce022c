"""The displays look as they did when somebody last looked at them."""

import shutil

import pytest

pytest.importorskip("matplotlib")

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.testing.compare import compare_images

from tests.inspection.drawings import DRAWINGS, FOLDER, VERSION, draw, save

# Root mean square of the differences of 0 to 255. Processors round otherwise, which moves the
# edges of letters by less; a label that moved, or another colour of a line, is more.
TOLERANCE = 4.0


@pytest.fixture(autouse=True)
def drawn_with_the_same_version():
    version = VERSION.read_text().strip()
    if matplotlib.__version__ != version:
        pytest.skip(
            f"the baselines were drawn with matplotlib {version}, which lays out its own way"
        )
    yield
    plt.close("all")


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_display_looks_as_before(name, tmp_path):
    path = tmp_path / f"{name}.png"
    save(draw(name), path)
    # Beside the baseline, differences would be written into the sources.
    expected = shutil.copy(FOLDER / f"{name}.png", tmp_path / "expected.png")
    assert compare_images(expected, str(path), TOLERANCE) is None


def test_small_changes_are_seen(tmp_path):
    figure = draw("comparison")
    figure.axes[0].set_xlabel("another label")
    path = tmp_path / "comparison.png"
    save(figure, path)
    expected = shutil.copy(FOLDER / "comparison.png", tmp_path / "expected.png")
    assert "RMS" in compare_images(expected, str(path), TOLERANCE)


def test_baselines_are_small_and_all_there():
    sizes = {path.stem: path.stat().st_size for path in FOLDER.glob("*.png")}
    assert sizes.keys() == DRAWINGS.keys()
    assert max(sizes.values()) < 40_000
