"""A place where functions can run, and where the knowledge of it comes from."""

from __future__ import annotations

from dataclasses import dataclass, fields

from multi_x_serverless.model import documents
from multi_x_serverless.model.signal_parts import origin_members, require

REGION_SCHEMA = "multi-x-serverless/region-signal"
REGION_VERSION = 2
"""Version 2 knows the country."""


@dataclass(frozen=True)
class Region:
    """A place where functions can run.

    Attributes:
        code: AWS's name of it, for example ``eu-north-1``.
        name: AWS's name for people, for example ``Europe (Stockholm)``.
        latitude: Degrees north, of the metropolitan area.
        longitude: Degrees east, of the metropolitan area.
        grid_zone: Zone of the power grid as Electricity Maps names it, for example ``SE-SE3``.
        has_hourly_trace: Whether the embedded data knows the zone's intensity hour by hour.
        country: Its ISO 3166 code, for example ``SE``; empty if it is not known.
    """

    code: str
    name: str
    latitude: float
    longitude: float
    grid_zone: str
    has_hourly_trace: bool
    country: str = ""

    def __post_init__(self) -> None:
        require(bool(self.code), "region", "code", "is empty")
        require(-90 <= self.latitude <= 90, "region", "latitude", f"is {self.latitude}, expected -90 to 90")
        require(-180 <= self.longitude <= 180, "region", "longitude", f"is {self.longitude}, expected +-180")


@dataclass(frozen=True)
class RegionSignal:
    """A region and where the knowledge of it comes from."""

    details: Region
    source: str
    vintage: str
    collected_at: float

    @property
    def region(self) -> str:
        """Code of the region."""
        return self.details.code

    def to_document(self) -> bytes:
        """The signal as a JSON document."""
        details = {member.name: getattr(self.details, member.name) for member in fields(Region)}
        return documents.write(REGION_SCHEMA, REGION_VERSION, {"details": details, **origin_members(self)})

    @classmethod
    def from_document(cls, text: bytes | str) -> RegionSignal:
        """Read a signal of version 1 or 2.

        Raises:
            InvalidDocumentError: The text is no such signal; the message names the field.
        """
        members = documents.read(text, REGION_SCHEMA, REGION_VERSION)
        details = members.section("details")
        return cls(
            details=Region(
                code=details.text("code"),
                name=details.text("name"),
                latitude=details.number("latitude"),
                longitude=details.number("longitude"),
                grid_zone=details.text("grid_zone"),
                has_hourly_trace=details.truth("has_hourly_trace"),
                country="" if members.integer("version") == 1 else details.text("country"),
            ),
            source=members.text("source"),
            vintage=members.text("vintage"),
            collected_at=members.number("collected_at"),
        )
