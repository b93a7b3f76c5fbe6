"""Properties of resources, expected and actual, as text that can be compared and printed.

A fact is a name that a user knows ("ack deadline") and a value in one form ("600 s"), whatever the API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

Facts = Mapping[str, str]
Document = Mapping[str, Any]
"""Decoded output of gcloud."""

NONE: Final = "none"
READY: Final = "ready"
"""The state of a Cloud Run service whose newest revision has started."""
_MEMORY_UNITS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9}
_ANNOTATION_BOOST: Final = "run.googleapis.com/startup-cpu-boost"
_ANNOTATION_MIN: Final = "autoscaling.knative.dev/minScale"
_ANNOTATION_MAX: Final = "autoscaling.knative.dev/maxScale"
_ANNOTATION_URLS: Final = "run.googleapis.com/urls"


def differences(expected: Facts, actual: Facts) -> str:
    """List the differences, e.g. "ack deadline is 10 s, not 600 s; …"; "" if there are none.

    Args:
        expected: the facts that must hold.
        actual: the facts of the resource; extra ones are ignored.
    """
    return "; ".join(
        f"{name} is {actual.get(name, NONE)}, not {value}"
        for name, value in expected.items()
        if actual.get(name, NONE) != value
    )


def subscription_facts(document: Document) -> Facts:
    """Facts from `gcloud pubsub subscriptions describe`."""
    push = document.get("pushConfig") or {}
    token = push.get("oidcToken") or {}
    dead = document.get("deadLetterPolicy") or {}
    retry = document.get("retryPolicy") or {}
    expiry = document.get("expirationPolicy")
    return {
        "topic": last_part(document.get("topic", "")),
        "filter": document.get("filter") or NONE,
        "ack deadline": f"{document.get('ackDeadlineSeconds', 0)} s",
        "retention": _seconds(document.get("messageRetentionDuration")),
        "retry delay": f"{_seconds(retry.get('minimumBackoff'))} to {_seconds(retry.get('maximumBackoff'))}",
        "dead-letter topic": last_part(dead.get("deadLetterTopic", "")) or NONE,
        "delivery attempts": str(dead.get("maxDeliveryAttempts", NONE)),
        # An empty policy means never; none at all, 31 days.
        "expiry": "never" if expiry is not None and not expiry.get("ttl") else "after idleness",
        "push endpoint": push.get("pushEndpoint") or NONE,
        "push account": token.get("serviceAccountEmail") or NONE,
        "push audience": token.get("audience") or NONE,
    }


def service_facts(document: Document) -> Facts:
    """Facts from `gcloud run services describe`, for a container or for a function's service."""
    template = document.get("spec", {}).get("template", {})
    notes = template.get("metadata", {}).get("annotations", {})
    spec = template.get("spec", {})
    container = (spec.get("containers") or [{}])[0]
    limits = container.get("resources", {}).get("limits", {})
    probe = container.get("startupProbe", {}).get("httpGet", {})
    return {
        "cpu": cpu(limits.get("cpu", "1")),
        "memory": memory(limits.get("memory", "512Mi")),
        "concurrency": str(spec.get("containerConcurrency", NONE)),
        "timeout": f"{spec.get('timeoutSeconds', 0)} s",
        "min instances": notes.get(_ANNOTATION_MIN, "0"),
        "max instances": notes.get(_ANNOTATION_MAX, NONE),
        # gcloud writes "True".
        "CPU boost": notes.get(_ANNOTATION_BOOST, "false").lower(),
        "start-up probe": probe.get("path", NONE),
        "service account": spec.get("serviceAccountName", NONE),
        "image": container.get("image", NONE),
        # A failed deploy leaves a service with the requested settings that does not start.
        "state": _readiness(document),
        **_environment({each["name"]: each.get("value", "") for each in container.get("env", [])}),
    }


def service_urls(document: Document) -> list[str]:
    """The URLs of a Cloud Run service."""
    listed = document.get("metadata", {}).get("annotations", {}).get(_ANNOTATION_URLS, "[]")
    try:
        urls = [str(url) for url in json.loads(listed)]
    except ValueError:
        urls = []
    return [*urls, str(document.get("status", {}).get("url", ""))]


def function_facts(document: Document) -> Facts:
    """Facts from `gcloud functions describe`, second generation."""
    service = document.get("serviceConfig", {})
    trigger = document.get("eventTrigger", {})
    return {
        "cpu": cpu(str(service.get("availableCpu", "1"))),
        "memory": memory(str(service.get("availableMemory", "256M"))),
        "concurrency": str(service.get("maxInstanceRequestConcurrency", 1)),
        "timeout": f"{service.get('timeoutSeconds', 60)} s",
        "min instances": str(service.get("minInstanceCount", 0)),
        "max instances": str(service.get("maxInstanceCount", NONE)),
        "service account": service.get("serviceAccountEmail", NONE),
        "state": str(document.get("state", "unknown")),
        "runtime": document.get("buildConfig", {}).get("runtime", NONE),
        "retries": "on" if trigger.get("retryPolicy") == "RETRY_POLICY_RETRY" else "off",
        "topic": last_part(trigger.get("pubsubTopic", "")) or NONE,
        "trigger account": trigger.get("serviceAccountEmail", NONE),
        "source": document.get("labels", {}).get("diptych-source", NONE),
        **_environment(service.get("environmentVariables", {})),
    }


def bucket_facts(document: Document) -> Facts:
    """Facts from `gcloud storage buckets describe`."""
    rules = (document.get("lifecycle_config") or {}).get("rule", [])
    ages = [rule.get("condition", {}).get("age") for rule in rules if _deletes(rule)]
    days = [age for age in ages if age is not None]
    expiry = f"after {min(days)} days" if days else "by a custom rule" if ages else "never"
    return {
        "uniform access": "on" if document.get("uniform_bucket_level_access") else "off",
        "public access prevention": str(document.get("public_access_prevention", "inherited")),
        "expiry": expiry,
    }


def environment_facts(environment: Mapping[str, str]) -> Facts:
    """Facts of a worker's environment variables."""
    return _environment(environment)


def has_binding(policy: Document, member: str, role: str) -> bool:
    """True if an IAM policy grants a role to a member, with or without a condition."""
    return member in members(policy, role)


def members(policy: Document, role: str) -> Sequence[str]:
    """The members with a role in an IAM policy."""
    bindings = policy.get("bindings") or []
    return [member for each in bindings if each.get("role") == role for member in each.get("members", [])]


def cpu(text: str) -> str:
    """CPUs in one form: "1000m" is "1"."""
    if text.endswith("m") and text[:-1].isdigit():
        return f"{int(text[:-1]) / 1000:g}"
    return text


def memory(text: str) -> str:
    """Memory in one form: "4096Mi" is "4 GiB"."""
    match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text)
    if not match or (match[2] and match[2] not in _MEMORY_UNITS):
        return text
    size_bytes = float(match[1]) * _MEMORY_UNITS.get(match[2], 1)
    return f"{size_bytes / 2**30:.4g} GiB"


def last_part(name: str) -> str:
    """The last part of a full resource name."""
    return name.rpartition("/")[2]


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {f"variable {name}": value for name, value in variables.items()}


def _readiness(service: Document) -> str:
    conditions = service.get("status", {}).get("conditions") or []
    status = next((each.get("status") for each in conditions if each.get("type") == "Ready"), "Unknown")
    return {"True": READY, "False": "failed"}.get(status, "unknown")


def _deletes(rule: Document) -> bool:
    return bool(rule.get("action", {}).get("type") == "Delete")


def _seconds(duration: str | None) -> str:
    """A duration of Google's JSON, "600s" or "600.000s", in seconds."""
    if not duration:
        return NONE
    try:
        return f"{float(duration.removesuffix('s')):g} s"
    except ValueError:
        return duration
