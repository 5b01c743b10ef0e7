"""From labeled data to a model in the registry: check labels, train, evaluate, gate, register."""
