"""A stand-in for gcloud that plays a project: it keeps what is made in a JSON file, and notes every call.

That the real gcloud takes the same command lines is what test_gcloud_commands.py checks, and that its answers
have this form, test_real_gcloud.py and test_real_workers.py. Run as
`python -m tests.support.cloud.fake_gcloud FOLDER WORD…`. FOLDER/faults.json may hold faults:
`[{"match": "run deploy", "times": 1, "says": "ERROR: …"}]`.
"""

from __future__ import annotations

import fcntl
import json
import sys
from pathlib import Path
from typing import Any

from tests.support.cloud.fake_workers import NUMBER, deploy_function, deploy_service, update_service

ROOT = Path(__file__).resolve().parents[3]
MEMBERS = "{}/bindings"


class Missing(Exception):
    """gcloud's NOT_FOUND."""


class Project:
    """What is there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.things: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}

    def get(self, key: str) -> Any:
        if key not in self.things:
            raise Missing(key)
        return self.things[key]

    def put(self, key: str, document: Any) -> None:
        self.things[key] = document

    def remove(self, key: str) -> None:
        self.get(key)
        for each in [each for each in self.things if each in (key, MEMBERS.format(key))]:
            del self.things[each]

    def save(self) -> None:
        # At once: doctor asks several questions at a time.
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps(self.things, indent=1))
        new.replace(self.path)


def split(words: list[str]) -> tuple[list[str], dict[str, str]]:
    flags = {}
    for word in words:
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            flags[name] = value
    return [word for word in words if not word.startswith("--")], flags


def play(project: Project, names: list[str], flags: dict[str, str]) -> Any:
    if names[:2] == ["beta", "services"]:
        return {}  # Google's own accounts
    if names[0] == "beta":
        return play(project, names[1:], flags)
    if names[:2] == ["projects", "describe"]:
        return NUMBER
    if names[:2] == ["services", "list"]:
        return [{"config": {"name": name}} for name in project.things.get("apis", [])]
    if names[:2] == ["services", "enable"]:
        return project.put("apis", names[2:])
    if names[:2] == ["builds", "submit"]:
        image = dict(pair.split("=", 1) for pair in flags["substitutions"].split(","))["_IMAGE"]
        return project.put(f"artifacts docker images/{image}", {"image_summary": {"digest": "sha256:0"}})
    if names[:2] == ["run", "deploy"]:
        return deploy_service(project.things, names[2], flags)
    if names[:3] == ["run", "services", "update"]:
        project.get(f"run services/{names[3]}")
        return update_service(project.things, names[3], flags)
    if names[:2] == ["functions", "deploy"]:
        return deploy_function(project.things, names[2], flags)
    if names[:2] == ["storage", "rm"]:
        return project.remove(f"storage buckets/{names[2]}")
    verbs = ("describe", "create", "update", "delete")
    at = next(index for index, word in enumerate(names) if word in verbs or "iam-policy" in word)
    kind, verb, name = " ".join(names[:at]), names[at], names[at + 1]
    if "iam-policy" in verb:
        return policy(project, kind, verb, name, flags)
    return thing(project, kind, verb, name, flags)


def thing(project: Project, kind: str, verb: str, name: str, flags: dict[str, str]) -> Any:
    key = f"{kind}/{name.rpartition('/')[2] if kind == 'pubsub subscriptions' else name}"
    if kind == "iam service-accounts" and verb == "create":
        key = f"{kind}/{name}@{flags['project']}.iam.gserviceaccount.com"
    if verb == "describe":
        document = project.get(key)
        return picked(document, flags.get("format", "json"))
    if verb == "delete":
        if kind == "functions":
            project.remove(f"run services/{name}")
            for each in [
                each for each in project.things if "eventarc-" in each or each.startswith("eventarc")
            ]:
                del project.things[each]
        if kind == "artifacts repositories":
            for image in [each for each in project.things if each.startswith("artifacts docker images/")]:
                project.remove(image)
        return project.remove(key)
    old = project.get(key) if verb == "update" else {"name": name}
    return project.put(key, changed(kind, old, flags))


def picked(document: Any, form: str) -> Any:
    if not form.startswith("value("):
        return document
    for part in form[6:-1].split("."):
        document = document[part]
    return document


def changed(kind: str, old: dict[str, Any], flags: dict[str, str]) -> dict[str, Any]:
    if kind == "storage buckets":
        new: dict[str, Any] = {}
        if "uniform-bucket-level-access" in flags:
            new["uniform_bucket_level_access"] = True
        if "public-access-prevention" in flags:
            new["public_access_prevention"] = "enforced"
        if "lifecycle-file" in flags:
            new["lifecycle_config"] = json.loads((ROOT / flags["lifecycle-file"]).read_text())
        if "clear-lifecycle" in flags:
            old = {key: value for key, value in old.items() if key != "lifecycle_config"}
        return {**old, **new}
    return subscription(old, flags) if kind == "pubsub subscriptions" else old


def subscription(old: dict[str, Any], flags: dict[str, str]) -> dict[str, Any]:
    new = {"ackDeadlineSeconds": 10, **old}
    where = f"projects/{flags['project']}/topics"
    if "topic" in flags:
        new["topic"] = f"{where}/{flags['topic']}"
    if "message-filter" in flags:
        new["filter"] = flags["message-filter"]
    if "ack-deadline" in flags:
        new["ackDeadlineSeconds"] = int(flags["ack-deadline"])
        new["retryPolicy"] = {
            "minimumBackoff": flags["min-retry-delay"],
            "maximumBackoff": flags["max-retry-delay"],
        }
    days = int(flags["message-retention-duration"].removesuffix("d"))
    new["messageRetentionDuration"] = f"{days * 86400}s"
    new["expirationPolicy"] = {} if flags.get("expiration-period") == "never" else {"ttl": "2678400s"}
    if "dead-letter-topic" in flags:
        new["deadLetterPolicy"] = {
            "deadLetterTopic": f"{where}/{flags['dead-letter-topic']}",
            "maxDeliveryAttempts": int(flags["max-delivery-attempts"]),
        }
    if "push-endpoint" in flags:
        token = {
            "serviceAccountEmail": flags["push-auth-service-account"],
            "audience": flags["push-auth-token-audience"],
        }
        new["pushConfig"] = {"pushEndpoint": flags["push-endpoint"], "oidcToken": token}
    return new


def policy(project: Project, kind: str, verb: str, name: str, flags: dict[str, str]) -> Any:
    name = name.rpartition("/")[2] if kind == "pubsub subscriptions" else name
    key = f"{kind}/{name}"
    if kind != "projects":
        project.get(key)
    bindings = project.things.setdefault(MEMBERS.format(key), [])
    if verb.startswith("get"):
        return {"bindings": bindings, "etag": "eA=="}
    if verb.startswith("add"):
        bindings.append({"role": flags["role"], "members": [flags["member"]]})
        return {}
    kept = [
        each for each in bindings if (each["role"], each["members"]) != (flags["role"], [flags["member"]])
    ]
    if kept == bindings:
        raise Missing("binding")
    project.things[MEMBERS.format(key)] = kept
    return {}


def fault(folder: Path, line: str) -> str:
    """What to say instead of doing it; "" for none."""
    path = folder / "faults.json"
    faults = json.loads(path.read_text()) if path.is_file() else []
    for each in faults:
        if each["match"] in line and each["times"] > 0:
            each["times"] -= 1
            path.write_text(json.dumps(faults))
            return str(each["says"])
    return ""


def call(folder: Path, words: list[str]) -> tuple[int, str, str]:
    """Play one call: the exit code, what is printed, what is complained of. One call at a time."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return play_one(folder, words)


def play_one(folder: Path, words: list[str]) -> tuple[int, str, str]:
    """See `call`."""
    line = " ".join(words)
    with (folder / "calls").open("a") as calls:
        calls.write(line + "\n")
    said = fault(folder, line)
    if said:
        return 1, "", said + "\n"
    project = Project(folder / "project.json")
    names, flags = split(words)
    try:
        answer = play(project, names, flags)
    except Missing as error:
        return 1, "", f"ERROR: (gcloud.{'.'.join(names[:3])}) NOT_FOUND: {error} was not found.\n"
    project.save()
    if answer is None:
        return 0, "", ""
    return 0, (answer if isinstance(answer, str) else json.dumps(answer)) + "\n", ""


def main() -> int:
    """As a program."""
    code, output, complaints = call(Path(sys.argv[1]), sys.argv[2:])
    sys.stdout.write(output)
    sys.stderr.write(complaints)
    return code


if __name__ == "__main__":
    sys.exit(main())
