"""Category trees: nodes and subtrees, the file formats they are read from, label hierarchy."""
