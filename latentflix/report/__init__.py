"""HTML pages, charts, and what the UI shows of a run."""
