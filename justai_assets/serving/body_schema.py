"""What the reader of the landing zone could not take, refused at the door: its sender can still mend it there.

The reader skips what it does not need; but a field it descends into must be an object.
"""

from __future__ import annotations

from typing import Any

from justai_assets.serving.request_json import RefusedBodyError
from justai_assets.sources.source import Http


def refuse_wrong_shape(http: Http, body: dict[str, Any]) -> None:
    """Raise RefusedBodyError `bad_body` for a field that is not of the documented type.

    >>> refuse_wrong_shape(Http("/api/webhook/x", "An event", objects=(("fields",),)), {"fields": None})
    """
    for path in http.objects:
        value: Any = body
        for name in path:
            value = value.get(name) if value is not None else None
        if value is not None and not isinstance(value, dict):
            raise RefusedBodyError("bad_body")
