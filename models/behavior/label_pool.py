"""The labels of many products, of which equal ones are stored once."""

from array import array

from models.behavior.taste_mean import ProductLabels


class LabelPool:
    """Labels by the number of a product. Labels that no product has any more are dropped."""

    def __init__(self) -> None:
        self._place: dict[ProductLabels, int] = {}
        self._labels: list[ProductLabels | None] = []
        self._uses = array("q")
        self._free: list[int] = []
        # By product: the place of its labels, or -1.
        self._place_of = array("i")
        self._names: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._place)

    def of(self, number: int) -> ProductLabels | None:
        """Return the labels of a product, or None if it has none."""
        if number >= len(self._place_of):
            return None
        place = self._place_of[number]
        return None if place < 0 else self._labels[place]

    def put(self, number: int, labels: ProductLabels) -> None:
        """Set the labels of a product; their tags must be a tuple."""
        self.remove(number)
        place = self._place.get(labels)
        if place is None:
            place = self._add(labels)
        self._uses[place] += 1
        if number >= len(self._place_of):
            self._place_of.extend([-1] * (number + 1 - len(self._place_of)))
        self._place_of[number] = place

    def remove(self, number: int) -> None:
        """Forget the labels of a product, if it has any."""
        if number >= len(self._place_of) or self._place_of[number] < 0:
            return
        place = self._place_of[number]
        self._place_of[number] = -1
        self._uses[place] -= 1
        if not self._uses[place]:
            labels = self._labels[place]
            if labels is not None:
                del self._place[labels]
            self._labels[place] = None
            self._free.append(place)

    def _add(self, labels: ProductLabels) -> int:
        """Store new labels. Their names are few: the vocabulary's tags and the paths of categories."""
        names = self._names
        category = None if labels.category is None else names.setdefault(labels.category, labels.category)
        kept = ProductLabels(tuple(names.setdefault(name, name) for name in labels.tags), category)
        if self._free:
            place = self._free.pop()
            self._labels[place] = kept
        else:
            place = len(self._labels)
            self._labels.append(kept)
            self._uses.append(0)
        self._place[kept] = place
        return place
