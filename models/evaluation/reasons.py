"""Explanations of the student's predictions, as short lines for the report."""

from models.evaluation.scoring import Explain
from models.student.explanation import Explainer
from models.taxonomy.tree import Taxonomy

_PIECES = 4


def reasons(explainer: Explainer, taxonomy: Taxonomy) -> Explain:
    """Make a function that explains the student's prediction for a title.

    Args:
        explainer: Explainer of the student.
        taxonomy: Category tree of the student.

    Returns:
        A function from a title to one line per level: category, probability, and the pieces of the title with
        the largest weights. A weight is what the piece adds to the log-odds of the category within its
        parent.
    """

    def explain(title: str) -> list[str]:
        steps = explainer.explain(title)
        if not steps:
            return ["Not one word of the title is known to the student."]
        lines = []
        for step in steps:
            strongest = sorted(step.pieces, key=lambda piece: -abs(piece.weight))[:_PIECES]
            pieces = ", ".join(f"{piece.text} {piece.weight:+.2f}" for piece in strongest)
            lines.append(f"{taxonomy.nodes[step.category].name} {step.probability:.2f}: {pieces}")
        return lines

    return explain
