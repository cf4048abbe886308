"""The texts by which a failure is told from another, and what may help. Pure data, and how to look it up.

They come from Spark, Hadoop and the AWS SDKs, and are matched as parts of lines, since their wording differs
between releases. Those of Docker are in :mod:`~airflow_provider_emrkit.logs.image_signals`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_emrkit.logs.image_signals import IMAGE_EXCEPTIONS, IMAGE_SIGNALS
from airflow_provider_emrkit.logs.signal import DENIED, MEMORY, NODE, NOT_FOUND, Signal
from airflow_provider_emrkit.logs.yarn_frames import may_hold_yarns, yarns_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_emrkit.logs.traces import Page

# Of a log, what is looked through for signals: a pattern costs some time on every character.
MOST_LINES = 2_000
LONGEST_LINE = 600
# Of those in which YARN says why a container did not start: a report has about forty.
MOST_YARNS_LINES = 500


def signal_in(message: str, *, by_emr: bool = False) -> Signal | None:
    """Find out what an exception's message is about; None when it is about something of the job's own.

    :param by_emr: Whether these are EMR's words, which may be those of YARN and Docker.

    >>> signal_in("KeyError: 'java.lang.OutOfMemoryError: Java heap space'") is None
    True
    """
    if _QUOTES.match(message) or _OF_A_CALL.match(message):
        return None
    asked = (signal for signal in SIGNALS if by_emr or not signal.by_yarn)
    return next((signal for signal in asked if signal.pattern.search(message)), None)


def signals_in(page: Page) -> Iterator[tuple[Signal, int, str, bool]]:
    """Find what the platform says in a log, where no exception was printed: YARN, Docker, a lost node.

    Gives each signal where it was last seen: its line's index, its words, and whether they are about an
    executor, which Spark replaces.
    """
    start = max(0, len(page) - MOST_LINES)
    lines = [line[:LONGEST_LINE] for line in page.lines[start:]]
    whole = "\n".join(lines)
    yarns = yarns_lines(page, start)[-MOST_YARNS_LINES:] if may_hold_yarns(whole) else []
    yarns_words = "\n".join(lines[index - start] for index in yarns)
    for signal in SIGNALS:
        words, indices = (yarns_words, yarns) if signal.by_yarn else (whole, range(start, len(page)))
        if not any(part in words for part in signal.parts):
            continue
        for index in reversed(indices):
            line = lines[index - start]
            found = signal.pattern.search(line) if any(part in line for part in signal.parts) else None
            if found:
                record = page.records[index]
                of_executor = record is not None and bool(_OF_EXECUTORS.fullmatch(record.logger))
                yield signal, index, found.group(), of_executor
                break


def _endings(status: int) -> Iterator[str]:
    """Give the words by which YARN, Spark and localemr tell what a process ended with."""
    return (
        f"{what} {status}" for what in ("tatus", "tatus:", "xitCode", "xitCode:", "ode", "ode:", "ode is")
    )


# Exceptions that quote data of the program's own.
_QUOTES = re.compile(r"(?:KeyError|IndexError|AssertionError|AttributeError)\b")
# What the system says when Java starts a program; which one it was the exception around it says.
_OF_A_CALL = re.compile(r"java\.io\.IOException: error=\d{1,3}, ")
# Loggers of the driver that tell what became of executors.
_OF_EXECUTORS = re.compile(r"Yarn\w*(?:Allocator|Scheduler\w*)[\w$]*|TaskSetManager|TaskSchedulerImpl")

_MORE_MEMORY = "give driver or executors more memory (spark.driver.memory, spark.executor.memory)"
_MORE_OVERHEAD = (
    "give executors or driver more memory outside the heap (spark.executor.memoryOverhead, "
    "spark.driver.memoryOverhead), or more of all (spark.executor.memory, spark.driver.memory)"
)

# The first that matches counts.
SIGNALS: tuple[Signal, ...] = (
    *IMAGE_EXCEPTIONS,
    Signal.of(
        MEMORY,
        r"java\.lang\.OutOfMemoryError: [\w ]+|GC overhead limit exceeded"
        r"|(?:Exit status|exitCode|Exit code is|exit code):? 52\b",
        _MORE_MEMORY,
        "OutOfMemoryError: ",
        "GC overhead limit",
        *_endings(52),
    ),
    Signal.of(MEMORY, r"(?:^|[._A-Za-z])MemoryError(?::|$)|Cannot allocate memory", _MORE_MEMORY),
    Signal.of(
        MEMORY,
        r"There is insufficient memory for the Java Runtime Environment to continue",
        "the node has less memory than was asked for: choose larger instances, or ask for less",
        "There is insufficient memory for the Java Runtime",
    ),
    Signal.of(
        MEMORY,
        r"Container killed by YARN for exceeding (?:physical |virtual )?memory limits\."
        r"|(?:Container \S{1,120} )?is running (?:\d+B )?beyond [\w' ]{1,30}memory limits?"
        r"|(?:Exit status|exitCode|Exit code is|exited with status|exit code):? (?:137\b|-9\b)",
        _MORE_OVERHEAD,
        "memory limit",
        " 137",
    ),
    *IMAGE_SIGNALS,
    Signal.of(
        NODE,
        r"Container released on a \*lost\* node|(?:Exit status|exitCode):? -100\b|Slave lost"
        r"|[Ss]pot [Ii]nstance [Ii]nterruption",
        "keep core nodes, and so the driver, on On-Demand instances",
        "*lost* node",
        *_endings(-100),
        "Slave lost",
        "nstance ",
        "decommission",
    ),
    # A container is ended this way for its memory, and also with its node, which says so above.
    Signal.of(
        MEMORY,
        r"(?:Exit status|exitCode|Exit code is|exited with status):? (?:143\b|-15\b)",
        _MORE_OVERHEAD,
        *_endings(143),
        *_endings(-15),
    ),
    Signal.of(
        NOT_FOUND,
        r"ModuleNotFoundError|No module named",
        "ship the module with SparkJob.py_files, or install it: in the job's image if it has one, else by a "
        "bootstrap action",
    ),
    Signal.of(
        NOT_FOUND,
        r"ClassNotFoundException|Failed to load class|NoClassDefFoundError|Main Class not found",
        "check main_class and jars",
    ),
    Signal.of(
        DENIED,
        r"AccessDenied|Access Denied|Status Code: 403|: 403$|\(403\) when calling|AccessControlException"
        r"|UnauthorizedOperation|is not authorized to perform|Insufficient Lake Formation permission",
        "allow it to the cluster's instance profile (job_flow_role)",
    ),
    Signal.of(
        NOT_FOUND,
        r"PATH_NOT_FOUND|Path does not exist|NoSuchBucket|NoSuchKey|FileNotFound|Status Code: 404"
        r"|\(404\) when calling|No such file or directory|Input path does not exist",
        "check the path",
    ),
    Signal.of(
        NOT_FOUND,
        r"TABLE_OR_VIEW_NOT_FOUND|Table or view not found|SCHEMA_NOT_FOUND|NoSuch(?:Table|Database|Namespace)"
        r"Exception|EntityNotFoundException"
        r"|(?:Database|Table|Schema|Namespace) \S{1,200} (?:does not exist|not found)",
        "check the table's name and catalog",
    ),
    # What follows is about nothing but itself, and yet something may help.
    Signal.of(
        "",
        r"is bigger than spark\.driver\.maxResultSize",
        "collect less on the driver, or raise spark.driver.maxResultSize",
    ),
    Signal.of(
        "",
        r"Kryo serialization failed: Buffer overflow",
        "raise spark.kryoserializer.buffer.max",
    ),
    Signal.of(
        "",
        r"is above the max threshold \(\d+ MB\) of this cluster",
        "ask for smaller executors, or choose larger instances",
    ),
    Signal.of(
        "",
        r"NoSuchMethodError|NoSuchFieldError|AbstractMethodError|IncompatibleClassChangeError"
        r"|UnsupportedClassVersionError",
        "build it for the Spark, Scala and Java of the cluster's release, and ship its libraries with it",
    ),
    Signal.of(
        "",
        r"No space left on device",
        "give the instances larger EBS volumes, or shuffle less",
    ),
    Signal.of(
        "",
        r"UnknownHostException|[Cc]onnect(?:ion)? timed out|ConnectTimeout",
        "check that the cluster's subnet and security groups let it reach that address",
    ),
    Signal.of(
        "",
        r"Python in worker has different version|PYTHON_VERSION_MISMATCH",
        "set spark.pyspark.python and spark.pyspark.driver.python to the same Python",
    ),
    Signal.of(
        "", r"Error Code: SlowDown|Status Code: 503", "S3 limits the rate: write to more prefixes, or later"
    ),
)

# What only says that something else has failed, the emptiest last: an executor that was lost for a reason
# that nobody gives still tells more than a gateway that does not answer.
_TELLS_LITTLE = tuple(
    re.compile(pattern)
    for pattern in (
        # What the job has done itself, unless something else tells more.
        r"Python worker exited unexpectedly|Python worker failed to connect back|a stopped SparkContext",
        r"ExecutorLostFailure|Remote RPC client disassociated|Executor heartbeat timed out"
        r"|Container (?:marked as failed|from a bad node)",
        r"(?:^|[ .])(?:EOFException|ClosedChannelException|InterruptedException|TimeoutException"
        r"|SparkUserAppException):?$"
        r"|^java\.(?:io\.IOException|net\.SocketException): "
        r"(?:Broken pipe|Connection reset|Stream (?:is )?closed|Filesystem closed)",
        r"Job aborted|Writing job aborted|Exception thrown in awaitResult|Task failed while writing rows"
        r"|\[(?:FAILED_EXECUTE_UDF|TASK_WRITE_FAILED|STREAM_FAILED|FAILED_READ_FILE\.NO_HINT)\] "
        r"|An exception was thrown from the Python worker|Error while instantiating '"
        r"|Unable to instantiate \S+SessionCatalog"
        r"|(?:^|\.)(?:PythonException|Py4JJavaError|Py4JError): ?"
        r"(?:An error occurred while calling [\w.:$]+|Traceback.*)?$"
        r"|(?:^|\.)(?:ExecutionException|UndeclaredThrowableException|InvocationTargetException)(?::|$)",
        r"Application application_\d+_\d+ (?:finished with failed status|failed \d+ times)"
        r"|Exception from container-launch|exited with exitCode: (?:1|10|13|15)\b"
        r"|Shutdown hook called before final status",
        r"SparkContext was shut down|SparkContext (?:is|has been) (?:stopped|shutdown)"
        r"|RpcEnv already stopped|Could not find (?:CoarseGrainedScheduler|HeartbeatReceiver)"
        r"|KeyboardInterrupt|RejectedExecutionException: .{0,300}\[(?:Shutting down|Terminated)",
        r"Py4JNetworkError|Answer from Java side is empty|trying to connect to the Java server"
        r"|Py4JError: Error while (?:sending|obtaining|receiving)",
    )
)
EMPTIEST = len(_TELLS_LITTLE)


def tells_little(message: str) -> int:
    """Tell whether a message only says that something else has failed: 0 for no, else the more the emptier.

    >>> tells_little("ValueError: no day"), tells_little("java.io.EOFException") > 0
    (0, True)
    """
    if signal_in(message):
        return 0
    if _OF_A_CALL.match(message):
        return 1
    found = (weight for weight, pattern in enumerate(_TELLS_LITTLE, 1) if pattern.search(message))
    return next(found, 0)
