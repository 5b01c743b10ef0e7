"""Pretrained text encoders: artifacts, backends for CPU and GPU, category prototypes."""
