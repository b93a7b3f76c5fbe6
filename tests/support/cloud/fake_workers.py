"""The stand-in's Cloud Run services and functions."""

from __future__ import annotations

import json
from typing import Any

NUMBER = "123456"
BOOST = "run.googleapis.com/startup-cpu-boost"
URLS = "run.googleapis.com/urls"
OPEN = "run.googleapis.com/invoker-iam-disabled"

Things = dict[str, Any]
Flags = dict[str, str]


def deploy_service(things: Things, name: str, flags: Flags) -> None:
    things[f"run services/{name}"] = {
        "metadata": {"name": name, "annotations": {}},
        "spec": {
            "template": {
                "metadata": {"annotations": {BOOST: "true"}},
                "spec": {"containers": [{"env": [], "resources": {"limits": {}}}]},
            }
        },
        "status": {
            "url": f"https://{name}-hash-uc.a.run.app",
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }
    update_service(things, name, {"default-url": "", "image": "built", **flags})


def update_service(things: Things, name: str, flags: Flags) -> None:
    document = things[f"run services/{name}"]
    template = document["spec"]["template"]
    spec, notes = template["spec"], template["metadata"]["annotations"]
    container = spec["containers"][0]
    for flag, value in flags.items():
        if flag == "image":
            container["image"] = value
        elif flag == "cpu":
            container["resources"]["limits"]["cpu"] = f"{int(value) * 1000}m"
        elif flag == "memory":
            container["resources"]["limits"]["memory"] = value
        elif flag == "concurrency":
            spec["containerConcurrency"] = int(value)
        elif flag == "timeout":
            spec["timeoutSeconds"] = int(value.removesuffix("s"))
        elif flag == "service-account":
            spec["serviceAccountName"] = value
        elif flag == "max-instances":
            notes["autoscaling.knative.dev/maxScale"] = value
        elif flag == "min-instances" and value != "0":
            notes["autoscaling.knative.dev/minScale"] = value
        elif flag == "cpu-boost":
            notes[BOOST] = "true"
        elif flag == "startup-probe":
            container["startupProbe"] = {"httpGet": {"path": pairs(value)["httpGet.path"]}}
        elif flag in ("set-env-vars", "update-env-vars"):
            old = {each["name"]: each["value"] for each in container["env"] if flag.startswith("update")}
            merged = {**old, **pairs(value)}
            container["env"] = [{"name": key, "value": each} for key, each in merged.items()]
    change_access(document, flags, name)


def change_access(document: Any, flags: Flags, name: str) -> None:
    notes = document["metadata"]["annotations"]
    if "default-url" in flags:
        notes[URLS] = json.dumps([f"https://{name}-{NUMBER}.{flags['region']}.run.app"])
    if "invoker-iam-check" in flags:
        notes.pop(OPEN, None)


def deploy_function(things: Things, name: str, flags: Flags) -> None:
    deploy_service(things, name, flags)
    place = f"projects/{flags['project']}/locations/{flags['region']}"
    trigger = f"{place}/triggers/{name}-000001"
    names = f"projects/{flags['project']}"
    sub = f"eventarc-{flags['region']}-{name}-sub-1"
    things.setdefault(
        f"pubsub subscriptions/{sub}",
        {
            "topic": f"{names}/topics/{flags['trigger-topic']}",
            "ackDeadlineSeconds": 600,
            "messageRetentionDuration": "86400s",
            "expirationPolicy": {},
            "retryPolicy": {"minimumBackoff": "10s", "maximumBackoff": "600s"},
        },
    )
    transport = {"pubsub": {"subscription": f"{names}/subscriptions/{sub}"}}
    things[f"eventarc triggers/{trigger}"] = {"transport": transport}
    things[f"functions/{name}"] = {
        "state": "ACTIVE",
        "labels": pairs(flags["update-labels"]),
        "buildConfig": {"runtime": flags["runtime"]},
        "eventTrigger": {
            "trigger": trigger,
            "pubsubTopic": f"{names}/topics/{flags['trigger-topic']}",
            "retryPolicy": "RETRY_POLICY_RETRY" if "retry" in flags else "RETRY_POLICY_DO_NOT_RETRY",
            "serviceAccountEmail": flags["trigger-service-account"],
        },
        "serviceConfig": {
            "availableCpu": flags["cpu"],
            "availableMemory": flags["memory"],
            "timeoutSeconds": int(flags["timeout"].removesuffix("s")),
            "maxInstanceRequestConcurrency": int(flags["concurrency"]),
            "minInstanceCount": int(flags["min-instances"]),
            "maxInstanceCount": int(flags["max-instances"]),
            "serviceAccountEmail": flags["service-account"],
            "environmentVariables": {**pairs(flags["set-env-vars"]), "LOG_EXECUTION_ID": "true"},
        },
    }


def pairs(text: str) -> dict[str, str]:
    """ "a=1,b=2" as a dictionary."""
    return dict(pair.split("=", 1) for pair in text.split(","))
