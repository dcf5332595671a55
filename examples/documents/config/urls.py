"""Which view answers which path."""

from django.urls import path
from forms import views

urlpatterns = [
    path("", views.index),
    path("health", views.health),
    path("documents", views.upload),
    path("documents/<str:document>", views.state),
]
