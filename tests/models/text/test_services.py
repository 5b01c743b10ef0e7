"""Services are told from goods that come with one, or are for one."""

import pytest

from models.text.cleaning import clean
from models.text.services import service_in


@pytest.mark.parametrize(
    ("title", "service"),
    [
        ("Gift Card", "gift card"),
        ("Amazon Gift Card $50", "gift card"),
        ("Geschenkgutschein 50 €", "geschenkgutschein"),
        ("2 Year Extended Warranty for Samsung TV", "extended warranty"),
        ("Laptop Protection Plan - 3 Years", "protection plan"),
        ("礼品卡 500元", "礼品卡"),
        ("补差价", "补差价"),
    ],
)
def test_services(title: str, service: str) -> None:
    assert service_in(clean(title)) == service


@pytest.mark.parametrize(
    "title",
    [
        "Gift Card Holder",
        "Laptop with Extended Warranty",
        "Phone + Protection Plan",
        "Washing Machine incl. installation service",
        "Donation Box",
        "Running Shoes",
        "礼品卡包装盒",
        "电视 赠安装服务",
        "",
    ],
)
def test_goods(title: str) -> None:
    assert service_in(clean(title)) is None
