"""Leaves out of a Chinese title's attributes what is unsure.

A title of an accessory names the makers of the devices that it fits. Words and units that are sure in English
titles mean other things in Chinese ones: `1.5克拉` is no weight, `黑色素` no color, `中性笔` for no gender.
"""

import re
from collections.abc import Callable, Sequence

from models.attributes.attribute_match import AttributeMatch
from models.attributes.brands import is_brand

_CHINESE = re.compile("[\u3400-\u9fff]")
_UNSAID = frozenset({"length", "screen_size", "power", "battery", "memory", "storage"})
"""Attributes of which fewer than 85% were right, or too few were at hand to know."""
_SPANS_ONLY = frozenset({"colour"})
"""Attributes that only the span tagger finds surely."""
_FITTED = re.compile(
    "壳|(?:钢化|贴|水凝|屏幕|键盘|手机|保护|防爆|蓝光|高清|彩|防护|全屏)膜|[护手皮]套|护机套|表带|腕带|数据线|充电|适配器|"
    "支架|贴纸|硒鼓|墨盒|墨粉|碳粉|粉盒|内存卡|配件|读卡器|转换|转接|挂绳|总成|电池|维修|自拍杆|镜头|臂包|耳机|耳麦|话筒|"
    "麦克风|手柄|手环|背包|内胆包|双肩包|遥控|适用|通用|专用|兼容|适配|支持|屏幕"
)
_DEVICE_MAKER = re.compile(
    "华为|荣耀|小米|红米|苹果|三星|魅族|一加|戴尔|惠普|联想|华硕|宏碁|神舟|雷神|机械师|小天才|诺基亚|索尼|佳能|尼康|爱普生|"
    "兄弟|apple|huawei|xiaomi|redmi|honor|samsung|oppo|vivo|meizu|realme|dell|lenovo|thinkpad|asus|acer|nokia|sony|canon|"
    r"nikon|epson|iphone|ipad|\bhp\b"
)
_FITS_BEFORE = re.compile("(?:适用于?|通用|适合|适配|兼容|支持|专用|for)[a-z0-9 .英寸]{0,8}$")
_WORN = re.compile("[衣衫裤裙鞋靴服帽袜]|t恤|外套|西装|背心|套装|包")
_STANDARD = re.compile(
    r"usb.*|type-?c|rj\d+|ip\d\d|i[3579]\b.*|[gr]tx.*|mx\d{3}|ddr\d.*|\d+(?:\.\d+)?(?:g|gb|k|p|w|v|a|mm|cm|ml|寸)|spf.*|[345]g|"
    r"iphone.*|win\d+|h\d|hdmi.*|\d{1,3}|[a-z]|iqo?0+|iqoo"
)
_LATIN_BEFORE = re.compile("[a-z]$")
_NO_COLORS = frozenset({"纯色", "撞色", "肤色", "彩色", "咖啡豆", "咖啡粉"})
_ELECTRONIC = re.compile(
    "电脑|手机|显卡|主机|平板|学习机|点读|视频|模块|u盘|内存|机型|电视|笔记本|存储|tf卡?|sd卡?|硬盘|家教机|gtx|rtx|早教|播放|mp[34]|词典"
)


def sure_matches(
    folded: str, matches: Sequence[AttributeMatch], spans: Sequence[AttributeMatch]
) -> list[AttributeMatch]:
    """Return the matches that are sure, of a Chinese title; all of another one.

    Args:
        folded: The title as `models.text.cleaning.fold` returns it.
        matches: The matches in the title.
        spans: Those of them that the span tagger found.
    """
    if not _is_chinese_title(folded):
        return list(matches)
    found = frozenset(spans)
    kept = [
        item
        for item in matches
        if item.name not in _UNSAID
        and (item in found or not found or item.name not in _SPANS_ONLY or folded[item.start].isascii())
        and _RULES.get(item.name, _is_sure)(folded, item)
    ]
    brands = {folded[item.start : item.end] for item in kept if item.name == "brand"}
    quantities = {(item.start, item.unit) for item in kept if item.name in ("weight", "volume")}
    return [
        item
        for item in kept
        if not (item.name == "fits_brand" and folded[item.start : item.end] in brands)
        and not (item.name == "size" and item.unit and (item.start, item.unit) not in quantities)
        and not (item.name == "usage" and item not in found and not _WORN.search(folded))
    ]


def agreed_brands(words: Sequence[AttributeMatch], spans: Sequence[AttributeMatch]) -> list[AttributeMatch]:
    """Return the brands of the word list that no span contradicts by another brand or another attribute.

    Args:
        words: Brands of the word list.
        spans: The matches of the span tagger.
    """
    agreed = []
    for word in words:
        same = {item.name for item in spans if item.start < word.end and word.start < item.end}
        if "brand" in same or not (same or any(item.name == "brand" for item in spans)):
            agreed.append(word)
    return agreed


def _is_chinese_title(folded: str) -> bool:
    """Whether a fifth of the letters are Chinese, so that `包邮` makes no English title Chinese."""
    if folded.isascii():
        return False
    chinese = len(_CHINESE.findall(folded))
    return chinese > 0 and 5 * chinese >= sum(map(str.isalpha, folded))


def _is_sure(folded: str, item: AttributeMatch) -> bool:
    return True


def _is_own_brand(folded: str, item: AttributeMatch) -> bool:
    text, before = folded[item.start : item.end], folded[: item.start]
    if not is_brand(text) or _FITS_BEFORE.search(before):
        return False
    if not _DEVICE_MAKER.search(text):
        return True
    is_first = len(_CHINESE.findall(_DEVICE_MAKER.sub("", before))) <= 2
    return is_first and not _FITTED.search(folded)


def _is_own_model(folded: str, item: AttributeMatch) -> bool:
    text = folded[item.start : item.end]
    is_series = re.match(r"\s?[,/、]\s?\d", folded[item.end : item.end + 4]) is not None
    return not (_STANDARD.fullmatch(text) or _FITTED.search(folded) or is_series)


def _is_specification(folded: str, item: AttributeMatch) -> bool:
    text = folded[item.start : item.end]
    if re.fullmatch(r"[\d.]+|\d[a-z]|\d{2}[b-jn-ux-z]|type-?c|4k|5g|4g", text):
        return False
    return not (re.fullmatch(r"[a-z]\d{1,2}", text) and _DEVICE_MAKER.search(folded)) and text != "a3"


def _fits_device(folded: str, item: AttributeMatch) -> bool:
    is_carrier = folded[item.start : item.end] in ("移动", "联通", "电信", "全网通")
    is_fruit = folded.startswith("水果", item.end) or folded.startswith("味", item.end)
    return _FITTED.search(folded) is not None and not is_carrier and not is_fruit


def _without(after: str, before: str = "(?!)") -> Callable[[str, AttributeMatch], bool]:
    follows, precedes = re.compile(after), re.compile(f"(?:{before})$")

    def keeps(folded: str, item: AttributeMatch) -> bool:
        return not (follows.match(folded, item.end) or precedes.search(folded[: item.start]))

    return keeps


_is_no_part = _without("底|囊|纸|腿|胶|水|膜|温馨|贴|清洁|镜|板|表带|弹簧|钢|瓶|色|纹|蓝")
_is_no_pigment = _without("素|头|复印|打印|激光|隐形|喷墨|印刷|b超|照片")
_is_no_compound = _without("型|味|材料|零?配件|款式|专用|香型")
_is_no_pen = _without("笔|胶|硅|玻璃|密封|清洁|洗|皮肤|肤|心|团|队", "美|补")
_is_no_wish = _without("平安|如|豆|发财|红|青|[装款季]?冬")
_is_no_scale = _without("级|降|高|温|职|学|舱|[/、+]")
_is_no_time = _without(
    "月|性|人|头|面|层|卡|左右|包邮|笔|以上|起|弯|架|芯|墨|玻璃", r"[送赠+带含共外满买配]|[+＋][^ ]{0,4}"
)


def _is_material(folded: str, item: AttributeMatch) -> bool:
    return folded[item.start : item.end] not in ("瓷", "木", "铁", "石") and _is_no_part(folded, item)


def _is_color(folded: str, item: AttributeMatch) -> bool:
    return folded[item.start : item.end] not in _NO_COLORS and _is_no_pigment(folded, item)


def _is_product(folded: str, item: AttributeMatch) -> bool:
    is_thing = folded[item.start : item.end] not in ("礼物", "礼品", "神器", "用品", "配件")
    return is_thing and _is_no_compound(folded, item)


def _is_weight(folded: str, item: AttributeMatch) -> bool:
    text = folded[item.start : item.end]
    is_electronic = text.endswith("g") and not text.endswith("kg") and _ELECTRONIC.search(folded)
    return not (is_electronic or folded.startswith("拉", item.end) or "纸" in folded or "钢笔" in folded)


def _is_count(folded: str, item: AttributeMatch) -> bool:
    text = folded[item.start : item.end]
    is_name = "x" in text and (len(item.value) > 2 or _ELECTRONIC.search(folded))
    is_code = text[0].isdigit() and _LATIN_BEFORE.search(folded[: item.start])
    return _is_no_time(folded, item) and not (is_name or is_code)


def _is_size(folded: str, item: AttributeMatch) -> bool:
    return bool(item.unit) or not _FITTED.search(folded)


def _is_own_age(folded: str, item: AttributeMatch) -> bool:
    return "孕妇" not in folded and _is_no_pen(folded, item)


def _is_style(folded: str, item: AttributeMatch) -> bool:
    return not folded.startswith(("车", "座"), item.end)


_RULES: dict[str, Callable[[str, AttributeMatch], bool]] = {
    "brand": _is_own_brand,
    "model": _is_own_model,
    "specification": _is_specification,
    "fits_brand": _fits_device,
    "product": _is_product,
    "colour": _is_color,
    "material": _is_material,
    "gender": _is_no_pen,
    "age_group": _is_own_age,
    "season": _is_no_wish,
    "usage": _is_style,
    "style": _is_style,
    "size": _is_size,
    "weight": _is_weight,
    "volume": _is_no_scale,
    "pack_quantity": _is_count,
}
