"""The Celery app: every CELERY_ setting of settings.py is one of its own."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("documents")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["forms"])
