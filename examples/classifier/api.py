"""Which way does the eye look? POST /classify takes a JPEG or PNG and asks all models at once.

Every worker joins the one Ray that $RAY_ADDRESS names; none starts its own, and none loads a model.
"""

import asyncio
import hashlib
import hmac
import logging
import os
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path

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
ASK_S, REJOIN_S, HEALTH_S, PAUSE_S = 15.0, 5.0, 3.0, 1.0
SENDERS = 16
"""Threads that hand calls to Ray's client, which takes milliseconds while the head is there."""
MOST_SILENT = 10
"""So many looks in a row without an answer, and the head is joined anew."""
FIRST_JOIN_S = 60.0
"""A worker takes no connection before it has joined, so that a new replica gets no request too early; after so long it
takes them all the same, and says 503 until the head is there."""
LOGS, DATA = Path(__file__).parent / "logs", Path(__file__).parent / "data"
KEPT = 1000
"""Pictures that the models disagree on are kept to be looked at, at most so many."""
GONE = (RayError, ConnectionError, RuntimeError, ValueError, TimeoutError)
"""What calls raise while Ray's head is away or an actor is not there (yet)."""


log = logging.getLogger("classifier")
log.setLevel(logging.INFO)
if LOGS.is_dir():  # appended to in single writes, so that workers and replicas may share the file
    log.addHandler(logging.FileHandler(LOGS / "classifier.log"))


class Models:
    """The actors by name, found again whenever Ray's head was away."""

    def __init__(self) -> None:
        self._actors: dict = {}
        self._senders = ThreadPoolExecutor(SENDERS)
        self._here = asyncio.Event()
        """Set while there are handles."""
        self.whole = asyncio.Event()
        """Set once every actor has answered for the first time."""

    def _join(self) -> dict:
        with suppress(Exception):
            ray.shutdown()
        ray.init(ADDRESS, namespace=NAMESPACE, log_to_driver=False)
        return {name: ray.get_actor(name) for name in MODELS}

    async def keep_joined(self) -> None:
        """Join at start and whenever the head came back. Joining takes seconds, or half a minute when it fails: here
        alone, so that no request and no health check waits for it."""
        silent = 0
        while True:
            try:
                if not self._actors:
                    self._senders.shutdown(wait=False)  # some may still wait for the head that is gone
                    self._senders = ThreadPoolExecutor(SENDERS)
                    self._actors = await asyncio.to_thread(self._join)
                    self._here.set()
                if await self.alive() == len(MODELS):
                    self.whole.set()
                silent = 0
            except TimeoutError:  # slow is not gone: joining again would lose what is under way
                silent += 1
                if silent >= MOST_SILENT:
                    self._leave()
                    silent = 0
            except Exception as error:  # whatever it was: who stops joining never answers again
                log.warning("joining Ray's head: %s", type(error).__name__)
                self._leave()
            await asyncio.sleep(PAUSE_S)

    def _leave(self) -> None:
        self._actors = {}
        self._here.clear()

    def joined(self) -> dict:
        """The actors' handles. Raises ConnectionError while there are none."""
        if not self._actors:
            raise ConnectionError("not joined to Ray's head")
        return self._actors

    async def ask(self, within_s: float, method: str, *given: object) -> dict[str, object]:
        """What every actor answers or raises, asked at the same time. Raises one of GONE.

        Ray's client blocks whoever sends while it looks for a head that went away: so threads send, and the loop waits.
        An answer that comes too late is let come: to one whose future was cancelled, the client would break off telling
        all others that the head is gone (ray/util/client/dataclient.py, _shutdown), and they would wait for ever.
        """
        actors = self.joined()

        def send() -> list[Future]:
            return [getattr(actor, method).remote(*given).future() for actor in actors.values()]

        async def answers() -> list[object]:
            sent = await asyncio.get_running_loop().run_in_executor(self._senders, send)
            waited = [asyncio.shield(asyncio.wrap_future(future)) for future in sent]
            return await asyncio.gather(*waited, return_exceptions=True)

        return dict(zip(actors, await asyncio.wait_for(answers(), within_s), strict=True))

    async def alive(self) -> int:
        """How many actors answer now. Raises one of GONE."""
        answers = (await self.ask(HEALTH_S, "ready")).values()
        if any(isinstance(answer, ConnectionError) for answer in answers):
            raise ConnectionError("Ray's head is away")
        return sum(isinstance(answer, int) for answer in answers)

    async def scores(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """Every model's probabilities; while the head is joined again, that is waited for. Raises one of GONE."""
        await asyncio.wait_for(self._here.wait(), REJOIN_S)
        answers = await self.ask(ASK_S, "scores", picture)
        for answer in answers.values():
            if isinstance(answer, Exception):
                raise answer
        return answers


models = Models()


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    keeping = asyncio.create_task(models.keep_joined())
    with suppress(TimeoutError):
        await asyncio.wait_for(models.whole.wait(), FIRST_JOIN_S)
    yield
    keeping.cancel()
    ray.shutdown()


app = FastAPI(title="classifier", lifespan=lifespan)
if ORIGINS:
    app.add_middleware(CORSMiddleware, allow_origins=ORIGINS, allow_methods=["POST"], allow_headers=["X-API-Key"])


def keep(picture: bytes) -> None:
    """Into data/, named by its content."""
    if DATA.is_dir() and sum(1 for _ in DATA.iterdir()) < KEPT:
        (DATA / hashlib.sha256(picture).hexdigest()[:20]).write_bytes(picture)


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
    log.info("%s %.2f %s", LABELS[best], mean[best], votes)
    if len(set(votes.values())) > 1:
        await asyncio.to_thread(keep, data)
    return JSONResponse({"label": LABELS[best], "confidence": round(float(mean[best]), 4), "votes": votes})
