"""The site: `make docs`. Its sources are the documents where they stand, also outside of docs/."""

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
    "notebooks/*.md",  # the text of the lessons: no outputs, as in the notebooks
]
exclude_patterns = [".venv*", "artifacts", "mutants", "minikernel", "tests"]

nb_execution_mode = "off"
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
