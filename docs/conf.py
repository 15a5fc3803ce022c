"""Configuration of the documentation: ``sphinx-build -W docs docs/_build``."""

from atl_sklearn import __version__

project = "atl_sklearn"
author = "The atl_sklearn developers"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
]
autosummary_generate = True
numpydoc_show_class_members = False
exclude_patterns = [
    "_build",
    "evidence/overview.rst",
    "evidence/weights.rst",
    "evidence/tables.rst",
    "evidence/findings.rst",
    "weights/*.rst",
]
# Docstrings inherited from scikit-learn link to pages of its own documentation.
suppress_warnings = ["ref.ref"]
html_theme = "alabaster"
html_theme_options = {
    "description": "Anti-transfer learning for scikit-learn",
    "page_width": "1100px",
    "fixed_sidebar": True,
}
