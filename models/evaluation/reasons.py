"""What the student's decision rests on, in lines short enough for a report."""

from models.evaluation.scoring import Explain
from models.student.explanation import Explainer
from models.taxonomy.tree import Taxonomy

_PIECES = 4


def reasons(explainer: Explainer, taxonomy: Taxonomy) -> Explain:
    """From a title to one line a level: category, probability, and the pieces that weigh most.

    A piece's number is what it adds to the log of the category's odds within its parent.
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
