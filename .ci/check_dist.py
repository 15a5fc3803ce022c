"""Hold a wheel and an sdist to what they may have inside: ``python .ci/check_dist.py dist``.

The wheel has the package and its metadata, and nothing else; the sdist what builds and tests it.
Every file of the package is in both.
"""

import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
# What an sdist needs for building, testing and reading; each name is at the top.
SDIST = {
    "atl_sklearn", "benchmarks", "docs", "examples", "tests", ".github", ".gitignore",
    ".pre-commit-config.yaml", "CHANGELOG.md", "CITATION.cff", "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md", "LICENSE", "PKG-INFO", "README.md", "SECURITY.md", "constraints-oldest.txt",
    "constraints.txt", "llms.txt", "pyproject.toml",
}  # fmt: skip
NEVER = {"__pycache__", "_build", "generated", ".ruff_cache", ".mypy_cache", ".pytest_cache"}


def package_files():
    """Return the files of the package in this checkout, without what running it leaves."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "atl_sklearn").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def wrong_in_wheel(names, version):
    """Return what is wrong with the names of a wheel."""
    metadata = f"atl_sklearn-{version}.dist-info/"
    foreign = [n for n in names if not n.startswith(("atl_sklearn/", metadata))]
    missing = sorted(package_files() - set(names))
    more = sorted({n for n in names if n.startswith("atl_sklearn/")} - package_files())
    return [f"{why}: {n}" for why, found in
            (("not the package", foreign), ("missing", missing), ("not in the checkout", more))
            for n in found]  # fmt: skip


def wrong_in_sdist(names, version):
    """Return what is wrong with the names of an sdist."""
    paths = [PurePosixPath(name).relative_to(f"atl_sklearn-{version}") for name in names]
    wrong = [f"not expected: {path}" for path in paths if path.parts[0] not in SDIST]
    wrong += [f"left by a run: {path}" for path in paths if NEVER & set(path.parts)]
    return wrong + [f"missing: {n}" for n in sorted(package_files() - {str(p) for p in paths})]


def main(folder):
    """Check both files of a folder; say what is wrong."""
    wrong = []
    wheels, sdists = (sorted(Path(folder).glob(kind)) for kind in ("*.whl", "*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        return f"{folder} must hold one wheel and one sdist, and has {wheels} and {sdists}"
    version = wheels[0].name.split("-")[1]
    with zipfile.ZipFile(wheels[0]) as wheel:
        names = wheel.namelist()
        wrong += wrong_in_wheel(names, version)
    with tarfile.open(sdists[0]) as sdist:
        members = [member.name for member in sdist if member.isfile()]
        wrong += wrong_in_sdist(members, version)
    print(f"{wheels[0].name}: {len(names)} files; {sdists[0].name}: {len(members)} files")
    return "\n".join(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]) or 0)
