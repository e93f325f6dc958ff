import re
from collections import Counter
from pathlib import Path

from justai_assets.serving.openapi import document
from justai_assets.serving.request_outcomes import FATES
from justai_assets.serving.service_pages import prometheus
from justai_assets.sources.registry import http_sources
from justai_assets_tests.serving.service import JSON, KEY, in_process, iterable_body, run, settings

SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*\})? [0-9.e+-]+')


def test_metrics_are_the_text_format_of_prometheus(base: Path) -> None:
    async def scenario() -> tuple[str, str]:
        async with in_process(settings(base)) as client:
            for key in (KEY, "wrong"):
                headers = {**JSON, "x-api-key": key}
                await client.post("/api/webhook/itbl/acme", json=iterable_body(), headers=headers)
            answer = await client.get("/metrics")
            return answer.headers["content-type"], answer.text

    content_type, text = run(scenario())
    assert content_type.startswith("text/plain; version=0.0.4")
    described = set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            described.add(line.split()[2])
        elif not line.startswith("#"):
            assert SAMPLE.fullmatch(line), line
            name = re.split(r"[{ ]", line)[0]
            assert re.sub(r"_(bucket|sum|count)$", "", name) in described or name in described
    assert "justai_collector_journal_records_total 1" in text
    assert KEY not in text


def test_labels_are_escaped_and_a_histogram_counts_upwards() -> None:
    counted = Counter(
        {'requests|a"\\\n|d|accepted': 2, "seconds|d|1": 1, "seconds|d|+Inf": 1, "microseconds|d": 7, "received": 3}
    )
    text = prometheus(counted, {"ready": 1})
    assert r'{org="a\"\\\n",door="d",fate="accepted"} 2' in text
    assert 'request_seconds_bucket{door="d",le="5"} 1' in text
    assert 'request_seconds_bucket{door="d",le="+Inf"} 2' in text
    assert 'request_seconds_sum{door="d"} 0.000007' in text
    assert "justai_collector_in_flight 1" in text


def test_the_openapi_document_names_every_door_and_page(base: Path) -> None:
    async def scenario() -> dict[str, int]:
        async with in_process(settings(base)) as client:
            assert (await client.get("/openapi.json")).json() == document()
            pages = [path for path, item in document()["paths"].items() if "get" in item]
            return {path: (await client.get(path)).status_code for path in pages}

    statuses = run(scenario())
    assert statuses == {"/healthz": 200, "/readyz": 200, "/metrics": 200, "/openapi.json": 200}
    assert {f"{http.path}/{{org_slug}}" for http in http_sources().values()} | set(statuses) == set(document()["paths"])


def test_every_fate_is_described() -> None:
    assert all(text.endswith(".") for text in FATES.values())
