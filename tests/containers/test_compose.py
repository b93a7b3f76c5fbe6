"""What docker-compose.yml says, in both profiles: nothing here needs an engine."""

from __future__ import annotations

import re

import pytest

from deploy.deployment import Deployment
from pipeline.config.pubsub_settings import PubSubAddress
from tests.support import ROOT
from tests.support.builders.compose_file import (
    COMMANDS,
    PROFILES,
    WORKERS,
    each_service,
    read,
    services,
)
from tests.support.builders.docker_file import instructions, stages

GIB = 1024**3


@pytest.mark.parametrize(("profile", "name"), each_service())
class TestEachService:
    def test_is_not_root_and_can_write_nowhere_but_on_its_volumes(self, profile: str, name: str) -> None:
        service = services(profile)[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert not service.get("privileged")
        assert "cap_add" not in service
        target = service.get("build", {}).get("target")
        user = service["user"] if "user" in service else instructions(target, "USER")[-1]
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)

    def test_has_a_health_check(self, profile: str, name: str) -> None:
        check = services(profile)[name]["healthcheck"]
        if name in COMMANDS:  # they end by themselves
            assert check == {"disable": True}
            return
        assert check["test"][0] == "CMD"
        assert {"interval", "timeout", "retries", "start_period", "start_interval"} <= check.keys()

    def test_has_limits(self, profile: str, name: str) -> None:
        limits = services(profile)[name]["deploy"]["resources"]["limits"]
        assert float(limits["cpus"]) == 1
        assert 256 * 1024**2 <= int(limits["memory"]) <= 4 * GIB
        assert limits["pids"] > 0

    def test_its_image_has_a_version(self, profile: str, name: str) -> None:
        image = services(profile)[name]["image"]
        tag = image.rpartition("/")[2].partition(":")[2]
        assert tag
        assert tag != "latest"

    def test_its_log_cannot_fill_the_disk(self, profile: str, name: str) -> None:
        assert {"max-size", "max-file"} <= services(profile)[name]["logging"]["options"].keys()

    def test_nobody_else_can_reach_it(self, profile: str, name: str) -> None:
        published = services(profile)[name].get("ports", [])
        assert [port["host_ip"] for port in published] == ["127.0.0.1"] * (name == "page")
        assert "network_mode" not in services(profile)[name]

    def test_comes_back_after_a_crash(self, profile: str, name: str) -> None:
        assert services(profile)[name]["restart"] == ("no" if name in COMMANDS else "unless-stopped")

    def test_its_target_is_in_the_dockerfile(self, profile: str, name: str) -> None:
        build = services(profile)[name].get("build")
        if build:
            assert build["target"] in stages()


@pytest.mark.parametrize("profile", PROFILES)
class TestEachProfile:
    def test_has_what_it_needs_and_no_more(self, profile: str) -> None:
        own = {
            "celery": {"redis", "to-container", "to-function", "recovery"},
            "pubsub": {"pubsub", "gcs", "set-up"},
        }
        assert services(profile).keys() == {*WORKERS, *COMMANDS, "page", *own[profile]}

    def test_workers_have_what_a_deployed_instance_has(self, profile: str) -> None:
        deployed = Deployment(project="some-project", region="us-central1", source="0" * 12)
        assert deployed.memory == "4Gi"
        for name in WORKERS:
            limits = services(profile)[name]["deploy"]["resources"]["limits"]
            assert (float(limits["cpus"]), int(limits["memory"])) == (deployed.cpu, 4 * GIB)

    def test_workers_are_told_the_same(self, profile: str) -> None:
        first, second = (services(profile)[name]["environment"] for name in WORKERS)
        assert first == second
        assert first["DIPTYCH_PUSH_AUTH"] == "off"

    def test_all_of_ours_agree_on_where_things_are(self, profile: str) -> None:
        fields = ("DIPTYCH_STORE_URL", "DIPTYCH_BROKER_URL")
        told = [service["environment"] for service in services(profile).values() if "environment" in service]
        assert len({tuple(each[field] for field in fields) for each in told}) == 1

    def test_time_to_end_is_longer_than_a_worker_takes(self, profile: str) -> None:
        from pipeline.config.settings import Settings

        drain_s = Settings.model_fields["drain_s"].default
        for name in WORKERS:
            assert services(profile)[name]["stop_grace_period"] == "45s"
            assert drain_s + 30 < 45


def test_the_addresses_of_the_emulators_are_where_they_listen() -> None:
    found = services("pubsub")
    told = found["container"]["environment"]
    assert PubSubAddress.parse(told["DIPTYCH_BROKER_URL"]).emulator == "pubsub:8085"
    assert "--port=8085" in " ".join(found["pubsub"]["command"])
    assert told["DIPTYCH_STORE_URL"].endswith("?endpoint=http://gcs:4443")
    assert '"-port", "4443"' in instructions("gcs", "ENTRYPOINT")[-1]
    assert "http://gcs:4443" in found["gcs"]["command"]


def test_the_default_profile_is_celery() -> None:
    lines = (ROOT / ".env").read_text().splitlines()
    assert "COMPOSE_PROFILES=celery" in lines


def test_two_profiles_at_once_are_refused() -> None:
    done = read("celery,pubsub")
    assert done.returncode != 0
    assert "celery,pubsub.env" in done.stderr
