"""Settings: a flag beats the environment (`DIPTYCH_*`) beats `.diptych/run.json` beats the default.

Nothing here is read at import time. `load_settings` is called once per process, by whoever serves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ByteSize, Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from model.folders import user_model_dir
from pipeline.config.pubsub_settings import PubSubAddress, is_pubsub
from pipeline.config.run_file import RUN_FOLDER, RunFile, find_run_file
from pipeline.errors import SettingsError
from results.stores.open import STORE_FORMS, url_of_store
from results.targets import PUSHED_TARGETS, Target

GOOGLE_CERTS_URL: Final = "https://www.googleapis.com/oauth2/v1/certs"
_BROKER_SCHEMES: Final = ("redis://", "rediss://", "redis+socket://")


class Settings(BaseSettings):
    """All that can be configured. Each field is the environment variable DIPTYCH_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="DIPTYCH_", frozen=True, extra="ignore")

    # Where things are
    store_url: str = Field("", description=STORE_FORMS)
    store_must_exist: bool = Field(
        False, description="a store's folder that does not exist has vanished, and is not created again"
    )
    broker_url: str = Field("", description="redis://host:port/0 for Celery, or pubsub://project/topic")
    container_url: str = Field("", description="push endpoint of the container worker")
    function_url: str = Field("", description="push endpoint of the function worker")
    model_dir: Path | None = Field(
        default_factory=user_model_dir,
        description="more models, beside the shipped ones; default: the user's data folder",
    )
    cache_dir: Path | None = Field(
        None, description="where pushed models are kept; default: diptych/models in the user's cache"
    )
    cache_bytes: ByteSize = Field(
        ByteSize(1024**3), ge=1, description="most that they take, e.g. 2GiB; the longest unused go first"
    )

    # What a worker does
    target: Target | None = Field(None, description="which target this worker is")
    engine: Literal["openvino", "torch"] = "openvino"
    preload: bool = Field(False, description="load default_model at start, not at the first task")
    default_model: str = "faces-64"
    slots: int = Field(1, ge=1, le=64, description="generation slots of this worker: one per vCPU")
    slot_wait_s: float = Field(
        0.5,
        ge=0,
        description="the answer is `busy` when the slot is taken for so long: a short task ends"
        " sooner than its sender would come back",
    )
    threads: int = Field(1, ge=1, le=64, description="inference threads per generation slot")
    batch_size: int = Field(8, ge=1, le=256, description="images between two looks at cancel and clock")
    deadline_s: float = Field(
        540.0,
        gt=0,
        description="a delivery is given back before this age; an engine that takes as long for one batch is"
        " stuck, and its process ends",
    )
    drain_s: float = Field(8.0, ge=0, description="after SIGTERM, work that takes longer is given back")
    push_auth: Literal["verify", "cloud-run", "off"] | None = Field(
        None, description="how the container worker checks who pushes; it does not start unless this is said"
    )
    push_audience: str = Field("", description="audience of the push subscription's OIDC token")
    push_email: str = Field("", description="service account that the push subscription signs as")
    push_certs_url: str = Field(GOOGLE_CERTS_URL, description="where the keys of that token's issuer are")
    revision: str = Field("", description="worker revision for the record; default: the version")

    # What the deliverer does (offline: it plays the push subscription)
    push_attempts: int = Field(100, ge=1, le=1000, description="deliveries before a task is dead")
    backoff_min_s: float = Field(0.1, gt=0)
    backoff_max_s: float = Field(60.0, gt=0)
    push_timeout_s: float = Field(600.0, gt=0, description="longest wait for a push's answer")
    visibility_timeout_s: int = Field(
        720, ge=1, description="a lost delivery returns after this; above push_timeout_s + backoff_max_s"
    )
    tracing: Literal["otlp", "off"] = Field(
        "off", description="send OpenTelemetry spans, where the OTEL_* variables say"
    )
    log_format: Literal["json", "text"] = "json"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    _gone: str = PrivateAttr("")
    """Why there is no store, if the running stack's has ended with it."""

    @field_validator("store_url")
    @classmethod
    def _folders_are_urls(cls, text: str) -> str:
        return url_of_store(text)

    def require_store_url(self) -> str:
        """Return the store's URL. Raises SettingsError, saying how to give one."""
        if not self.store_url:
            raise SettingsError(
                self._gone
                or "no store: start the local stack with `diptych up`, or give --store or DIPTYCH_STORE_URL"
            )
        return self.store_url

    def push_url(self, target: Target) -> str:
        """Return the endpoint that a target's tasks are pushed to; "" if none is set."""
        return str(getattr(self, f"{target}_url", ""))

    def require_push_url(self, target: Target) -> str:
        """Return the endpoint of a target that tasks are pushed to. Raises SettingsError if it is not set."""
        url = self.push_url(target)
        if not url:
            raise SettingsError(f"where is the {target} worker? set DIPTYCH_{target.upper()}_URL")
        return url

    def require_broker_url(self) -> str:
        """Return the broker's URL. Raises SettingsError, saying how to give one."""
        if not self.broker_url:
            raise SettingsError(
                "no broker: start the local stack with `diptych up`, or give --broker or DIPTYCH_BROKER_URL"
            )
        if is_pubsub(self.broker_url):
            PubSubAddress.parse(self.broker_url)
        elif not self.broker_url.startswith(_BROKER_SCHEMES):
            raise SettingsError(
                f"bad broker URL {self.broker_url!r}: use redis://host:port/0 or pubsub://PROJECT/TOPIC"
            )
        return self.broker_url


def load_settings(*, use_run_file: bool = False, **flags: Any) -> Settings:
    """Read the settings.

    Args:
        use_run_file: let `.diptych/run.json` (here or in a parent folder) fill what is left open.
        flags: values from the command line; None means not given.
    Raises:
        SettingsError: a value is not valid; the text names it.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
        run_file = find_run_file() if use_run_file else None
        return _fill(settings, run_file) if run_file else settings
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"bad setting {field} (flag or DIPTYCH_{field.upper()}): {first['msg']}"
        ) from error


def _fill(settings: Settings, run_file: RunFile) -> Settings:
    """Fill the addresses that neither a flag nor the environment gave."""
    fields = ("store_url", "broker_url", *(f"{target}_url" for target in PUSHED_TARGETS))
    missing = {name: getattr(run_file, name) for name in fields if not getattr(settings, name)}
    if not run_file.store_is_gone() or "store_url" not in missing:
        return settings.model_copy(update=missing)
    del missing["store_url"]
    filled = settings.model_copy(update=missing)
    filled._gone = (
        "the store's server has ended with its stack: `diptych up --broker pubsub` starts it again;"
        f" to look at results without it, give --store {Path(run_file.store_folder).as_uri()}"
    )
    return filled


def default_store_url(folder: Path | None = None) -> str:
    """The store of a stack started in `folder` (default: here)."""
    return ((folder or Path.cwd()) / RUN_FOLDER / "results").resolve().as_uri()
