"""``serve.py _ PORT``: always the same answer from the same server: the least that HTTP costs."""

import sys
from typing import Any

import uvicorn

ANSWER = b"9.4321\n"
HEADERS = [(b"content-type", b"text/csv"), (b"content-length", b"%d" % len(ANSWER))]


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's
    """Read the body, and answer."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False, lifespan="off")
