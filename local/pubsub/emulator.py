"""Google's Pub/Sub emulator: its jar, started straight with java.

`gcloud beta emulators pubsub start` takes a second longer, and leaves java running when it is ended.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from local.errors import StackError
from local.http_call import call
from local.ports import HOST

JAR_VARIABLE: Final = "DIPTYCH_PUBSUB_EMULATOR_JAR"
_JAR: Final = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar"
_USUAL_ROOTS: Final = (
    "/usr/lib/google-cloud-sdk",
    "/usr/share/google-cloud-sdk",
    "/usr/lib64/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
)
# A small heap that does not grow with the machine; threads and compiler of a process that starts often.
# One that has no memory left ends, is started again, and what it held is published again.
_JAVA_OPTIONS: Final = (
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    # One line for each thing that it logs. It reports every push that is not acknowledged, with a stack.
    "-Djava.util.logging.SimpleFormatter.format=%4$s: %5$s%n",
)
NOISE: Final = (
    "This is the Google Pub/Sub fake.",
    "Implementation may be incomplete or differ from the real system.",
    "SLF4J: ",
    "*** shutting down gRPC server since JVM is shutting down",
    "*** server shut down",
)
"""What every emulator says at its start and its end."""
LOGGING_FILE: Final = "emulator-logging.properties"
_LOGGING: Final = "handlers=java.util.logging.ConsoleHandler\n.level=SEVERE\n"


def emulator_command() -> tuple[str, ...]:
    """Java, its options and the jar. Raises StackError if one is missing; the text says what to install."""
    jar = _find_jar()
    java = shutil.which("java")
    if java is None:
        raise StackError(
            "the Pub/Sub emulator needs Java, and there is no `java`: install a Java runtime"
            " (Debian: apt install default-jre-headless), or leave out --broker pubsub"
        )
    return (java, *_JAVA_OPTIONS, "-jar", str(jar))


def emulator_argv(command: tuple[str, ...], folder: Path, port: int) -> tuple[str, ...]:
    """The command line of an emulator.

    Args:
        command: see `emulator_command`.
        folder: where a file with its log settings is written.
        port: on 127.0.0.1.
    """
    logging = folder / LOGGING_FILE
    logging.write_text(_LOGGING)
    java, *rest = command
    return (java, f"-Djava.util.logging.config.file={logging}", *rest, f"--host={HOST}", f"--port={port}")


def emulator_lacks(port: int) -> str:
    """Return "" if the emulator answers, else what it says instead."""
    try:
        status, text = call(port, "GET", "/")
    except OSError as error:
        return f"no answer on port {port} ({error})"
    return "" if (status, text) == (200, "Ok") else f"{status} {text[:100]}"


def _find_jar() -> Path:
    """The jar that was named, or that of an installed Cloud SDK; gcloud itself is not asked: it is slow."""
    named = os.environ.get(JAR_VARIABLE)
    if named:
        if Path(named).is_file():
            return Path(named).absolute()
        raise StackError(f"{JAR_VARIABLE}: there is no file {named}: name the emulator's jar, or unset it")
    gcloud = shutil.which("gcloud")
    roots = [Path(gcloud).resolve().parent.parent] if gcloud else []
    for root in (*roots, *map(Path, _USUAL_ROOTS)):
        jars = sorted(root.glob(_JAR))
        if jars:
            return jars[-1]
    raise StackError(
        "Google's Pub/Sub emulator is not installed: `gcloud components install pubsub-emulator`"
        " (Debian: apt install google-cloud-cli-pubsub-emulator, from Google's repository),"
        f" or name its jar in {JAR_VARIABLE}"
    )
