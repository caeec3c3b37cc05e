"""Prefect tasks, one a stage: each loads its inputs, calls the library and saves what comes back."""
