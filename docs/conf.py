"""Configuration of the documentation: ``sphinx-build -W docs docs/_build``.

It builds without a connection. With ``ATL_SKLEARN_DOCS_ONLINE=1`` names of NumPy, PyTorch,
scikit-learn, skorch, librosa and Optuna are links to their documentation too.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import gallery_needs  # noqa: E402
from sphinx.util.logging import getLogger  # noqa: E402

from atl_sklearn import __version__  # noqa: E402

project = "atl_sklearn"
author = "The atl_sklearn developers"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "short_reference",
]
exclude_patterns = [
    "_build",
    "_ext",
    "evidence/overview.rst",
    "evidence/weights.rst",
    "evidence/tables.rst",
    "evidence/findings.rst",
    "evidence/choice.rst",
    "evidence/comparisons.rst",
    "evidence/confounded.rst",
    "evidence/coverage.rst",
    "evidence/forms.rst",
    "evidence/ranges.rst",
    "evidence/strengths.rst",
    "evidence/images.rst",
    "evidence/unconfounded.rst",
    "evidence/words.rst",
    "evidence/substitutions.rst",
    "evidence/will_it_help.rst",
    "evidence/paper/*.rst",
    "weights/*.rst",
]
# Docstrings inherited from scikit-learn link to its own pages and glossary, and Markdown files
# of the repository to files that are no pages. What sphinx-gallery configures are functions.
suppress_warnings = ["ref.ref", "ref.term", "myst.xref_missing", "myst.header", "config.cache"]

if os.environ.get("ATL_SKLEARN_DOCS_ONLINE"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "torch": ("https://docs.pytorch.org/docs/stable", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "skorch": ("https://skorch.readthedocs.io/en/stable", None),
        "librosa": ("https://librosa.org/doc/latest", None),
        "optuna": ("https://optuna.readthedocs.io/en/stable", None),
    }

# Reference: a page for each object, with short signatures (docs/_ext/short_reference.py).
templates_path = ["_templates"]
autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
numpydoc_show_class_members = False

# Examples: those whose names begin with plot_ are run when the documentation is built, if what they
# need is there.
runs, left_out = gallery_needs.runs()
if left_out:
    getLogger(__name__).info("examples shown, but not run: %s", left_out)
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "examples",
    "filename_pattern": runs,
    "ignore_pattern": r"__init__\.py",
    "within_subsection_order": "gallery_order.reading_order",
    "doc_module": ("atl_sklearn",),
    "backreferences_dir": "generated/backreferences",
    "abort_on_example_error": True,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 1,
    "plot_gallery": "True",
    "matplotlib_animations": False,
    "show_signature": False,
}

copybutton_exclude = ".linenos, .gp, .go"

html_theme = "pydata_sphinx_theme"
html_title = "atl_sklearn"
html_static_path = ["_static"]
html_extra_path = ["../llms.txt"]
html_css_files = ["narrow.css"]
html_theme_options = {
    "logo": {"text": "atl_sklearn"},
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc", "sg_download_links"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_sidebars = {"install": [], "getting_started": [], "changelog": [], "contributing": []}
html_show_sourcelink = False
