# mypy: ignore-errors
"""Sends tasks to the Celery row and prints each one's seed, seconds, answer and fault; a closed loop of threads."""

import json
import os
import sys
import threading
import time

from celery import Celery

count, clients, seeds, within_s, request_s = (float(word) for word in sys.argv[1:])
app = Celery("bench", broker=os.environ["BROKER_URL"], backend=os.environ["BROKER_URL"])
numbers, guard, rows = iter(range(int(count))), threading.Lock(), []
until_s = time.monotonic() + within_s


def work():
    while True:
        with guard:
            number = next(numbers, None)
        if number is None or time.monotonic() > until_s:
            return
        seed, began_s = number % int(seeds), time.monotonic()
        answer, why = None, None
        try:
            answer = app.send_task("predict", [seed]).get(timeout=request_s, interval=0.01)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"[:200]
        with guard:
            rows.append((seed, time.monotonic() - began_s, answer, why))


threads = [threading.Thread(target=work) for _ in range(int(clients))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(rows))
