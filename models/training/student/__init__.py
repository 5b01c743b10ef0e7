"""Training of the student: distillation, fitting, export, evaluation, model card."""
