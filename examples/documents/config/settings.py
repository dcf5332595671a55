"""Settings, from the environment that mlpack renders: addresses, limits and passwords are nobody's constants here."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

BASE_DIR = Path(__file__).parent.parent
SECRET_KEY = os.environ["SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "localhost,127.0.0.1").split(",")
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
INSTALLED_APPS = ["django.contrib.staticfiles", "forms"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.common.CommonMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
USE_TZ, TIME_ZONE = True, "UTC"

# `collectstatic` fills this folder before the web part starts; WhiteNoise serves it
STATIC_URL = "static/"
STATIC_ROOT = Path(os.environ.get("STATIC_DIR", BASE_DIR / "static"))

_database = urlsplit(os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres"))
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": _database.hostname,
        "PORT": _database.port,
        "USER": _database.username,
        "PASSWORD": unquote(_database.password or ""),
        "NAME": _database.path.lstrip("/"),
        "CONN_MAX_AGE": 60,  # a connection per thread, kept: what max_connections is counted by
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 5},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# uploads go to the volume, not to /tmp: that is memory in a container
UPLOADS = Path(os.environ.get("UPLOADS_DIR", BASE_DIR / "uploads"))
FILE_UPLOAD_TEMP_DIR = UPLOADS if UPLOADS.is_dir() else None
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024**2
MAX_BODY_BYTES = int(os.environ.get("MAX_BODY_BYTES", 4 * 1024**2))
MAX_WAITING = int(os.environ.get("MAX_WAITING", "300"))
MIN_FREE_MB = int(os.environ.get("MIN_FREE_MB", "500"))
ALLOWED_PAGES = int(os.environ.get("ALLOWED_PAGES", "3"))

# Late acknowledgement, prefetch, time limits and the start of children are in the worker's command, which mlpack plans.
CELERY_BROKER_URL = os.environ.get("CELERY_BROKER_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # after this time the broker hands a task out again that nobody has acknowledged: longer than any task may take
    "visibility_timeout": int(os.environ.get("REDELIVERY_S", "3600")),
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_IGNORE_RESULT = True  # results are rows of the database
# killed for its time: handed out again, and so counted among the attempts that end as a reason in the database
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = False
CELERY_WORKER_SEND_TASK_EVENTS = True  # for who watches: Flower
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

LLM_URL = os.environ.get("LLM_URL", "http://127.0.0.1:8080")
LLM_SLOTS = int(os.environ.get("LLM_SLOTS", "1"))
LLM_TIMEOUT_S = float(os.environ.get("LLM_TIMEOUT_S", "30"))
TASK_TIMEOUT_S = float(os.environ.get("TASK_TIMEOUT_S", "90"))
