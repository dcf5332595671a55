"""The programs a service can run, one module each; ``SERVERS`` is the whole list."""

from __future__ import annotations

from mlpack.servers import (
    caddy,
    celery,
    flower,
    gunicorn,
    llama_server,
    nginx,
    ollama,
    postgres,
    ray,
    redis,
    uvicorn,
)
from mlpack.servers.base import Server
from mlpack.spec import ServerName

SERVERS: dict[ServerName, Server] = {
    "gunicorn": gunicorn,
    "uvicorn": uvicorn,
    "celery": celery,
    "ray": ray,
    "llama_server": llama_server,
    "ollama": ollama,
    "redis": redis,
    "postgres": postgres,
    "caddy": caddy,
    "nginx": nginx,
    "flower": flower,
}
