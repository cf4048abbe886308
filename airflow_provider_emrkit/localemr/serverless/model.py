"""Applications and job runs as plain data: everything that is worth keeping, nothing that runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

ApplicationState = Literal["CREATING", "CREATED", "STARTING", "STARTED", "STOPPING", "STOPPED", "TERMINATED"]
RunState = Literal[
    "SUBMITTED", "PENDING", "SCHEDULED", "RUNNING", "SUCCESS", "FAILED", "CANCELLING", "CANCELLED", "QUEUED"
]
RunMode = Literal["BATCH", "STREAMING"]

# An application that can be changed, deleted and started.
RESTING_STATES = frozenset({"CREATED", "STOPPED"})

# A run that waits for its turn, one whose turn has come, one that has a process or is about to get one.
WAITING_STATES = frozenset({"SUBMITTED", "QUEUED", "PENDING"})
BUSY_STATES = frozenset({"SCHEDULED", "RUNNING", "CANCELLING"})
ADMITTED_STATES = BUSY_STATES | {"PENDING"}
ENDED_STATES = frozenset({"SUCCESS", "FAILED", "CANCELLED"})

# EMR Serverless' defaults.
IDLE_MINUTES = 15
TIMEOUT_MINUTES = 720
QUEUE_MINUTES = 360
CONCURRENT_RUNS = 15
FAILED_ATTEMPTS_PER_HOUR = 5


@dataclass
class Token:
    """A ``clientToken`` and what was asked with it.

    :param digest: Of the whole request: the token with another request is a conflict.
    """

    value: str
    digest: str


@dataclass
class ApplicationRecord:
    """One application.

    :param settings: Members of CreateApplication and UpdateApplication that GetApplication shows again.
    :param digests: Digests of images, by their URI, as far as they are known.
    :param idle_since: When it was started, or its last run ended; None while it has runs or isn't STARTED.
    """

    id: str
    region: str
    name: str | None
    settings: dict[str, Any]
    created: datetime
    updated: datetime
    token: Token
    state: ApplicationState = "CREATING"
    details: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    idle_since: datetime | None = None
    ended: datetime | None = None

    @property
    def release_label(self) -> str:
        """EMR release label."""
        return str(self.settings["releaseLabel"])

    @property
    def architecture(self) -> str:
        """CPU architecture."""
        return str(self.settings.get("architecture", "X86_64"))

    @property
    def auto_start(self) -> bool:
        """Whether a job run starts it."""
        return bool(self.settings.get("autoStartConfiguration", {}).get("enabled", True))

    @property
    def idle_limit(self) -> timedelta | None:
        """How long it may be idle before it stops by itself."""
        config = self.settings.get("autoStopConfiguration", {})
        if not config.get("enabled", True):
            return None
        return timedelta(minutes=config.get("idleTimeoutMinutes", IDLE_MINUTES))

    @property
    def scheduler(self) -> dict[str, int] | None:
        """Its ``schedulerConfiguration`` with the defaults; None when it has none, and so no queue."""
        config = self.settings.get("schedulerConfiguration")
        if config is None:
            return None
        return {"queueTimeoutMinutes": QUEUE_MINUTES, "maxConcurrentRuns": CONCURRENT_RUNS, **config}


@dataclass
class AttemptRecord:
    """One attempt of a job run.

    :param started: When it was RUNNING first.
    """

    number: int
    created: datetime
    updated: datetime
    state: RunState = "SUBMITTED"
    details: str = ""
    started: datetime | None = None
    ended: datetime | None = None


@dataclass
class CancelRecord:
    """Why a job run is to end before its time.

    :param since: When it was told.
    :param seconds: How long it may take to end by itself before it is killed.
    :param details: The run's ``stateDetails`` at its end.
    :param killed: Whether that time was over.
    """

    since: datetime
    seconds: float
    details: str
    killed: bool = False


@dataclass
class RunRecord:
    """One job run.

    :param request: The StartJobRun request, checked.
    :param application: The application's settings at that time.
    :param digests: See the application's.
    :param attempts: Oldest first; the last one is the present one.
    :param queued_since: Since when it is QUEUED.
    :param queued_seconds: How long it was QUEUED before.
    """

    id: str
    application_id: str
    region: str
    request: dict[str, Any]
    application: dict[str, Any]
    created: datetime
    updated: datetime
    created_by: str
    token: Token
    state: RunState = "SUBMITTED"
    details: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    attempts: list[AttemptRecord] = field(default_factory=list)
    cancel: CancelRecord | None = None
    queued_since: datetime | None = None
    queued_seconds: float | None = None
    ended: datetime | None = None

    @property
    def release_label(self) -> str:
        """EMR release label of its application, when it was submitted."""
        return str(self.application["releaseLabel"])

    @property
    def mode(self) -> RunMode:
        """BATCH or STREAMING."""
        mode: RunMode = self.request.get("mode", "BATCH")
        return mode

    @property
    def attempt(self) -> AttemptRecord:
        """The present attempt."""
        return self.attempts[-1]

    @property
    def is_active(self) -> bool:
        """Not at its end yet."""
        return self.state not in ENDED_STATES

    @property
    def timeout_minutes(self) -> int:
        """How long it may run; 0 for ever."""
        default = TIMEOUT_MINUTES if self.mode == "BATCH" else 0
        return int(self.request.get("executionTimeoutMinutes", default))

    @property
    def keeps_attempts_apart(self) -> bool:
        """Whether there may be more than one attempt, so that each one's logs have a folder of their own."""
        policy = self.request.get("retryPolicy", {})
        return self.mode == "STREAMING" or int(policy.get("maxAttempts", 1)) > 1
