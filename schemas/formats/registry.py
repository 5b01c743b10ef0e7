"""All formats, by name."""

from schemas.formats.amazon import Amazon
from schemas.formats.bmecat import BmeCat
from schemas.formats.format import Format
from schemas.formats.ga4 import Ga4, Ga4Protocol
from schemas.formats.json_ld import JsonLd
from schemas.formats.magento import Magento
from schemas.formats.merchant import Merchant
from schemas.formats.metarank import Metarank
from schemas.formats.online_retail import OnlineRetail
from schemas.formats.open_food_facts import OpenFoodFacts
from schemas.formats.rees46 import Rees46
from schemas.formats.retailrocket import RetailRocket
from schemas.formats.segment import Segment
from schemas.formats.shopify import Shopify
from schemas.formats.shopify_orders import ShopifyOrders
from schemas.formats.snowplow import Snowplow
from schemas.formats.taobao import Taobao
from schemas.formats.woocommerce import WooCommerce
from schemas.formats.yoochoose import Yoochoose

_PRODUCTS: tuple[Format, ...] = (
    Merchant(),
    Shopify(),
    WooCommerce(),
    Magento(),
    JsonLd(),
    Amazon(),
    OpenFoodFacts(),
    BmeCat(),
)
_BEHAVIOR: tuple[Format, ...] = (
    Ga4(),
    Ga4Protocol(),
    Segment(),
    Snowplow(),
    ShopifyOrders(),
    Metarank(),
    Rees46(),
    RetailRocket(),
    Yoochoose(),
    Taobao(),
    OnlineRetail(),
)

FORMATS: dict[str, Format] = {each.name: each for each in (*_PRODUCTS, *_BEHAVIOR)}
"""The formats by their name on the command line, those of products first."""
