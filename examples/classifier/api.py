"""Which way does the eye look? POST /classify takes a JPEG or PNG and asks all models at once.

Every worker joins the one Ray that $RAY_ADDRESS names; none starts its own, and none loads a model.
"""

import asyncio
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import numpy as np
import ray
from eyes import LABELS, NotTaken, take
from fastapi import Depends, FastAPI, Header, HTTPException, UploadFile
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse
from ray.exceptions import RayError

ADDRESS = os.environ.get("RAY_ADDRESS", "ray://127.0.0.1:10001")
NAMESPACE = os.environ.get("RAY_NAMESPACE", "classifier")
MODELS = ("clip", "trees")
API_KEY = os.environ.get("API_KEY", "")
MOST_BYTES = int(os.environ.get("MAX_BODY", "10485760"))
ORIGINS = [origin for origin in os.environ.get("CORS_ORIGINS", "").split(",") if origin]
ASK_S, HEALTH_S, PAUSE_S = 20.0, 3.0, 1.0
GONE = (RayError, ConnectionError, RuntimeError, ValueError, TimeoutError)
"""What calls raise while Ray's head is away or an actor is not there (yet)."""


class Models:
    """The actors by name, found again whenever Ray's head was away."""

    def __init__(self) -> None:
        self._actors: dict = {}
        self._joining = asyncio.Lock()

    def _join(self) -> dict:
        with suppress(Exception):
            ray.shutdown()
        ray.init(ADDRESS, namespace=NAMESPACE, log_to_driver=False)
        return {name: ray.get_actor(name) for name in MODELS}

    async def join(self) -> dict:
        """The actors' handles. Raises one of GONE."""
        async with self._joining:
            if not self._actors or not ray.is_initialized():
                self._actors = {}
                self._actors = await asyncio.to_thread(self._join)
            return self._actors

    async def keep_joined(self) -> None:
        """Join at start and whenever the head came back, without waiting for a request to find out."""
        while True:
            try:
                await self.alive()
            except GONE:
                self._actors = {}
            await asyncio.sleep(PAUSE_S)

    async def alive(self) -> int:
        """How many actors answer now. Raises one of GONE."""
        calls = [actor.ready.remote() for actor in (await self.join()).values()]
        answers = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), HEALTH_S)
        if any(isinstance(answer, ConnectionError) for answer in answers):
            raise ConnectionError("Ray's head is away")
        return sum(isinstance(answer, int) for answer in answers)

    async def scores(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """Every model's probabilities, asked at the same time. Raises one of GONE."""
        actors = await self.join()
        calls = [actor.scores.remote(picture) for actor in actors.values()]
        return dict(zip(actors, await asyncio.wait_for(asyncio.gather(*calls), ASK_S), strict=True))


models = Models()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    keeping = asyncio.create_task(models.keep_joined())
    yield
    keeping.cancel()
    ray.shutdown()


app = FastAPI(title="classifier", lifespan=lifespan)
if ORIGINS:
    app.add_middleware(CORSMiddleware, allow_origins=ORIGINS, allow_methods=["POST"], allow_headers=["X-API-Key"])


def keyed(x_api_key: str = Header(default="")) -> None:
    """The caller knows the key; without one configured nobody does."""
    if not API_KEY or not hmac.compare_digest(x_api_key.encode(), API_KEY.encode()):
        raise HTTPException(401, "a valid X-API-Key is needed")


@app.exception_handler(NotTaken)
async def not_taken(_, error: NotTaken) -> JSONResponse:
    return JSONResponse({"detail": error.words}, status_code=error.status)


@app.get("/health")
async def health() -> JSONResponse:
    try:
        alive = await models.alive()
    except GONE:
        alive = 0
    ready = alive == len(MODELS)
    return JSONResponse({"ready": ready, "actors": alive}, status_code=200 if ready else 503)


@app.post("/classify", dependencies=[Depends(keyed)])
async def classify(image: UploadFile) -> JSONResponse:
    data = await image.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise NotTaken(413, f"more than {MOST_BYTES} bytes")
    picture = await asyncio.to_thread(take, data)
    try:
        scores = await models.scores(picture)
    except GONE as error:
        headers = {"Retry-After": "5"}
        return JSONResponse({"detail": f"the models are away: {type(error).__name__}"}, 503, headers=headers)
    mean = np.mean(list(scores.values()), axis=0)
    best = int(mean.argmax())
    votes = {name: LABELS[int(score.argmax())] for name, score in scores.items()}
    return JSONResponse({"label": LABELS[best], "confidence": round(float(mean[best]), 4), "votes": votes})
