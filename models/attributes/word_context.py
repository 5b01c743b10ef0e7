"""Tells by the words around it whether a word for a color, material or gender describes the product.

`Non-leather belt` is of no leather, `for gray hair` is not gray, and `pair with a denim skirt` says nothing.
"""

import re
from collections.abc import Callable

_BEFORE, _AFTER, _CLAUSE = 28, 32, 90
_NEGATED_BEFORE = re.compile(
    r"(?:\b(?:not|non|no|without|free of|free from|never|zero|isn't|aren't|avoid|instead of|alternatives? to|"
    r"anti|un|neither|nor|rather than|replaces?)[\s-]+(?:(?:any|real|genuine|virgin|added|animal|more|"
    r"toxic|harmful|"
    r"made (?:of|from)|a|the) ){0,2}|\bnon|[非不免无仿])$"
)
_NEGATED_AFTER = re.compile(r"[\s-]?(?:free|less|alternative|substitute)\b|[\s-]or [a-z]+[\s-]free\b")
_GOES_WITH = re.compile(
    r"\b(?:pair(?:s|ed|ing)?|team(?:s|ed)?|styled?|wear|worn|goes|go|match(?:es|ed|ing)?|mix|combined?|"
    r"layer(?:ed)?|"
    r"looks? (?:great|good)|compatible|use|used|perfect|ideal|contrast\w*)"
    r"(?: (?:it|this|these|them|well|great|perfectly|up|back|easily|beautifully|nicely))*"
    r" (?:with|over|under|for use with)\b[^.;!\n]*$"
)
_FOR_THIS = re.compile(
    r"\b(?:for|on|from|to|like|against|against the) (?:(?:all|any|dark|light|real|your|the|most|natural|"
    r"hard|fine|a|an|"
    r"old|new|unfinished|finished|delicate|thinning|coarse|curly|dry|damaged|brassy) ){0,3}$"
)
_IMITATED = re.compile(
    r"(?:\b(?:faux|fake|imitation|artificial|mock|simulated|synthetic|micro|vegan|imitates?|resembles?|"
    r"mimics?|"
    r"looks? like|like|"
    r"end|stop|reduce|less|fight|recycled from)[\s-]+)$"
)
_NO_MATERIAL_AFTER = re.compile(
    r"[\s-](?:look|effect|style|like|print|printed|finish|finished|tone|toned|inspired|textured?|grain|"
    r"pattern|wallpaper|"
    r"decals?|stickers?|scent|scented|flavou?r(?:ed)?|colou?r(?:ed)?|cleaners?|cleaning|polish|"
    r"conditioner|care|"
    r"protectors?|glue|fillers?|stains?|screws?|drills?|detectors?|paints?|buds|balls|swabs|candy|wax|"
    r"balm|primer|"
    r"putty|burning|burner|carving|waste|pollution|surgery|repair|cutters?|cutting|working|planer|sealer|"
    r"lathe|"
    r"chipper|seeds?|up\b|splitter|saws?|rasp|blades?|bits?|stoves?|pellets?|buddies|milk|soy|oil|rose|"
    r"shroud|strap|sand\b|edition|powder|coating|lacquer|edging|plated|coated|thread|wipes?|drums?|"
    r"bases?\b|handles?|lids?|burners?|"
    r"(?:out|in)?soles?|tubs?|interior|shoppe|"
    r"wash|detergent|shaver|punch|adhesive|dye|lining|street|road|works|house\b(?! shoes))"
)
_COLOR_NOUNS = re.compile(
    r"[\s-](?:finch(?:es)?|squirrels?|breasted|capped|bellied|headed|winged|throated|tailed|carrots?|"
    r"corn|kale|"
    r"grapefruit|christmas|satin|musk|one\b|platinum|select|scope|glamorous|whitening|lingual|use\b|"
    r"&\s?white plat)|"
    r"[\s-](?:hat|seals?|jays|safflower|sunflower|millet|proso|meat|gold|sensitive|surface|purpose|pack|"
    r"vitamins?)\b|"
    r"[\s-](?:hairs?|haired|eyes?|eyed|skin|teeth|tooth|beards?|tea|teas|pepper|beans?|rice|wines?|label|"
    r"friday|box|"
    r"boxes|boards?|berr(?:y|ies)|currants?|sesame|mustard|garlic|salt|olives?|cumin|cardamom|lentils?|"
    r"chick ?peas?|"
    r"peas?|gram|bear|bull|horse|hawk|fox|cat|dog|book|books|ops|magic|sea|forest|house|cross|whale|sox|"
    r"panther|"
    r"widow|sabbath|mamba|swan|birds?|jay|onions?|cabbage|potato(?:es)?|apples?|grapes?|chil(?:i|li|ly|"
    r"es)|lantern|"
    r"hornet|rangers?|wings|heat|carpet|eye|river|planet|day|hour|print cartridges?|toner|ink|"
    r"cartridges?|ray|thumb|"
    r"bay|lotus|moon|mountain|noise|screen|knight|tape|tip|chief|rose|ribbon|bouquets?|flowers?|petals?|"
    r"water|oil|"
    r"juice|blossom|peel|zest|marmalade|ice|maker|machine|table|tables|mugs?|cups?|pots?|grinders?|"
    r"filters?|roaster|"
    r"presse?s?|pods?|capsules?|creamer|server|scoop|urn|cakes?|chips?|bars?|cookies?|fountain|moulds?|"
    r"molds?|cheese|"
    r"soup|wood|cleanser|conditioner|extract|spray|butter|pencil|powder|essence|leaf|leaves|tree|trees|"
    r"plants?|bush|"
    r"seeds?|shampoo|remover|lotion|care|cream|type|bread|beet|mullet|snapper|gum|bull|hat society|"
    r"hot chili)\b"
)
_THING_COLORS = frozenset({
    "rose", "coffee", "chocolate", "cream", "peach", "olive", "mustard", "lavender", "lilac", "orange",
    "rust", "skin", "tan", "turquoise", "ivory", "violet", "charcoal", "copper", "bronze", "gold",
    "metallic", "nude", "silver", "golden", "khaki", "navy", "multi", "indigo",
})  # fmt: skip
"""Words for colors that are also words for things."""
_COLOR_WORD = (
    r"(?:colou?r(?:ed)?|shade|toned?|black|white|red|blue|green|yellow|pink|purple|brown|beige|gr[ae]y|"
    r"navy|gold|golden|"
    r"silver|cream|orange|tan|light|dark|pale|deep|bright|matte?|metallic|peach|olive|teal|maroon|"
    r"striped?|checked|"
    r"printed|solid)"
)
_WORN = (
    r"(?:shirts?|t-?shirts?|tees?|tops?|dress(?:es)?|skirts?|jeans|pants|trousers|shorts|jackets?|coats?|"
    r"sweaters?|"
    r"sweatshirts?|hoodies?|kurtas?|kurtis?|sarees?|leggings|shoes?|sandals|sneakers|boots|heels|flats|"
    r"slippers|flip|"
    r"socks|bags?|handbags?|clutch(?:es)?|wallets?|belts?|scarf|scarves|stole|dupatta|caps?|hats?|"
    r"watch(?:es)?|ties?|"
    r"bras?|briefs?|nightdress|tunic|blouse|polo|casual|formal|sports?|leather|cotton|sofa|chair|"
    r"curtains?|cushion|"
    r"rug|towels?|sunglasses|bedsheet|dial|analog\w*)"
)
_GENDER = r"(?:men|mens|women|womens|boys|girls|unisex|ladies|kids)(?:'s)?"
_COLOR_CONTEXT_BEFORE = re.compile(rf"(?:\b{_COLOR_WORD}|\b{_GENDER}|,|[(|]|\s[-–]|\bin)\s*$")
_COLOR_CONTEXT_AFTER = re.compile(rf"\s*(?:[),|;]|[-–]\s|\b{_COLOR_WORD}\b|\b{_WORN}\b)")
_WORN_ANYWHERE = re.compile(
    rf"\b(?:{_GENDER}|{_WORN.replace('casual|formal|sports?|leather|cotton|', '')}|sports bra|wear|"
    rf"saree?s?|sari|salwar|"
    r"lehenga|churidar|patiala|backpacks?|pillow|luggage|organi[sz]er|jersey|tights?|capri|gloves)\b"
)
_WORN_AFTER = re.compile(rf"\s+(?:[a-z]+ )?{_WORN}\b")
_COSMETIC = re.compile(
    r"\b(?:shave|shaving|lipsticks?|lip|deo|deodorants?|body spray|shampoos?|conditioners?|lotions?|"
    r"perfumes?|edt|edp|"
    r"parfum|cologne|moisturi[sz]\w+|nail|mascara|foundation|blush|soap|scented|fragrance|candles?|"
    r"tampons?|freshener|razors?|air|combo set|business cards?)\b"
)
_SCENTED = re.compile(
    r"\b(?:cleaners?|cleaning|soap|wash|detergent|scent(?:ed)?|freshener|laundry|wipes|dish|spray|"
    r"softener|tea|mug)\b"
)
_FITTINGS = re.compile(
    r"\b(?:connectors?|thread(?:ed|s)?|adapt[eo]rs?|cables?|plugs?|sockets?|usb|hdmi|rca|vga|dvi|npt|bsp|"
    r"xlr|jacks?|"
    r"coupl(?:er|ing)s?|fittings?|pins?|valves?|hoses?|headers?|displayport|coax\w*|splitters?|extension|"
    r"converter|"
    r"serial|parallel|bulkhead)\b"
)
_NO_PERSON_AFTER = re.compile(
    r"[\s-](?:cave|made|hole|power|united|city|ray|bug|bird|finger|scouts?|friend|hood|eater|of (?:the|"
    r"steel)|utd|"
    r"vs|and the|in (?:black|the)|to man|who|kind|hours?)"
)
_NO_PERSON_BEFORE = re.compile(
    r"\b(?:iron|spider|super|bat|ant|mega|pac|x|he|aqua|he-|old|our|pretty|the|bad|big|invisible|first|"
    r"dead|best|cat|"
    r"gamer|good|nutcracker|young|wise|handy|muffin|gingerbread|green|my fair|bag|lucky|mystery|little|"
    r"oh)[\s-]?$"
)
_PETS = re.compile(r"\b(?:cats?|dogs?|puppy|puppies|kittens?|pets?|canine|feline|parrots?|birds?)\b")
_NO_WEARER = re.compile(r"\b(?:dogs?|pets?|mugs?|dolls?|figurines?|statue|showpiece|speaker|maker)\b")
_NO_AGE_AFTER = re.compile(
    r"[\s-](?:safe|safety|proof|resistant|lock|size|doll|back|shark|bok|greens?|arugula|lettuce|spinach|"
    r"kale|romaine|"
    r"potato(?:es)?|carrots?|beets?|bella|portabella|swiss|cut|peeled|lima|peas|shower|face|bio|spring|"
    r"cucumbers?|"
    r"clams?|shrimp|octopus|squash|bananas?|ruth|mix|leaf|broccoli|artichokes?|pickles)"
)
_SINGULAR = frozenset({"man", "lady", "woman", "boy", "girl", "gent", "gents"})


def describes_product(attribute: str, folded: str, start: int, end: int) -> bool:
    """Whether a word at characters [start, end) describes the product itself.

    Args:
        attribute: The attribute that the word states.
        folded: The text as `models.text.cleaning.fold` returns it.
        start: Index of the first character.
        end: Index after the last character.
    """
    before, after = folded[max(0, start - _BEFORE) : start], folded[end : end + _AFTER]
    if _NEGATED_BEFORE.search(before) or _NEGATED_AFTER.match(after):
        return False
    if _GOES_WITH.search(folded[max(0, start - _CLAUSE) : start]):
        return False
    rule = _RULES.get(attribute)
    return rule is None or rule(folded, start, end)


def _is_material(folded: str, start: int, end: int) -> bool:
    before, after = folded[max(0, start - _BEFORE) : start], folded[end : end + _AFTER]
    if _IMITATED.search(before) or _NO_MATERIAL_AFTER.match(after) or _FOR_THIS.search(before):
        return False
    if folded.startswith("art ", start):
        return False  # art silk is rayon or polyester
    if folded[start:end] == "lace":
        return _WORN_AFTER.match(after) is not None
    return _COSMETIC.search(folded) is None


def _is_color(folded: str, start: int, end: int) -> bool:
    before, after = folded[max(0, start - _BEFORE) : start], folded[end : end + _AFTER]
    if _COLOR_NOUNS.match(after) or _FOR_THIS.search(before):
        return False
    if folded[start:end] not in _THING_COLORS:
        return True
    if _SCENTED.search(folded):
        return False
    is_stated = bool(start) and _COLOR_CONTEXT_BEFORE.search(before) is not None
    return is_stated or _COLOR_CONTEXT_AFTER.match(after) is not None


def _is_gender(folded: str, start: int, end: int) -> bool:
    word = folded[start:end]
    if word in ("male", "female") and _FITTINGS.search(folded):
        return False
    if _NO_WEARER.search(folded):
        return False
    if word in _SINGULAR and not _WORN_ANYWHERE.search(folded):
        return False
    if word not in _SINGULAR and word not in ("men", "boys", "girls"):
        return True
    before, after = folded[max(0, start - _BEFORE) : start], folded[end : end + _AFTER]
    return not (_NO_PERSON_AFTER.match(after) or _NO_PERSON_BEFORE.search(before))


def _is_age(folded: str, start: int, end: int) -> bool:
    return not (_PETS.search(folded) or _NO_AGE_AFTER.match(folded[end : end + _AFTER]))


def _is_usage(folded: str, start: int, end: int) -> bool:
    """`Running shoes` are for sports, but not every title with `training` or `football`."""
    return not folded[start:end].isascii() or _WORN_ANYWHERE.search(folded) is not None


_RULES: dict[str, Callable[[str, int, int], bool]] = {
    "material": _is_material,
    "colour": _is_color,
    "gender": _is_gender,
    "age_group": _is_age,
    "usage": _is_usage,
}
