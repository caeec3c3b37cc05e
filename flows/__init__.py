"""Prefect flows: each reads from top to bottom as a pipeline, from data to a page."""

import logging
import os

from latentflix.system.start import refuse_windows

refuse_windows("flows")
# Prefect reads these when it is imported. The library's log is shown in the UI as well as on the console, and the
# temporary server of a run sends no usage statistics.
os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "latentflix")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
# A temporary server that records each task while the next one starts often finds its database locked, and the next task
# waits two seconds. Servers that are started separately do not read this.
os.environ.setdefault("PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED", "false")
# On a busy machine such a server takes longer to start than the 20 seconds that Prefect waits by default.
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
# By default Torch's threads spin for a long time while they wait for each other, which takes most of the time if
# anything else needs a core. Unless the policy is "active", they hardly spin at all once several threads of a run have
# trained: then they have to be woken at each step, and a small network takes twice as long. The OpenMP runtime reads
# both when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "2000")
os.environ.setdefault("OMP_WAIT_POLICY", "active")
logging.getLogger("latentflix").setLevel(logging.INFO)
