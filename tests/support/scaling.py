"""How the time of a function grows with the size of what it reads."""

import time


def growth(run, n, factor=8, least=1e-3):
    """How many times as long `run` takes for `factor * n` as for `n`: about 8 if it is linear, about 64 if quadratic.

    The processor's time of this thread counts, and of several tries the shortest, so that other work disturbs little.
    What takes less than `least` seconds even for the larger one is not measured, and counts as 1.
    """

    def seconds(size, tries=1):
        return min(_measure(run, size) for _ in range(tries))

    if (large := seconds(n * factor)) < least:
        return 1.0
    return min(large, seconds(n * factor, 2)) / max(seconds(n, 3), least / 100)


def _measure(run, size):
    began = time.thread_time()
    run(size)
    return time.thread_time() - began
