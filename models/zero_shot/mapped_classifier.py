"""Classification in a tree that is mapped to Google's: the model for Google's tree, then the tree's names.

The decision is that of the model, in the tree's category for Google's. Where the tree is finer than Google's,
the text encoder compares the title with the names of the finer categories, as in zero-shot classification.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

import numpy as np

from models.arrays import Floats, Indices, softmax
from models.encoder.by_language import Encoders
from models.encoder.encoder import EncoderStage
from models.encoder.prototypes import Prototypes, node_prototypes
from models.student.classifier import Classification, Classifier
from models.taxonomy.google_mapping import GoogleMapping
from models.text.cleaning import clean, split_description
from models.text.languages import Language
from models.zero_shot.name_match import names_in

FINER = 0.9
"""The least probability of a published category below Google's."""
NAMED = np.float32(0.1)
"""What is added to the cosine of a title with a category whose name stands in the title."""


class MappedClassifier:
    """As a `Classifier` for the mapped tree thread-safe.

    Args:
        google: Classifies in Google's tree.
        mapping: The mapping from Google's tree.
        encoders: Place titles below Google's categories; None publishes none of them.

    Attributes:
        model_version: Identifies the model, the encoders, and the tree's mapping and names.
        dimensions: As of the model.
        reads_descriptions: As of the model.
        thresholds: As of the model.
    """

    def __init__(self, google: Classifier, mapping: GoogleMapping, encoders: Encoders | None) -> None:
        self._google, self._mapping, self._encoders = google, mapping, encoders
        inputs = [(node.google_id, node.name, node.translations.get("zh")) for node in mapping.taxonomy.nodes]
        digest = hashlib.sha256(
            repr((FINER, float(NAMED), inputs, mapping.heads.tolist())).encode()
        ).hexdigest()
        self.model_version = f"{google.model_version}+mapped-{digest[:8]}"
        self.dimensions, self.reads_descriptions = google.dimensions, google.reads_descriptions
        self.thresholds = google.thresholds
        self._prototypes: dict[tuple[int, Language], Prototypes | None] = {}
        self._names = {
            "en": [clean(node.name) for node in mapping.taxonomy.nodes],
            "zh": [clean(node.translations.get("zh", "")) for node in mapping.taxonomy.nodes],
        }
        self._lock = Lock()

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """As `Classifier.classify`."""
        found = self._google.classify(texts)
        results = [self._mapped(result) for result in found]
        if self._encoders is None:
            return results
        for stage in self._encoders.stages.values():
            rows = [
                row
                for row, (text, result) in enumerate(zip(texts, found, strict=True))
                if result.sure
                and result.category in self._mapping.finer
                and self._own_mass(result) >= FINER
                and stage.reads(text)
            ]
            for row, scores in zip(rows, self._scores(stage, rows, texts, found), strict=True):
                results[row] = self._placed(results[row], found[row], scores, stage)
        return results

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """As `Classifier.probabilities`, without those below Google's categories."""
        google = self._google.probabilities(texts)
        probabilities = np.zeros((len(texts), len(self._mapping.taxonomy)), dtype=np.float32)
        mapped = np.flatnonzero(self._mapping.heads >= 0)
        np.add.at(probabilities.T, self._mapping.heads[mapped], google.T[mapped])
        return probabilities

    def _mapped(self, result: Classification) -> Classification:
        """A classification in Google's tree as one in the mapped tree.

        It has no departments: those of Google's tree would be weighed as if they were of this one.
        """
        masses: dict[int, float] = {}
        for category, mass in result.candidates:
            if (head := int(self._mapping.heads[category])) >= 0:
                masses[head] = masses.get(head, 0.0) + mass
        candidates = tuple(
            (head, round(mass, 4)) for head, mass in sorted(masses.items(), key=lambda each: -each[1])
        )
        head = int(self._mapping.heads[result.category]) if result.category >= 0 else -1
        if head < 0 and result.category >= 0:
            # The tree has nothing like Google's category: a guess is left, or nothing.
            if not candidates:
                return replace(
                    result, category=-1, confidence=0.0, sure=False, candidates=(), departments=None
                )
            head = candidates[0][0]
            result = replace(result, confidence=candidates[0][1], sure=False)
        if head >= 0 and not result.sure:
            head = int(self._mapping.taxonomy.lineage[head, 0])
        return replace(result, category=head, candidates=candidates, departments=None)

    def _own_mass(self, result: Classification) -> float:
        """The probability of the Google category itself, without those below it."""
        if not self._mapping.google.nodes[result.category].children:
            return result.confidence
        return dict(result.candidates).get(result.category, 0.0)

    def _scores(
        self, stage: EncoderStage, rows: Sequence[int], texts: Sequence[str], found: Sequence[Classification]
    ) -> list[Floats]:
        """The similarity of each row's text to its head and the finer categories; -1 without a name."""
        vectors = stage.encode_joined([texts[row] for row in rows]) if rows else np.zeros((0, 1))
        scores = []
        for row, vector in zip(rows, vectors, strict=True):
            category = found[row].category
            prototypes = self._prototypes_of(category, stage)
            if prototypes is None:
                scores.append(np.zeros(0, dtype=np.float32))
                continue
            names = [self._names[stage.language][place] for place in self._places(category)]
            named = names_in(split_description(texts[row])[0], names)
            scores.append(prototypes.scores(vector[None])[0] + NAMED * np.array(named, dtype=np.float32))
        return scores

    def _prototypes_of(self, category: int, stage: EncoderStage) -> Prototypes | None:
        """The prototypes of a Google category's head and finer categories, encoded when they are needed."""
        key = category, stage.language
        with self._lock:
            if key not in self._prototypes:
                nodes = self._places(category)
                self._prototypes[key] = node_prototypes(
                    self._mapping.taxonomy, nodes, stage.encode, stage.language
                )
            return self._prototypes[key]

    def _places(self, category: int) -> list[int]:
        return [int(self._mapping.heads[category]), *self._mapping.finer[category]]

    def _placed(
        self, result: Classification, found: Classification, scores: Floats, stage: EncoderStage
    ) -> Classification:
        """A classification with its category among the finer ones, as deep as they can be told apart."""
        if not scores.size:
            return result
        taxonomy = self._mapping.taxonomy
        places: Indices = np.array(self._places(found.category))
        column = np.append(scores, np.float32(stage.scale.none))[None]
        masses = softmax(column, stage.scale.alone)[0, :-1] * self._own_mass(found)
        category, confidence = result.category, result.confidence
        while children := taxonomy.nodes[category].children:
            within = [
                float(masses[(places >= child) & (places < taxonomy.ends[child])].sum()) for child in children
            ]
            best = int(np.argmax(within))
            if within[best] < FINER:
                break
            category, confidence = children[best], round(within[best], 4)
        if category == result.category:
            return result
        others = [each for each in result.candidates if each[0] not in (category, result.category)]
        candidates = ((category, confidence), *others)
        return replace(result, category=category, confidence=confidence, candidates=candidates)
