"""The names of a listing's own fields that state attributes, such as `Color` or `材质`."""

from models.attributes.quantities import QUANTITIES
from models.text.cleaning import fold

_WORDS = {
    "brand": "brand", "品牌": "brand",
    "color": "colour", "colour": "colour", "base_colour": "colour", "颜色": "colour", "颜色分类": "colour",
    "gender": "gender", "适用性别": "gender", "性别": "gender",
    "material": "material", "fabric": "material", "材质": "material", "面料": "material",
    "season": "season", "适用季节": "season", "age_group": "age_group", "age group": "age_group",
    "适用年龄": "age_group", "usage": "usage", "occasion": "usage", "适用场景": "usage",
}  # fmt: skip
_ANY_SIZE = frozenset(QUANTITIES) - {"pack_quantity"}
_QUANTITIES = {
    "size": _ANY_SIZE, "尺码": _ANY_SIZE, "净含量": _ANY_SIZE, "化妆品净含量": _ANY_SIZE,
    "net weight": frozenset({"size", "weight"}), "weight": frozenset({"weight"}),
    "item weight": frozenset({"weight"}), "volume": frozenset({"size", "volume"}),
    "capacity": frozenset({"volume", "storage", "battery"}), "dimensions": frozenset({"dimensions"}),
    "product dimensions": frozenset({"dimensions"}), "length": frozenset({"length"}),
    "screen size": frozenset({"screen_size", "length"}), "display size": frozenset({"screen_size", "length"}),
    "power": frozenset({"power"}), "wattage": frozenset({"power"}),
    "memory": frozenset({"memory", "storage"}),
    "ram": frozenset({"memory", "storage"}), "storage": frozenset({"storage"}),
}  # fmt: skip
_KIND_BY_FIELD = {
    "screen size": "screen_size",
    "display size": "screen_size",
    "memory": "memory",
    "ram": "memory",
}


def word_attribute(name: str) -> str | None:
    """Return the attribute that a field of this name states in words, or None."""
    return _WORDS.get(_key(name))


def quantity_attributes(name: str) -> frozenset[str]:
    """Return the quantities that a field of this name states; empty for other fields."""
    return _QUANTITIES.get(_key(name), frozenset())


def quantity_name(field: str, kind: str) -> str:
    """Return the attribute of a quantity in a field: a `RAM` of 8 GB is memory."""
    return _KIND_BY_FIELD.get(_key(field), kind)


def _key(name: str) -> str:
    key = fold(name.strip())
    return key if key in _WORDS else key.replace("_", " ")
