"""Processes that end with the one that started them."""

import multiprocessing
import os
import threading

_WATCH = "end with parent"


def end_with_parent() -> None:
    """Have this process end as soon as the one that started it through `multiprocessing` does, even if it was killed.

    Nothing is tidied up: what the process would still compute, nobody waits for. Does nothing in a process that was not
    started so, or that watches already.
    """
    parent = multiprocessing.parent_process()
    if parent is None or _WATCH in (thread.name for thread in threading.enumerate()):
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name=_WATCH, daemon=True).start()
