"""Chinese titles: what is unsure is left out, and what an accessory fits is not its brand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.attributes.attribute_match import AttributeMatch
from models.attributes.brands import read_brands
from models.attributes.chinese_titles import agreed_brands, sure_matches
from models.attributes.extractor import AttributeExtractor
from models.shipped import PRETRAINED
from schemas.events import ProductCreated

EXTRACTOR = AttributeExtractor.shipped(read_brands(PRETRAINED / "student" / "brands.tsv"), 0.99)
PARTS = st.sampled_from(
    [
        "华为",
        "手机壳",
        "适用",
        "红色",
        "250g",
        "1克拉",
        "3片装",
        "女",
        "中性笔",
        "小米",
        "nike",
        "纯棉",
        "a4",
        "秋冬",
        "1米",
        " ",
    ]
)


def values(name: str, title: str) -> list[str]:
    product = ProductCreated(product_id="p", title=title)
    found = EXTRACTOR.extract(product, span_matches=EXTRACTOR.match_spans([product])[0])
    return [item.value for item in found if item.name == name]


@pytest.mark.parametrize(
    ("name", "title", "expected"),
    [
        ("brand", "华为荣耀畅玩7A手机壳荣耀7a高配", []),
        ("brand", "多兰德小米9手机壳小米8se翻盖皮套", []),
        ("brand", "适用OPPO手机通用智能手环", []),
        ("brand", "other/其他 无", []),
        ("brand", "小米有品无雾加湿器家用静音", ["Xiaomi"]),
        ("brand", "妙可蓝多马苏里拉奶酪芝士碎条125g", ["MILKLAUD"]),
        ("length", "加厚窗帘2.7米", []),
        ("weight", "百年钟情18K金钻戒1克拉女婚戒", []),
        ("weight", "原装U盘16g学生电脑", []),
        ("weight", "云南小粒咖啡250g", ["250"]),
        ("colour", "面膜美白提亮肤色去黑色素", []),
        ("gender", "得力中性笔0.5mm", []),
        ("gender", "女士羊毛衫秋冬", ["women"]),
        ("material", "莱斯特玻璃钢背景墙", []),
        ("material", "烘焙牛皮纸包装", []),
        ("season", "玉皇金纸四季平安", []),
        ("pack_quantity", "婴儿衣服3-6个月", []),
        ("pack_quantity", "满58包邮椰奶咖啡", []),
        ("pack_quantity", "光纤跳线om3支持万兆", []),
        ("pack_quantity", "纯牛奶250ml*12盒", ["12"]),
        ("volume", "图形工作站800升级款", []),
        ("age_group", "加湿器孕妇婴儿静音", []),
        ("size", "苹果xs max手机壳", []),
    ],
)
def test_what_is_unsure_is_left_out(name: str, title: str, expected: list[str]) -> None:
    assert values(name, title) == expected


def test_a_brand_that_the_tagger_finds_overrules_the_word_list() -> None:
    word = AttributeMatch("brand", "Huawei", 4, 6, 0.99)
    span = AttributeMatch("brand", "云耀", 0, 2, 0.9)
    device = AttributeMatch("fits_brand", "华为", 4, 6, 0.9)
    assert agreed_brands([word], [span]) == []
    assert agreed_brands([word], [device]) == []
    assert agreed_brands([word], [word._replace(confidence=0.9)]) == [word]
    assert agreed_brands([word], []) == [word]


@given(st.lists(PARTS, max_size=8).map("".join))
def test_only_matches_are_left_out(title: str) -> None:
    matches = [
        AttributeMatch(name, title[start : start + 2], start, start + 2, 0.9)
        for start, name in enumerate(["brand", "weight", "colour", "gender", "pack_quantity", "length"])
        if start + 2 <= len(title)
    ]
    kept = sure_matches(title, matches, matches)
    assert kept == [item for item in matches if item in kept]
    if title.isascii():
        assert kept == matches
