"""What a basket costs. All amounts are whole cents, so that nothing is lost to rounding twice."""

PRICES = {"coffee": 690, "mug": 1450, "kettle": 5900}
SHIPPING = 490
FREE_SHIPPING_FROM = 5000


def total(basket: dict[str, int], discount_percent: int = 0) -> int:
    """The price of `basket` (article to number of pieces) with shipping; half a cent goes to the customer.

    KeyError: an article that the shop does not have. ValueError: a number or discount that makes no sense.
    """
    if not 0 <= discount_percent <= 100:
        raise ValueError(f"a discount is from 0 to 100 percent, not {discount_percent}")
    if any(pieces < 1 for pieces in basket.values()):
        raise ValueError("order at least one piece of each article")
    goods = sum(PRICES[article] * pieces for article, pieces in basket.items())
    goods -= (goods * discount_percent + 50) // 100
    return goods + (SHIPPING if 0 < goods < FREE_SHIPPING_FROM else 0)
