"""How the time of a function grows with the size of what it reads."""

import time


def growth(run, n, factor=8):
    """How many times as long `run` takes for `factor * n` as for `n`: about 8 if it is linear, about 64 if quadratic.

    The processor's time of this process counts, and of several tries the shortest, so that other work disturbs little.
    """

    def seconds(size):
        began = time.process_time()
        run(size)
        return time.process_time() - began

    small, large = ([seconds(size) for _ in range(3)] for size in (n, n * factor))
    # A shorter time is hardly measured at all.
    return min(large) / max(min(small), 1e-4)
