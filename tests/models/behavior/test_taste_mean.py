"""The average shopper's taste spreads the weight of all behavior over tags and categories."""

from models.behavior.taste_mean import NO_MEAN, ProductLabels, TasteMean, blended, taste_mean

LABELS = {
    "mug": ProductLabels(["red", "ceramic", "red"], "Kitchen"),
    "cup": ProductLabels(["ceramic"], "Kitchen"),
    "box": ProductLabels([], "Decor"),
    "guess": ProductLabels(["blue"], None),
}


def test_weights_are_spread_over_labels_in_descending_order() -> None:
    weights = [("mug", 2.0), ("cup", 1.0), ("box", 9.0), ("guess", 1.0), ("unknown", 9.0)]
    mean = taste_mean(weights, LABELS.get)
    assert list(mean.categories.items()) == [("Decor", 0.75), ("Kitchen", 0.25)]
    assert list(mean.tags.items()) == [("ceramic", 0.5), ("blue", 0.25), ("red", 0.25)]


def test_without_behavior_there_is_no_mean() -> None:
    assert taste_mean([], LABELS.get) == NO_MEAN
    assert taste_mean([("mug", 0.0)], LABELS.get) == NO_MEAN


def test_a_shopper_of_several_shops_has_their_blend_by_weight() -> None:
    north, south = TasteMean({"red": 1.0}, {"Kitchen": 1.0}), TasteMean({}, {"Decor": 0.5, "Kitchen": 0.5})
    assert blended([]) == NO_MEAN
    assert blended([(2, north)]) is north
    assert blended([(1, north), (3, south)]) == TasteMean({"red": 1.0}, {"Kitchen": 0.625, "Decor": 0.375})
    assert blended([(1, north), (1, NO_MEAN)]) == north
