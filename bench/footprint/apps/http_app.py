# mypy: ignore-errors
"""A predictor as a WSGI and as an ASGI app, without a framework: /health, and POST /predict with its arguments in JSON:
{"seed": N}, and of a text's model {"seed": N, "text": "..."}.

Nothing here holds memory worth mentioning, so that a row's number is the model's, the library's and the server's.
"""

import asyncio
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

JSON = [("Content-Type", "application/json")]


def ready():
    """One line a process, counted by the bench: every worker that loaded its model, and every one that did so again."""
    print(f"READY {os.getpid()}", file=sys.stderr, flush=True)


def wsgi(predict):
    """``predict(**asked) -> list of numbers`` as a WSGI app; the model was loaded by the import, before this."""
    ready()

    def app(environ, start_response):
        if environ["PATH_INFO"] == "/health":
            start_response("200 OK", JSON)
            return [b"{}"]
        asked = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        answer = json.dumps({"answer": predict(**asked)}).encode()
        start_response("200 OK", [*JSON, ("Content-Length", str(len(answer)))])
        return [answer]

    return app


def asgi(predict):
    """The same as an ASGI app whose requests run in CONCURRENCY threads, as a bounded ``def`` endpoint does."""
    ready()
    pool = ThreadPoolExecutor(int(os.environ.get("CONCURRENCY", "1")))

    async def app(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        answer = {}
        if scope["path"] != "/health":
            body, more = b"", True
            while more:
                message = await receive()
                body, more = body + message.get("body", b""), message.get("more_body", False)
            asked = partial(predict, **json.loads(body))
            answer = {"answer": await asyncio.get_running_loop().run_in_executor(pool, asked)}
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return app
