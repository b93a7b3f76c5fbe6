"""The price table: dated, cited, and the user's to edit (docs/cost.md)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from results.errors import ResultsError
from results.targets import Target

SHIPPED: Final = Path(__file__).with_name("prices.toml")

Price = Annotated[float, Field(ge=0, le=1e6)]
Amount = Annotated[float, Field(ge=0, le=1e18)]
Factor = Annotated[float, Field(ge=1, le=1000)]


class PriceError(ResultsError):
    """A price table cannot be read or makes no sense; the text names the file, the field and the trouble."""


class _Part(BaseModel):
    # A misspelt field would silently leave the shipped meaning in place: it is refused.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Group(_Part):
    """Prices of one service. `sureness` says how well they were checked, and `note` what is to be known."""

    page: str = Field(min_length=1, max_length=200)
    sureness: Literal["stated", "partly", "guessed", "own"]
    note: str = Field("", max_length=300)


class CloudRunFree(_Part):
    """What a month and billing account has free."""

    vcpu_seconds: Amount = 0
    gib_seconds: Amount = 0
    requests: Amount = 0


class CloudRun(_Group):
    """Request-based billing; second-generation functions are priced the same."""

    vcpu_second: Price
    gib_second: Price
    million_requests: Price
    rounding_s: float = Field(gt=0, le=60)
    free: CloudRunFree = CloudRunFree()


class PubsubFree(_Part):
    """What a month and billing account has free."""

    bytes: Amount = 0


class Pubsub(_Group):
    """Throughput, published and delivered alike."""

    tib: Price
    minimum_bytes: int = Field(ge=0, le=10**6)
    subscriptions: int = Field(ge=1, le=100)
    free: PubsubFree = PubsubFree()


class EgressTier(_Part):
    """A price per GB up to so many GB; the last tier has no end."""

    up_to_gb: float | None = Field(None, gt=0)
    price: Price


class StorageFree(_Part):
    """What a month and billing account has free."""

    gb_months: Amount = 0
    class_a: Amount = 0
    class_b: Amount = 0
    egress_gb: Amount = 0


class Storage(_Group):
    """Standard storage in one region; a GB is 2**30 bytes."""

    gb_month: Price
    class_a_thousand: Price
    class_b_thousand: Price
    egress_gb: tuple[EgressTier, ...] = Field(min_length=1, max_length=10)
    free: StorageFree = StorageFree()

    @model_validator(mode="after")
    def _check_tiers(self) -> Self:
        ends = [tier.up_to_gb for tier in self.egress_gb]
        finite = [end for end in ends[:-1] if end is not None]
        if ends[-1] is not None or len(finite) != len(ends) - 1 or finite != sorted(set(finite)):
            raise ValueError("egress_gb: tiers need rising `up_to_gb`, and the last one has none")
        return self


class TargetSize(_Part):
    """What a request of one target occupies.

    Args:
        service: "cloud_run", or "own": machines that this table does not price.
        concurrency: requests that share an instance and its price.
    """

    service: Literal["cloud_run", "own"]
    vcpu: float = Field(0, ge=0, le=64)
    memory_gib: float = Field(0, ge=0, le=1024)
    concurrency: int = Field(1, ge=1, le=1000)


class Assumptions(_Part):
    """What an estimate takes for granted; prices.toml says what each is."""

    bytes_per_pixel: float = Field(gt=0, le=4)
    batch_size: int = Field(ge=1, le=256)
    overhead_s: float = Field(ge=0, le=600)
    storage_months: float = Field(ge=0, le=1200)
    downloads: float = Field(ge=0, le=1e6)
    upper_slowness: Factor
    upper_deliveries: Factor
    upper_instances: int = Field(ge=0, le=10**6)
    cold_start_s: float = Field(ge=0, le=600)


class Prices(_Part):
    """The whole table."""

    schema_: Literal["diptych.prices/1"] = Field(alias="schema")
    currency: Literal["USD"]
    date: date
    region: str = Field(max_length=100)
    cloud_run: CloudRun
    pubsub: Pubsub
    storage: Storage
    targets: Mapping[Target, TargetSize]
    assume: Assumptions

    def size(self, target: Target) -> TargetSize:
        """What a request of a target occupies; one that the table does not name is the user's own."""
        return self.targets.get(target, TargetSize(service="own"))


def load_prices(path: Path | None = None) -> Prices:
    """Read a price table.

    Args:
        path: the user's own; None: the shipped one.
    Raises:
        PriceError: it cannot be read; the text names the file, the field and what is wrong.
    """
    chosen = path or SHIPPED
    try:
        table = tomllib.loads(chosen.read_bytes().decode())
    except OSError as error:
        raise PriceError(f"price table {chosen} cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise PriceError(f"price table {chosen} is not TOML: {error}") from error
    return _parse(table, chosen)


def _parse(table: dict[str, Any], path: Path) -> Prices:
    try:
        return Prices.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "table"
        raise PriceError(f"price table {path}: {where}: {first['msg']}; {SHIPPED} shows the form") from error
