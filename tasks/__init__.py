"""Prefect tasks, a module for each subject: each stage loads its inputs, calls the library and saves the result."""
