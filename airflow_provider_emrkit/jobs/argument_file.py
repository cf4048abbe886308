"""Arguments that are too long for an EMR step: kept in a file, and read back on the cluster, byte for byte.

EMR takes 10,240 characters for one step. A longer command becomes a file, and the step a short one that
fetches the file and runs what it says. Spark's own ``--properties-file`` would not do: it takes the place of
the cluster's ``spark-defaults.conf``, and holds no arguments of the application.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_emrkit.validation import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_NAME = "arguments"
HASH_DIGITS = 32

# Linux: MAX_ARG_STRLEN, with the NUL at its end, and most of ARG_MAX (2 MiB), which a process's arguments and
# environment share; each argument also takes a pointer of it.
MAX_ARGUMENT_BYTES = 128 * 1024 - 1
MAX_TOTAL_BYTES = int(1.9 * 1024**2)
POINTER_BYTES = 8
# YARN starts a driver with `bash -c "java … --arg 'x' …"`, where all its arguments are one of Linux's; the
# rest of that line is Java's options.
MAX_DRIVER_BYTES = 112 * 1024
# Spark puts each of a driver's arguments in quotes behind "--arg", and these characters behind a backslash.
DRIVER_ARGUMENT_BYTES = len("--arg '' ")
ESCAPED = frozenset("\"$\\'`")

# One line, as EMR shows it. `exec` makes a signal for the step reach the job itself. It reads with `read`, as
# the bash of older releases (and of macOS) has no `mapfile -d`. $1 is the file, $2 its size.
SCRIPT = (
    'f=$(mktemp) && hadoop fs -cat "$1" > "$f" && [[ $(wc -c < "$f") -eq $2 ]] || '
    '{ echo "emrkit: the arguments of the job could not be read from $1" >&2; rm -f "$f"; exit 1; }; '
    'a=(); while IFS= read -r -d "" x; do a+=("$x"); done < "$f"; rm -f "$f"; exec "${a[@]}"'
)


@dataclass(frozen=True)
class ArgumentFile:
    """A command as a file: every argument, each followed by a NUL.

    :param key: Key below the staging prefix: ``<32 hex digits of the content's SHA-256>/arguments``.
    :param content: The file.

    >>> file = ArgumentFile.of(["spark-submit", "s3://code/job.py", "a b"])
    >>> len(file.content.split(bytes(1)))
    4
    >>> file.step_argv("s3://staging/file")[-3:]
    ['emrkit', 's3://staging/file', '34']
    """

    key: str
    content: bytes

    @classmethod
    def of(cls, argv: Sequence[str]) -> ArgumentFile:
        """Write a command's arguments into a file.

        :raises InvalidValueError: when no Linux could run the command.
        """
        arguments = [argument.encode() for argument in argv]
        _check_arguments(argv, arguments)
        content = b"".join(argument + b"\0" for argument in arguments)
        digest = hashlib.sha256(content).hexdigest()
        return cls(f"{digest[:HASH_DIGITS]}/{FILE_NAME}", content)

    def step_argv(self, uri: str) -> list[str]:
        """Give the command of a step that fetches the file and runs what it says.

        :param uri: Where the file is, ``s3://…``.
        """
        return ["bash", "-c", SCRIPT, "emrkit", uri, str(len(self.content))]


def check_driver_arguments(args: Sequence[str]) -> None:
    """Check that YARN can start a driver with an application's arguments (deploy mode ``cluster``).

    :raises InvalidValueError: when they are too long for that.
    """
    size = sum(
        len(arg.encode()) + sum(map(ESCAPED.__contains__, arg)) + DRIVER_ARGUMENT_BYTES for arg in args
    )
    if size > MAX_DRIVER_BYTES:
        problem = f"bytes are more than the {MAX_DRIVER_BYTES:,} that YARN can start a driver with"
        mend = "put them into a file and list it in files, or use deploy_mode='client'"
        raise InvalidValueError("SparkJob", "args", size, problem, mend)


def _check_arguments(argv: Sequence[str], arguments: Sequence[bytes]) -> None:
    mend = "put them into a file and pass its URI"
    for argument, encoded in zip(argv, arguments, strict=True):
        if len(encoded) > MAX_ARGUMENT_BYTES:
            problem = f"has {len(encoded):,} bytes, Linux takes {MAX_ARGUMENT_BYTES:,} in one argument"
            # Only its beginning: the rest may be a secret, as the value of spark.executorEnv.TOKEN is.
            start = argument.partition("=")[0][:100]
            raise InvalidValueError("SparkJob", "argument", f"{start}…", problem, mend)
        if b"\0" in encoded:
            raise InvalidValueError("SparkJob", "argument", argument[:100], "holds a NUL", "remove it")
    total = sum(len(argument) + 1 + POINTER_BYTES for argument in arguments)
    if total > MAX_TOTAL_BYTES:
        problem = f"bytes are more than the {MAX_TOTAL_BYTES:,} that Linux can start a program with"
        raise InvalidValueError("SparkJob", "arguments", total, problem, mend)
