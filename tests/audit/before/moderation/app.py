"""Four models in every worker."""

from flask import Flask
from transformers import pipeline

app = Flask(__name__)
zero_shot = pipeline("zero-shot-classification", model="facebook/bart-large-mnli")
