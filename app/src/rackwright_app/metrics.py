"""The service's figures for Prometheus.

Each worker counts in files of its own (``PROMETHEUS_MULTIPROC_DIR``); the parent process adds them up when it
is scraped, see ``server``. The directory must be set before this module is imported.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from rackwright_app import __version__

_PREFIX = "rackwright_app"
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_ANSWER_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300, 600)

INFO = Gauge(
    f"{_PREFIX}_info", "Always 1; the version that runs.", ["version"], multiprocess_mode="mostrecent"
)
INFO.labels(__version__).set(1)

REQUESTS = Counter(f"{_PREFIX}_requests_total", "Requests answered.", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    f"{_PREFIX}_request_seconds",
    "Time from a request to the end of its answer.",
    ["route"],
    buckets=_REQUEST_BUCKETS,
)
REFUSED_TOKENS = Counter(f"{_PREFIX}_refused_tokens_total", "Requests without a valid token.", ["reason"])
RATE_LIMITED = Counter(
    f"{_PREFIX}_rate_limited_total", "Requests refused because the user's hour is used up."
)
AUDIT_FAILURES = Counter(f"{_PREFIX}_audit_failures_total", "Audit lines that could not be written.")

INFERENCE_SECONDS = Histogram(
    f"{_PREFIX}_inference_seconds",
    "Time an engine took for a whole answer.",
    ["outcome"],
    buckets=_ANSWER_BUCKETS,
)
FIRST_TOKEN_SECONDS = Histogram(
    f"{_PREFIX}_first_token_seconds", "Time until the first piece of an answer.", buckets=_ANSWER_BUCKETS
)
TOKENS = Counter(f"{_PREFIX}_tokens_total", "Tokens read and written by the engines.", ["kind"])
ENGINE_ERRORS = Counter(f"{_PREFIX}_engine_errors_total", "Failed attempts to ask an engine.", ["kind"])
OPEN_STREAMS = Gauge(
    f"{_PREFIX}_open_streams", "Answers being written at this moment.", multiprocess_mode="livesum"
)
ACTIVE_SESSIONS = Gauge(
    f"{_PREFIX}_active_sessions",
    "Sessions of the whole site that were used within the last 15 minutes (every instance says the same).",
    multiprocess_mode="mostrecent",
)

UPLOADS = Counter(
    f"{_PREFIX}_uploads_total",
    "Documents sent in: ready, refused (not a document we take), failed.",
    ["outcome"],
)
RETRIEVAL_SECONDS = Histogram(
    f"{_PREFIX}_retrieval_seconds", "Time of one search in a user's documents.", buckets=_REQUEST_BUCKETS
)
RETRIEVALS = Counter(
    f"{_PREFIX}_retrievals_total",
    "Searches in documents, by whether anything passed the threshold.",
    ["outcome"],
)
RERANK_FALLBACKS = Counter(
    f"{_PREFIX}_rerank_fallbacks_total", "Searches that words had to rank because the cross-encoder was away."
)
SIGN_INS = Counter(
    f"{_PREFIX}_sign_ins_total", "Tries to sign in, by password or at the identity provider.", ["outcome"]
)
WORKFLOWS = Counter(f"{_PREFIX}_workflows_total", "Workflows run.", ["outcome"])
WORKFLOW_STEP_SECONDS = Histogram(
    f"{_PREFIX}_workflow_step_seconds", "Time of one step of a workflow.", ["type"], buckets=_ANSWER_BUCKETS
)
MASKED_ANSWERS = Counter(
    f"{_PREFIX}_masked_answers_total", "Answers in which personal data or a key was masked."
)
REFUSED_MESSAGES = Counter(
    f"{_PREFIX}_refused_messages_total", "Messages that an input rule refused.", ["rule"]
)
