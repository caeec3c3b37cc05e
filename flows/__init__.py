"""Prefect flows: each reads top to bottom as the way of the data."""

import logging
import os

# Prefect reads these when it is imported. What the library logs is to reach the UI as well as the console, and a
# server that lives as long as one run has nothing to tell anyone.
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "latentflix")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# Where such a server notes down each task while the next one begins, its database is often busy, and the next one waits
# two seconds for it. Servers that are started by themselves do not see this.
os.environ.setdefault("PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED", "false")
# Torch's threads by default spin for long while they wait for each other; where anything else wants a core, that takes
# most of the time. The OpenMP runtime reads this when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
logging.getLogger("latentflix").setLevel(logging.INFO)
