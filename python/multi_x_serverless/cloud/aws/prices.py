"""AWS's list prices (the price port), by the Price List API: ``pricing:GetProducts``.

    first query alone: may we ask at all?  ->  the others, a few at once  ->  each product of each region on its own

One query asks for a product in all regions, and one more per region for data that leaves it for others: ask for all
regions together. An answer has at most 100 entries; more come page by page. What a query failed for is one product.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from multi_x_serverless.cloud.aws.price_offers import Offer, agreed_price, read_offer
from multi_x_serverless.cloud.aws.price_products import EVERYWHERE, TARGET_ATTRIBUTE, ProductQuery, transfers_from
from multi_x_serverless.cloud.aws.source_errors import source_errors
from multi_x_serverless.cloud.parallel import run_all
from multi_x_serverless.cloud.ports import ListPrice, Product, QuoteFailure, RegionQuotes
from multi_x_serverless.errors import SignalSourceError

if TYPE_CHECKING:
    from multi_x_serverless.cloud.aws.session import AwsSession

FORMAT = "aws_v1"
ENTRIES_PER_PAGE = 100
PARALLEL_QUERIES = 2
"""GetProducts takes 5 requests a second, and 10 at first (AWS Billing user guide, Price List Query API, quotas)."""

GIVE_UP_AFTER = 2
"""Queries without an answer after which the list counts as out of reach: the others would wait as long, in vain."""


@dataclass(frozen=True)
class _Answer:
    """Entries that are the query's product, and how many could not be read."""

    query: ProductQuery
    offers: Sequence[Offer] = ()
    unreadable: int = 0
    error: SignalSourceError | None = None


class AwsPriceList:
    """See `multi_x_serverless.cloud.ports.PriceList`."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session

    def quote(self, regions: Sequence[str]) -> Mapping[str, RegionQuotes]:
        """Ask for the prices of all products in some regions; see the port.

        Raises:
            SignalSourceError: ``unauthorized`` or ``unavailable``: nothing can be asked.
            UnknownRegionError: There is no such region.
        """
        wanted = tuple(dict.fromkeys(regions))
        for region in wanted:
            self._session.require(region)
        if not wanted:
            return {}
        queries = (*EVERYWHERE, *(transfers_from(region) for region in wanted))
        answers = self._ask_first(queries)
        rest = [partial(self._ask, query) for query in queries[len(answers) :]]
        answers += run_all(rest, limit=PARALLEL_QUERIES)
        return {region: _quotes(region, answers) for region in wanted}

    def _ask_first(self, queries: Sequence[ProductQuery]) -> list[_Answer]:
        """Ask until there is an answer, of whatever kind; the error of the last one if there is none."""
        answers: list[_Answer] = []
        for query in queries[:GIVE_UP_AFTER]:
            answers.append(self._ask(query))
            error = answers[-1].error
            if error is None or error.reason != "unavailable":
                return answers
        raise SignalSourceError(str(answers[-1].error), reason="unavailable")

    def _ask(self, query: ProductQuery) -> _Answer:
        """All entries of a query, through all pages.

        Raises:
            SignalSourceError: ``unauthorized``: it will be so for every other query as well.
        """
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in query.filters.items()]
        entries: list[object] = []
        try:
            with source_errors(self._session, "quote", "AWS's price list"):
                pages = (
                    self._session.price_list()
                    .get_paginator("get_products")
                    .paginate(
                        ServiceCode=query.service,
                        Filters=filters,
                        FormatVersion=FORMAT,
                        PaginationConfig={"PageSize": ENTRIES_PER_PAGE},
                    )
                )
                for page in pages:
                    entries += page.get("PriceList", ())
        except SignalSourceError as error:
            if error.reason == "unauthorized":
                raise
            return _Answer(query, error=error)
        offers, unreadable = _read(entries)
        return _Answer(query, [offer for offer in offers if query.is_answered_by(offer)], unreadable)


def _read(entries: Iterable[object]) -> tuple[list[Offer], int]:
    """Entries that can be read, and the number of the others: which products these are, nobody knows."""
    offers: list[Offer] = []
    unreadable = 0
    for entry in entries:
        try:
            offers.append(read_offer(entry))
        except SignalSourceError:
            unreadable += 1
    return offers, unreadable


def _is_incomplete(product: Product, unreadable: int) -> QuoteFailure:
    """What is said beside the prices that were found: any of the entries may have been another price of this region."""
    entries = "1 entry" if unreadable == 1 else f"{unreadable} entries"
    message = f"{entries} of the answer of AWS's price list on {product} cannot be read, and may be of any region."
    return QuoteFailure(product, SignalSourceError(message, reason="unreadable"))


def _quotes(region: str, answers: Sequence[_Answer]) -> RegionQuotes:
    prices: dict[Product, ListPrice] = {}
    transfers: dict[str, ListPrice] = {}
    failures: list[QuoteFailure] = []
    for answer in answers:
        query = answer.query
        if query.filters.get(query.region_attribute, region) != region:
            continue  # transfers from another region
        if answer.error is not None:
            failures.append(QuoteFailure(query.product, answer.error))
            continue
        offers = [offer for offer in answer.offers if offer.attributes.get(query.region_attribute) == region]
        targets = sorted({offer.attributes.get(TARGET_ATTRIBUTE, "") for offer in offers} - {"", region})
        is_transfer = query.product == "transfer_to_regions"
        if not offers or (is_transfer and not targets):
            failures.append(QuoteFailure(query.product, _not_listed(query.product, region, answer.unreadable)))
            continue
        if answer.unreadable:
            failures.append(_is_incomplete(query.product, answer.unreadable))
        if is_transfer:
            for target in targets:
                same = [offer for offer in offers if offer.attributes.get(TARGET_ATTRIBUTE) == target]
                try:
                    transfers[target] = agreed_price(same, query.units)
                except SignalSourceError as error:
                    failures.append(QuoteFailure(query.product, error, target))
        else:
            try:
                prices[query.product] = agreed_price(offers, query.units)
            except SignalSourceError as error:
                failures.append(QuoteFailure(query.product, error))
    return RegionQuotes(prices, transfers, tuple(failures))


def _not_listed(product: Product, region: str, unreadable: int) -> SignalSourceError:
    hidden = f" ({unreadable} entries of the answer cannot be read)" if unreadable else ""
    return SignalSourceError(
        f"AWS's price list has no {product} of {region}{hidden}.",
        reason="unreadable" if unreadable else "unknown",
    )
