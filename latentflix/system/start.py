"""What every program does before anything else."""

import codecs
import io
import sys


def refuse_windows(program: str) -> None:
    """End the process with exit code 2 on Windows, which has neither the locks nor the signals that runs need."""
    if sys.platform.startswith("win"):
        sys.stderr.write(
            f"{program}: Windows is not supported; found: {sys.platform}; expected: Linux or macOS; "
            "what to do: use the Windows Subsystem for Linux, or the image of deployments/\n"
        )
        sys.exit(2)


def replace_unprintable() -> None:
    """Print a question mark for each character that the console's encoding lacks, instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def prints_ascii_only() -> bool:
    """Whether standard output may lack characters, so that JSON should escape those beyond ASCII."""
    return not codecs.lookup(sys.stdout.encoding or "utf-8").name.startswith("utf")
