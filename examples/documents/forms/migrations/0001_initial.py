"""The first table."""

import uuid
from typing import ClassVar

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar = []
    operations: ClassVar = [
        migrations.CreateModel(
            name="Document",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=200)),
                ("state", models.CharField(db_index=True, default="queued", max_length=10)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("pid", models.IntegerField(null=True)),
                ("waits_for", models.CharField(default="", max_length=200)),
                ("fields", models.JSONField(null=True)),
                ("reason", models.CharField(default="", max_length=500)),
                ("created", models.DateTimeField(default=django.utils.timezone.now)),
                ("ended", models.DateTimeField(null=True)),
            ],
        )
    ]
