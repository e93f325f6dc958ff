"""Requests to a running service, for tests."""

import httpx

from justai_assets_tests.serving.service import JSON, KEY, Service, http, iterable_body

PATH = "/api/webhook/itbl/acme"
HEADERS = {**JSON, "x-api-key": KEY}


def send(service: Service, number: int, key: str = KEY) -> httpx.Response:
    headers = {**JSON, "x-api-key": key}
    return http().post(f"{service.url}{PATH}", json=iterable_body(number), headers=headers)
