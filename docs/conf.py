"""The site: `make docs`. Its sources are the documents where they stand, also outside of docs/."""

import atexit
import logging
import os
import shutil
import tempfile

from minikernel import __version__

project = "minikernel"
release = __version__
author = "The minikernel authors"
html_show_copyright = False

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/**.md",
    "notebooks/*.md",  # the text of the lessons; they are run, so outputs and pictures are seen
]
exclude_patterns = [".venv*", "artifacts", "mutants", "minikernel", "tests"]

nb_execution_mode = "force"  # a lesson that fails is an error, as a warning is
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_execution_timeout = 120  # seconds a cell

# What the kernels of the lessons write goes with the build.
_lessons = tempfile.mkdtemp(prefix="minikernel-docs-")
atexit.register(shutil.rmtree, _lessons, ignore_errors=True)
for _name in ("DATA", "RUNTIME", "CONFIG"):
    os.environ[f"JUPYTER_{_name}_DIR"] = os.path.join(_lessons, _name.lower())  # noqa: PTH118 - a variable
logging.getLogger("traitlets").setLevel(logging.WARNING)  # nbclient names each notebook twice
os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernelspec of this environment

myst_enable_extensions = ["attrs_inline"]
myst_heading_anchors = 3  # those that the forge makes, so links work there and here
highlight_language = "text"
default_role = "code"  # what docstrings mean by `name`

autodoc_inherit_docstrings = False  # those of jupyter_client are on its own site
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the signatures have them
nitpicky = True

html_theme = "furo"
html_title = "minikernel"
html_static_path = []
html_extra_path = ["site"]  # index.html, which leads to the root document
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}
