"""Tells what a number with a unit measures, by its unit and the words around it: weight, memory and so on."""

import re

KINDS = ("volume", "weight", "length", "screen_size", "power", "battery", "memory", "storage")
"""The attributes of single quantities."""
_BEFORE, _AFTER = 32, 28
_KIND_OF_UNIT = {"ml": "volume", "g": "weight", "cm": "length", "mah": "battery", "w": "power"}
_NUTRIENT = (
    r"(?:added )?(?:protein|sugars?|fat|fib(?:er|re)|(?:net )?carbs?|carbohydrates?|sodium|cholesterol|"
    r"caffeine|"
    r"cbd|thc|omega|vitamins?|calcium|calories|whey|collagen|epa|dha|potassium|magnesium|zinc|iron)\b"
)
_RANGE_BEFORE = r"\d\s?(?:[a-z\"”″]{0,6}\.?\s?)?(?:[-–~−/&+]|to|and|or)\s?$"
_NOT_OWN_BEFORE = re.compile(
    r"(?:up\s?to|upto|max(?:imum)?|min(?:imum)?|over|under|at least|more than|less than|within|every|"
    r"each|per|fits?|"
    r"supports?|supporting|holds?|holding|from|first|above|below|for|fitting|ages?|load|payload|withstands?|"
    r"compatible with|lifts?|non|no|"
    rf"{_NUTRIENT})\.?\s?[:(]?\s*(?:a |an |the |most |all |of )?$|{_RANGE_BEFORE}"
)
_NOT_OWN_AFTER = re.compile(
    r"\s?(?:/\s?(?:h|hr|hrs|hour|min|mins|minute|s|sec|second|day|week|month|year|m|m2|kg|g|l|ft|serving|"
    r"portion)\b|"
    r"[²³+]|per\b|sq\b|square\b|cubic\b|series\b|class\b|"
    rf"(?:of )?(?:[a-z]+ )?{_NUTRIENT}|"
    r"(?:-\s?)?(?:load|payload|weight capacity|weight limit|max|capacity|lifting|rated|test\b|line\b|user)|"
    r"(?:-\s?)?(?:or (?:more|less|larger|smaller|under|higher|better|greater)|and (?:up|over|under|"
    r"above)|(?:to|and|or) \d|"
    r"[-–~]\s?\d))"
)
_LENGTH_AFTER = re.compile(
    r"[\s-]{0,2}(?:away|ahead|dash|sprint|race|range|distance|deep|depth|water|resist\w*|waterproof|wr\b|"
    r"zoom|lens|film|"
    r"f/?\d|jack|plug|aux|audio|stereo|headphone|headset|heels?|inseam|straps?|handles?|platform|wheels?|"
    r"tires?|tyres?|"
    r"rims?|drivers?|drive\b|hdd|ssd|hard|internal|bays?|form factor|floppy|woofers?|subwoofers?|"
    r"speakers?|socket|bore|"
    r"hose|thread|(?:flexible )?tubes?|connector|fitting|pipe|gauge|x-?\d|touch|macro|telephoto|"
    r"wide-?angle|prime|binocular|"
    r"scope|us\b|uk\b|"
    r"eu\b|men|women|medium|b\b)"
)
_LENGTH_BEFORE = re.compile(
    r"(?:resist\w*|waterproof|depth|range|distance|lens|zoom|heel|strap|handle|inseam|diameter|bore|"
    r"f/[\d.]+)\s?[:(]?\s*"
    r"(?:to |of )?$"
)
_INCH_WORDS_AFTER = re.compile(r"[\s-]+(?:\d|one\b|a\b|an\b|the\b|stock|box|pack|store|[a-z])|\s?-\s?\d")
_SCREEN_TYPE = re.compile(
    r"\b(?:laptop|notebook|netbook|ultrabook|macbook|imac|monitor|tv|tvs|hdtv|television|display|screen|"
    r"lcd|led|oled|"
    r"qled|plasma|tablet|kindle|ipad|smartphone|phone|chromebook|e-?reader|digital (?:photo|"
    r"picture) frame)\b|"
    r"电视|显示器|屏"
)
_SCREEN_ACCESSORY = re.compile(
    r"\b(?:mounts?|brackets?|stands?|cases?|covers?|sleeves?|bags?|backpacks?|messenger|briefcases?|"
    r"skins?|protectors?|"
    r"cables?|filters?|remote|strips?|lights?|lamps?|bulbs?|lens|keyboards?|wall|arm|tote|rolling|toploader|"
    r"table|furniture|cart|antenna|projector|projection|cleaner|charger|adapter|fans?)\b|支架|壳|膜|包"
)
_COVER_FOR = re.compile(r"\b(?:covers?|cases?|sleeves?|skins?|guards?|protectors?|bags?|pouch)\b.*\bfor\b")
_DEVICE = re.compile(r"(?:\b(?:new|apple|amazon)\s+)*\b(?:macbook|imac|ipad|iphone|kindle)\b")
_SHOOTING = re.compile(r"\b(?:lens|lenses|zoom|nikkor|telephoto|binoculars?|scope|camcorder|f/\d|cameras?)\b")
_DRINK = re.compile(
    r"\b(?:tumblers?|bottles?|mugs?|cups?|glass(?:es)?|flasks?|drinks?|drinkware|water|juices?|soda|beer|"
    r"wine|milk|liquid|"
    r"shampoo|conditioner|lotion|serum|oil|spray|cleaner|wash|sauce|jar|canteen|growler|pitcher|"
    r"detergent|syrup|"
    r"bowls?|jars?|containers?|lager|ale|half and half|sport cap|catcher|smoothies?|creamer|kettle|pots?|"
    r"vases?|"
    r"buckets?|pail|lids?|ladles?|soap|toner|sanitizer|coolant|tea|coffee|lemonade|cola|kombucha|vinegar|"
    r"cream|gel|perfume|fragrance)\b"
)
_FABRIC_AFTER = re.compile(r"[\s-]?(?:cotton|denim|canvas|fabric|twill|fleece|jersey|duck|ring)")
_CLOTHING = re.compile(r"\b(?:jackets?|suits?|pants|jeans|shirts?|blazers?|trousers|tuxedo|coats?)\b")
_MODEL_BEFORE = re.compile(r"[a-z]-$")
_SHOE = re.compile(r"\b(?:shoes?|sandals?|boots?|sneakers?|flip|slippers?|heels|flats)\b")
_ELECTRIC = re.compile(
    r"\b(?:bulbs?|led|leds|watts?|chargers?|adapt[eo]rs?|inverter|heaters?|speakers?|amplifier|amp|"
    r"lamps?|lights?|"
    r"lighting|oven|kettle|blender|mixer|grinder|vacuum|solar|power|motor|iron|dryer|fan|juicer|toaster|"
    r"microwave|rms|"
    r"cooktop|induction|grill|halogen|cfl|subwoofer|soundbar|drill|fryer|cooker|flood|spotlight|psu)\b|"
    r"[\u3400-\u9fff]"
)
_WASHER = re.compile(r"\b(?:washers?|washing|dryers?|laundry machine)\b|洗衣机")
_BEARING = re.compile(r"\b(?:shel(?:f|ves)|brackets?|hooks?|protein|watch)\b")
_RUNS = re.compile(
    r"\b(?:cables?|wires?|ropes?|strips?|tapes?|hoses?|cords?|rolls?|fabric|threads?|string|leads?|"
    r"extension|poles?|"
    r"tents?|ribbons?|chains?|yarn|garland|hdmi|mtrs?|film)\b|[\u3400-\u9fff]"
)
_STEEL_GRADES = frozenset({"201", "202", "301", "304", "316", "317", "321", "430", "904"})
_MEMORY_AFTER = re.compile(
    r"[\s-]?(?:[a-z0-9-]+ )?(?:ram|memory(?! (?:card|stick|key))|l?p?ddr\d?|sdram|dimm|sodimm|dram)\b"
)
_MEMORY_BEFORE = re.compile(r"(?:\bram|\bl?p?ddr\d?\w?|sdram|\bmemory)\s?[:(-]?\s*$|运行内存$")
_STORAGE_AFTER = re.compile(
    r"[\s-]?(?:[a-z0-9.\"-]+ ){0,2}(?:ssd|hdd|rom|storage|hard|flash|emmc|internal|pen ?drives?|thumb|usb|"
    r"memory (?:card|stick|key)|micro ?sd\w*|sd\b|sdhc|sdxc|compact ?flash|drive|disk|ipod|mp3|nvme|sata|"
    r"固态|硬盘|内存卡)"
)
_COMPUTER = re.compile(
    r"\b(?:laptop|notebook|desktop|computer|pc|workstation|server|graphics|geforce|radeon|gpu|video card|"
    r"macbook|imac|"
    r"chromebook|netbook|ram|ddr\d?|dimm|sodimm|sdram|memory)\b|笔记本|电脑|主机|显卡|内存"
)
_NOT_STORAGE_AFTER = re.compile(
    r"[\s-]?(?:ps|/s|cache|buffer|ethernet|lan|network|nic|sata|sas|fc|iscsi|fibre|fiber|port|switch|"
    r"transfer|"
    r"per|bandwidth|pci|link)"
)


def kind_of(folded: str, number: str, form: str, unit: str, start: int, end: int) -> str | None:
    """Tell what a quantity measures.

    Args:
        folded: The text.
        number: The number as written.
        form: The unit as written.
        unit: The normalized unit.
        start: Index of the quantity's first character.
        end: Index after its last character.

    Returns:
        One of `KINDS`; None if it measures something else or nothing of the product itself, such as a flow,
        an area, a load, a nutrient, a range, a grade of steel or the size of what it fits.
    """
    before, after = folded[max(0, start - _BEFORE) : start], folded[end : end + _AFTER]
    if _NOT_OWN_BEFORE.search(before) or _NOT_OWN_AFTER.match(after):
        return None
    if unit == "gb":
        return _capacity(folded, before, after)
    if form in ("m", "w", "l") and (_MODEL_BEFORE.search(before) or _SHOE.search(folded)):
        return None  # `NB-4L`, and the width of a shoe: `5 W`
    if form == "w" and (after.startswith("/") or not _ELECTRIC.search(folded)):
        return None
    if form == "mg":
        return None  # a dose
    if form == "m" and not _RUNS.search(folded):
        return None  # `5M` is a shade, a speed or a size as well
    if unit == "g" and (number in ("802.11", "2.4") or _WASHER.search(folded) or _BEARING.search(folded)):
        return None  # a standard of networks, and the load of a machine
    is_attached = folded[end - len(form) - 1 : end - len(form)].isdigit()
    if unit == "cm":
        return _length(folded, form, before, after, is_attached=is_attached)
    if form == "g" and is_attached and number in ("2", "3", "4", "5", "6"):
        return None  # a generation of mobile networks
    if form == "l" and is_attached and (number in _STEEL_GRADES or _CLOTHING.search(folded)):
        return None
    if form in ("oz", "ounce", "ounces") and (_DRINK.search(folded) or _FABRIC_AFTER.match(after)):
        return None  # of fluid or of mass, or of a square yard
    return _KIND_OF_UNIT.get(unit)


def _length(folded: str, form: str, before: str, after: str, *, is_attached: bool) -> str | None:
    if _LENGTH_AFTER.match(after) or _LENGTH_BEFORE.search(before):
        return None
    if form == "in" and (
        re.match(r"\s?-\s?\d|-", after) or (not is_attached and _INCH_WORDS_AFTER.match(after))
    ):
        return None  # `2-in-1`, `3 in a box`
    if re.match(r"\s?[x×*]\s?\d", after) and form not in ("m", "米"):
        return None  # one side of several
    if re.search(r"\d\D{0,3}[x×*]\s?$", before):
        return None
    if form == "mm" and _SHOOTING.search(folded):
        return None  # a focal length
    if form in _INCHES and _COVER_FOR.search(folded):
        return None  # the screen of what it covers
    if _SCREEN_TYPE.search(folded):
        is_fitted = _SCREEN_ACCESSORY.search(folded) or _is_fitted_device(folded)
        return None if is_fitted or form not in _INCHES else "screen_size"
    return "length"


def _is_fitted_device(folded: str) -> bool:
    """Whether a title names a device after another maker: `Pindia Apple Macbook Pro 13` fits one."""
    match = _DEVICE.search(folded)
    return match is not None and any(map(str.isalnum, folded[: match.start()]))


def _capacity(folded: str, before: str, after: str) -> str | None:
    if _NOT_STORAGE_AFTER.match(after) or _COVER_FOR.search(folded):
        return None
    if _MEMORY_AFTER.match(after):
        return "memory"
    if _STORAGE_AFTER.match(after):
        return "storage"
    if _MEMORY_BEFORE.search(before):
        return "memory"
    return None if _COMPUTER.search(folded) else "storage"


_INCHES = frozenset({"in", "inch", "inches", '"', "”", "″", "''", "英寸", "寸", "cm"})
