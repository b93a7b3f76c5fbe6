"""A deployment on Google Cloud: every name and figure, in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from deploy.errors import DeployError
from pipeline.config.pubsub_settings import PubSubAddress
from results.targets import Target

REQUEST_TIMEOUT_S: Final = 540
"""The maximum for an event-driven function; the container gets the same."""
DEADLINE_MARGIN_S: Final = 40
"""Reserved at the end of a delivery: to finish the batch, store its images and respond."""
CONCURRENCY: Final = 1
"""One task at a time: a second one would share the CPU and distort the measurement."""
PORT: Final = 8080
READY_PATH: Final = "/health/ready"
DEAD_LETTER_PATH: Final = "/dead-letter"
PYTHON: Final = "3.12"
"""Python version of the Dockerfile and of the function."""

APIS: Final = (
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "eventarc.googleapis.com",
    "iam.googleapis.com",
    "logging.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "storage.googleapis.com",
)

# Naming rules of the services.
_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}")
_PREFIX: Final = re.compile(r"(?!goog)[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?")
_BUCKET: Final = re.compile(r"(?!goog)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_MEMORY: Final = re.compile(r"([1-9][0-9]{0,4})(Mi|Gi)")
_IMAGE: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9./:@_-]{0,400}")
_MODEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MOST_MEMORY_GIB: Final = {1: 4, 2: 8, 4: 16, 8: 32}
"""Maximum memory by CPUs, as Cloud Run allows."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment. Container and function get the same CPU, memory, concurrency and limits.

    Args:
        project: id of the Google Cloud project.
        region: region of every resource.
        source: digest of the deployed sources, a dozen hex digits (see deploy.source).
        prefix: prefix of every resource name.
        bucket_name: "" for one named after project and prefix.
        image: an existing image of the container worker; "" to build one.
        cpu: vCPUs of an instance: 1, 2, 4 or 8.
        memory: memory of an instance, e.g. "4Gi".
        min_instances: instances kept warm per target.
        max_instances: maximum instances per target.
        model: loaded at the start of each instance; "" to load at the first task.
        retain_days: age at which jobs and rejected messages are deleted; 0: never.
    Raises:
        DeployError: a value is invalid; the message names it.
    """

    project: str
    region: str
    source: str
    prefix: str = "diptych"
    bucket_name: str = ""
    image: str = ""
    cpu: int = 1
    memory: str = "4Gi"
    min_instances: int = 0
    max_instances: int = 10
    model: str = ""
    retain_days: int = 0

    def __post_init__(self) -> None:
        _check(_PROJECT, self.project, "--project", "a project's id such as my-project-123456")
        _check(_REGION, self.region, "--region", "a region such as us-central1")
        _check(_PREFIX, self.prefix, "--prefix", "at most 20 of a-z, 0-9 and -, starting with a letter")
        _check(_BUCKET, self.bucket, "--bucket", "3 to 63 of a-z, 0-9, - and .")
        _check(_IMAGE, self.image or "none", "--image", "an image's name, with its tag or digest")
        _check(_MODEL, self.model or "none", "--model", "a registered model's name")
        self._check_sizes()

    def _check_sizes(self) -> None:
        match = _MEMORY.fullmatch(self.memory)
        if not match:
            raise DeployError(f"bad --memory {self.memory[:40]!r}: write 4Gi or 4096Mi")
        gib = int(match[1]) / (1024 if match[2] == "Mi" else 1)
        most = _MOST_MEMORY_GIB.get(self.cpu)
        if most is None:
            raise DeployError(f"bad --cpu {self.cpu}: choose 1, 2, 4 or 8")
        if not 0.5 <= gib <= most:
            raise DeployError(f"bad --memory {self.memory} with --cpu {self.cpu}: 512Mi to {most}Gi")
        if not 0 <= self.min_instances <= self.max_instances <= 1000 or self.max_instances < 1:
            raise DeployError(
                f"bad --min-instances {self.min_instances} and --max-instances {self.max_instances}:"
                " 0 <= min <= max, and 1 <= max <= 1000"
            )
        if not 0 <= self.retain_days <= 36500:
            raise DeployError(f"bad --retain-days {self.retain_days}: 1 to 36500")

    # Names ----------------------------------------------------------------------------------------------

    @property
    def queue(self) -> PubSubAddress:
        """Topics and subscriptions."""
        return PubSubAddress(self.project, f"{self.prefix}-tasks")

    @property
    def bucket(self) -> str:
        """Name of the results bucket."""
        return self.bucket_name or f"{self.project}-{self.prefix}"

    @property
    def bucket_url(self) -> str:
        """The results bucket as a store URL."""
        return f"gs://{self.bucket}"

    def service(self, target: Target) -> str:
        """Name of a target's Cloud Run service; a function and its service have the same name."""
        return f"{self.prefix}-{target}"

    def account(self, role: str) -> str:
        """Email of a service account.

        Args:
            role: "container", "function", "push" or "build".
        """
        return f"{self.prefix}-{role}@{self.project}.iam.gserviceaccount.com"

    @property
    def region_flags(self) -> tuple[str, str]:
        """gcloud flags that locate a regional resource."""
        return f"--region={self.region}", f"--project={self.project}"

    @property
    def repository(self) -> str:
        """Name of the Artifact Registry repository for the images of both targets."""
        return self.prefix

    @property
    def repository_path(self) -> str:
        """The repository's full name."""
        return f"projects/{self.project}/locations/{self.region}/repositories/{self.repository}"

    @property
    def built_image(self) -> str:
        """The image that a build creates. Its tag is the source digest: equal sources are built once."""
        return f"{self.region}-docker.pkg.dev/{self.project}/{self.repository}/container:{self.source}"

    @property
    def container_image(self) -> str:
        """The image that runs."""
        return self.image or self.built_image

    @property
    def container_url(self) -> str:
        """The URL that Cloud Run assigns to the service, known before it exists."""
        return f"https://{self.service('container')}-${{PROJECT_NUMBER}}.{self.region}.run.app"

    @property
    def pubsub_agent(self) -> str:
        """The service agent of Pub/Sub."""
        return "service-${PROJECT_NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"

    @property
    def store_url(self) -> str:
        """DIPTYCH_STORE_URL of workers and clients."""
        return self.bucket_url

    @property
    def broker_url(self) -> str:
        """DIPTYCH_BROKER_URL of clients."""
        return self.queue.url

    # Environment of the workers ---------------------------------------------------------------------------

    def environment(self, target: Target) -> dict[str, str]:
        """Environment of a worker. Settings that affect speed are equal for both."""
        threads = str(self.cpu)
        shared = {
            "DIPTYCH_TARGET": target,
            "DIPTYCH_STORE_URL": self.store_url,
            "DIPTYCH_THREADS": threads,
            "DIPTYCH_DEADLINE_S": str(REQUEST_TIMEOUT_S - DEADLINE_MARGIN_S),
            "DIPTYCH_CACHE_DIR": "/tmp/diptych-models",
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
        }
        if self.model:
            shared |= {"DIPTYCH_DEFAULT_MODEL": self.model, "DIPTYCH_PRELOAD": "true"}
        if target == "function":
            return {**shared, "WORKERS": "1"}
        return {
            **shared,
            "DIPTYCH_SLOTS": "1",
            "DIPTYCH_PUSH_AUTH": "cloud-run",
            "DIPTYCH_PUSH_AUDIENCE": self.container_url,
            "DIPTYCH_PUSH_EMAIL": self.account("push"),
        }


def _check(pattern: re.Pattern[str], value: str, option: str, expected: str) -> None:
    if not pattern.fullmatch(value):
        raise DeployError(f"bad {option} {value[:80]!r}: {expected}")
