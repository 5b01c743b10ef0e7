"""Baselines that the model is compared with: an SVM, nearest category names, and a fine-tuned encoder.

Each is trained on the same `train` split as the model, or not at all. A baseline predicts a category,
without a confidence.
"""
