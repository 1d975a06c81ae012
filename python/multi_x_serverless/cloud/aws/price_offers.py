"""An entry of AWS's price list (GetProducts, format ``aws_v1``): a product, and what it costs on demand.

    product      sku, productFamily, attributes {group, usagetype, regionCode, ...}
    terms        OnDemand -> one term -> effectiveDate, priceDimensions: one for each tier
                     {unit, beginRange, endRange, pricePerUnit {USD}}
                 Reserved -> not read
    publicationDate

Everything that the entry must have is checked here; whoever chooses among entries reads attributes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import orjson

from multi_x_serverless.cloud.ports import ListPrice, PriceTier
from multi_x_serverless.errors import SignalSourceError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

CURRENCY = "USD"
WITHOUT_END = "Inf"


@dataclass(frozen=True)
class Offer:
    """A product of the list. `family` and `attributes` say what it is; its price is read by `price_of`."""

    sku: str
    family: str
    attributes: Mapping[str, str]
    published_on: str
    _on_demand: Any


def read_offer(entry: object) -> Offer:
    """Read an entry as GetProducts returns it.

    Raises:
        SignalSourceError: ``unreadable``: it is no JSON, or not of that form.
    """
    try:
        document: Any = orjson.loads(_text(entry))  # of whatever form: a wrong one is caught below
        product = document["product"]
        attributes = {name: _text(value) for name, value in product["attributes"].items()}
        return Offer(
            sku=str(product["sku"]),
            family=str(product.get("productFamily", "")),
            attributes=attributes,
            published_on=_day(document["publicationDate"]),
            _on_demand=document.get("terms", {}).get("OnDemand", {}),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise SignalSourceError(
            f"an entry of AWS's price list cannot be read ({error!r}).", reason="unreadable"
        ) from None


def agreed_price(offers: Sequence[Offer], units: Collection[str]) -> ListPrice:
    """The price that all entries for one product give; AWS lists some products under an old and a new usage type.

    Args:
        offers: Entries that are about the same product; at least one.
        units: What a price may be for, in lower case.

    Raises:
        SignalSourceError: One of them has no usable price (see `price_of`), or they contradict each other.
    """
    prices = [price_of(offer, units) for offer in offers]
    if len({tuple(price.tiers) for price in prices}) > 1:
        listed = ", ".join(sorted({f"{price.tiers[0].usd}" for price in prices}))
        skus = ", ".join(sorted(offer.sku for offer in offers))
        raise SignalSourceError(
            f"AWS's price list contradicts itself: {skus} cost {listed} {CURRENCY}.", reason="unreadable"
        )
    return max(prices, key=lambda price: (price.published_on, price.effective_from))


def price_of(offer: Offer, units: Collection[str]) -> ListPrice:
    """The price of an entry, by tiers. Leading tiers that cost nothing are an allowance, and left out.

    Raises:
        SignalSourceError: ``unreadable``: no term, several, or one of another form, unit or currency; tiers that do not
            follow on each other from 0 on. ``absurd``: a price that is not above 0.
    """
    try:
        (term,) = offer._on_demand.values()  # noqa: SLF001 - this module's own
        dimensions = sorted(term["priceDimensions"].values(), key=lambda dimension: _number(dimension["beginRange"]))
        effective_from = _day(term["effectiveDate"])
        tiers = [PriceTier(_number(entry["beginRange"]), _price(entry)) for entry in dimensions]
        ends = [None if entry["endRange"] == WITHOUT_END else _number(entry["endRange"]) for entry in dimensions]
        found = {str(entry["unit"]) for entry in dimensions}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _unusable(offer, f"has no terms on demand of the form that is known ({error!r})") from None
    if not tiers or len(found) != 1 or not {unit.lower() for unit in found} <= set(units):
        raise _unusable(offer, f"is priced per {', '.join(sorted(found)) or 'nothing'}, expected {' or '.join(units)}")
    begins = [tier.from_units for tier in tiers]
    if begins[0] != 0 or ends != [*begins[1:], None]:
        raise _unusable(offer, "has tiers that do not follow on each other from 0 on")
    while tiers and tiers[0].usd == 0:
        tiers.pop(0)
    if not tiers or any(tier.usd <= 0 for tier in tiers):
        raise _unusable(offer, "has a price that is not above 0", reason="absurd")
    first = PriceTier(Decimal(0), tiers[0].usd)
    return ListPrice(found.pop(), (first, *tiers[1:]), offer.published_on, effective_from)


def _unusable(offer: Offer, message: str, *, reason: str = "unreadable") -> SignalSourceError:
    usage = offer.attributes.get("usagetype", "no usage type")
    return SignalSourceError(f"{offer.sku} ({usage}) of AWS's price list {message}.", reason=reason)


def _price(dimension: Any) -> Decimal:
    per_unit = dimension["pricePerUnit"]
    if CURRENCY not in per_unit:
        raise ValueError(f"priced in {', '.join(sorted(per_unit)) or 'no currency'}")
    return _number(per_unit[CURRENCY])


def _number(text: object) -> Decimal:
    try:
        number = Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite():
        raise ValueError(f"{text!r} is no number")
    return number


def _day(text: object) -> str:
    return datetime.fromisoformat(_text(text).replace("Z", "+00:00")).date().isoformat()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
