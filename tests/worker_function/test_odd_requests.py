"""Requests that are no binary CloudEvent: understood, or refused in a line; never a traceback."""

from __future__ import annotations

import pytest
from cloudevents.conversion import to_structured

from tests.support.servers.function_site import JSON, Site, event_of
from tests.support.servers.raw_http import BAD_CHUNKS, CHUNKED, send, send_half


def test_an_unwrapped_push_is_understood(site: Site) -> None:
    task = site.task(8)
    headers = {**JSON, "x-goog-pubsub-message-id": "m88"}
    assert site.push(task.encode(), headers).status_code == 204
    assert site.record(task).message_id == "m88"


def test_an_event_of_an_odd_version_is_understood(site: Site) -> None:
    task = site.task(9)
    headers, body = to_structured(event_of(site.message(task)))
    assert site.push(body.replace(b'"1.0"', b'"9.9"'), headers).status_code == 204
    assert site.record(task).images_painted == 3


EVENT = {"ce-id": "1", "ce-source": "s", "ce-specversion": "1.0", "ce-type": "t"}
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
TROUBLE = {
    "digits": (b"9" * 5000, JSON),
    "digits in an event": (b"8" * 5000, JSON | EVENT),
    "digits in a structured event": (b'{"specversion": "1.0", "data": ' + b"9" * 5000 + b"}", STRUCTURED),
    "not UTF-8": (b"\xff\xfe{}", JSON),
    "not UTF-8 in an event": (b"\xff\xfe[]", JSON | EVENT),
    "not UTF-8 in a structured event": (b"\xff\xfe", STRUCTURED),
    "a word for a structured event": (b'"x"', STRUCTURED),
    "fields of a wrong kind": (b'{"context": 1}', JSON),
    "a context that is a list": (b'{"context": [1], "data": 1}', JSON),
    "fields named like an argument": (b'{"self": 1, "context": {}}', JSON),
    "half a surrogate pair": (b'{"subscription": "\\ud800", "message": {"data": "", "messageId": ""}}', JSON),
    "a structured event in a list": (b'[{"specversion": "1.0"}]', STRUCTURED),
}


@pytest.mark.parametrize("name", TROUBLE)
def test_what_the_framework_stumbles_over_is_kept_and_acknowledged(site: Site, name: str) -> None:
    before = site.rejections()
    answer = site.push(*TROUBLE[name])
    assert answer.status_code == 204, answer.text
    assert site.rejections() == before + 1


@pytest.mark.parametrize("name", BAD_CHUNKS)
def test_a_body_in_bad_chunks_is_refused_in_a_line(site: Site, name: str) -> None:
    before = site.server.text().count("malformed request: ")
    assert send(site.server.port, BAD_CHUNKS[name], CHUNKED, "Content-Type: application/json") == 400
    assert site.server.text().count("malformed request: ") == before + 1


def test_half_a_body_is_not_waited_for(site: Site) -> None:
    assert send_half(site.server.port) == 400


def test_no_traceback_in_all_that(site: Site) -> None:
    assert "Traceback" not in site.server.text()
