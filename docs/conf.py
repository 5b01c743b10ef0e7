"""Sphinx configuration of the documentation site: `make docs`."""

project = "shelfstream"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "shelfstream"
html_static_path: list[str] = []
exclude_patterns = ["benchmarks/results/*.md"]
myst_heading_anchors = 3
