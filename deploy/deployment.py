"""What stands on Google Cloud: every name and figure, in one place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from deploy.errors import DeployError
from pipeline.config.pubsub_settings import PubSubAddress
from results.documents import Target

REQUEST_TIMEOUT_S: Final = 540
"""The longest that an event-driven function may take; the container gets the same."""
DEADLINE_MARGIN_S: Final = 40
"""Left at a delivery's end: for the batch in hand, for storing what is generated, and for the answer."""
CONCURRENCY: Final = 1
"""One task at a time: a second one would share the CPU, and neither could be measured."""
PORT: Final = 8080
READY_PATH: Final = "/health/ready"
DEAD_LETTER_PATH: Final = "/dead-letter"
PYTHON: Final = "3.12"
"""The Dockerfile's, and so the function's."""
TARGETS: Final[tuple[Target, ...]] = ("container", "function")

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

# Limits of the services that the names end up in.
_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z]+-[a-z]+[0-9]{1,2}")
_PREFIX: Final = re.compile(r"(?!goog)[a-z](?:[a-z0-9-]{0,18}[a-z0-9])?")
_BUCKET: Final = re.compile(r"(?!goog)[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_MEMORY: Final = re.compile(r"([1-9][0-9]{0,4})(Mi|Gi)")
_IMAGE: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9./:@_-]{0,400}")
_MODEL: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_MOST_MEMORY_GIB: Final = {1: 4, 2: 8, 4: 16, 8: 32}
"""By CPUs: what Cloud Run offers."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment. Container and function get the same CPU, memory, concurrency and limits.

    Args:
        project: the Google Cloud project's id.
        region: where everything runs and lies.
        source: digest of what is deployed, a dozen hex digits (see deploy.source).
        prefix: begins the name of all that is made.
        bucket_name: "" for one named after project and prefix.
        image: an image of the container worker that is there already; "" to build one.
        cpu: vCPUs of an instance: 1, 2, 4 or 8.
        memory: of an instance: "4Gi".
        min_instances: kept warm, of each target.
        max_instances: the most of each target.
        model: loaded at the start of each instance; "" to load at the first task.
        retain_days: jobs and rejected messages are deleted at that age; 0: never.
    Raises:
        DeployError: a value is not valid; the text names it.
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
        _check(_PREFIX, self.prefix, "--prefix", "at most 20 of a-z, 0-9 and -, a letter first")
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
        """The results' bucket."""
        return self.bucket_name or f"{self.project}-{self.prefix}"

    @property
    def bucket_url(self) -> str:
        """The results' bucket, as a store URL."""
        return f"gs://{self.bucket}"

    def service(self, target: Target) -> str:
        """The Cloud Run service of a target; the function's has the function's own name."""
        return f"{self.prefix}-{target}"

    def account(self, role: str) -> str:
        """E-mail of a service account.

        Args:
            role: "container", "function", "push" or "build".
        """
        return f"{self.prefix}-{role}@{self.project}.iam.gserviceaccount.com"

    @property
    def repository(self) -> str:
        """The Artifact Registry repository, which holds both targets' images."""
        return self.prefix

    @property
    def repository_path(self) -> str:
        """The repository's full name."""
        return f"projects/{self.project}/locations/{self.region}/repositories/{self.repository}"

    @property
    def built_image(self) -> str:
        """The image that a build makes. Its tag is the source's digest: equal sources are built once."""
        return f"{self.region}-docker.pkg.dev/{self.project}/{self.repository}/container:{self.source}"

    @property
    def container_image(self) -> str:
        """The image that runs."""
        return self.image or self.built_image

    @property
    def container_url(self) -> str:
        """The address that Cloud Run gives a service of this name, known before there is one."""
        return f"https://{self.service('container')}-${{PROJECT_NUMBER}}.{self.region}.run.app"

    @property
    def pubsub_agent(self) -> str:
        """The account that Pub/Sub itself acts as."""
        return "service-${PROJECT_NUMBER}@gcp-sa-pubsub.iam.gserviceaccount.com"

    @property
    def store_url(self) -> str:
        """DIPTYCH_STORE_URL of everybody."""
        return self.bucket_url

    @property
    def broker_url(self) -> str:
        """DIPTYCH_BROKER_URL of who submits."""
        return self.queue.url

    # What the workers are told ---------------------------------------------------------------------------

    def environment(self, target: Target) -> dict[str, str]:
        """Environment of a worker. What concerns speed is the same for both."""
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


def _check(pattern: re.Pattern[str], value: str, option: str, wanted: str) -> None:
    if not pattern.fullmatch(value):
        raise DeployError(f"bad {option} {value[:80]!r}: {wanted}")
