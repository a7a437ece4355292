"""Model engines: tokens a second, time to the first one, what waits, the cache of keys and values."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Row
from rackwright.dashboards.panels import gauge, quantile, quantiles, query, rate, stat, time

_QUIET = "nobody has asked yet"
_ENGINE = "{{host}} {{model_name}}"

INFERENCE = Board(
    "rackwright-inference",
    "Inference",
    "What engines do, and how long people wait for them.",
    (
        Row(
            "As the app sees it",
            (
                stat(
                    "Tokens written",
                    query('sum(rate(rackwright_app_tokens_total{kind="completion"}[5m]))', "", "app", _QUIET),
                    about="A second, over the last five minutes.",
                ),
                stat(
                    "First token (95 %)",
                    query(quantile(0.95, "rackwright_app_first_token_seconds", ""), "", "app", _QUIET),
                    unit="s",
                    warn=2.0,
                    bad=5.0,
                ),
                stat("Answers being written", query("sum(rackwright_app_open_streams)", "", "app")),
                time(
                    "Tokens a second",
                    query(rate("rackwright_app_tokens_total", "kind"), "{{kind}}", "app", _QUIET),
                    width=12,
                ),
                quantiles(
                    "Time to the first token",
                    "rackwright_app_first_token_seconds",
                    "app",
                    width=12,
                    rare=_QUIET,
                ),
                quantiles("Time of a whole answer", "rackwright_app_inference_seconds", "app", rare=_QUIET),
                time(
                    "Answers by outcome",
                    query(
                        rate("rackwright_app_inference_seconds_count", "outcome"),
                        "{{outcome}}",
                        "app",
                        _QUIET,
                    ),
                    unit="reqps",
                    stacked=True,
                ),
                time(
                    "Engines that failed",
                    query(
                        rate("rackwright_app_engine_errors_total", "kind"),
                        "{{kind}}",
                        "app",
                        "no engine failed",
                    ),
                    unit="reqps",
                ),
            ),
        ),
        Row(
            "Queue",
            (
                time(
                    "At work and waiting",
                    query(gauge("vllm:num_requests_running"), f"{_ENGINE} at work", "vllm"),
                    query(gauge("vllm:num_requests_waiting"), f"{_ENGINE} waiting", "vllm"),
                    query(gauge("llamacpp:requests_processing"), "{{host}} at work", "llama_cpp"),
                    query(gauge("llamacpp:requests_deferred"), "{{host}} waiting", "llama_cpp"),
                    about="What waits for minutes is load that the engine cannot take.",
                    width=12,
                ),
                time(
                    "Cache of keys and values",
                    query(f"100 * {gauge('vllm:kv_cache_usage_perc')}", _ENGINE, "vllm"),
                    query(f"100 * {gauge('vllm:gpu_cache_usage_perc')}", _ENGINE, "vllm", "before vLLM 0.10"),
                    about="Full means that requests wait, or lose what was computed for them.",
                    unit="percent",
                    most=100.0,
                    warn=90.0,
                    width=12,
                ),
            ),
        ),
        Row(
            "As the engine sees it",
            (
                time(
                    "Tokens a second",
                    query(
                        rate("vllm:generation_tokens_total", "host, model_name"), f"{_ENGINE} written", "vllm"
                    ),
                    query(rate("vllm:prompt_tokens_total", "host, model_name"), f"{_ENGINE} read", "vllm"),
                    query(rate("llamacpp:tokens_predicted_total"), "{{host}} written", "llama_cpp"),
                    query(rate("llamacpp:prompt_tokens_total"), "{{host}} read", "llama_cpp"),
                    width=12,
                ),
                time(
                    "Tokens a second of one answer",
                    query(gauge("llamacpp:predicted_tokens_seconds"), "{{host}} written", "llama_cpp"),
                    query(gauge("llamacpp:prompt_tokens_seconds"), "{{host}} read", "llama_cpp"),
                    width=12,
                ),
                quantiles("Time to the first token", "vllm:time_to_first_token_seconds", "vllm"),
                quantiles("Time between tokens", "vllm:inter_token_latency_seconds", "vllm"),
                quantiles("Time of calls (LocalAI)", "api_call", "localai", rare="nobody has called it yet"),
            ),
        ),
        Row(
            "Ollama's models",
            (
                time(
                    "Loaded",
                    query(gauge("rackwright_ollama_loaded"), "{{host}} {{model}}", "ollama"),
                    about="1 while a model is in memory; the first question to another one waits for it.",
                ),
                time(
                    "Memory",
                    query(
                        gauge("rackwright_ollama_memory_bytes"),
                        "{{host}} {{model}}",
                        "ollama",
                        "no model is loaded",
                    ),
                    unit="bytes",
                ),
                time(
                    "On GPUs",
                    query(
                        "100 * rackwright_ollama_vram_bytes / rackwright_ollama_memory_bytes",
                        "{{host}} {{model}}",
                        "ollama",
                        "no model is loaded",
                    ),
                    about="Less than 100 means that a part is worked out by the cores, slowly.",
                    unit="percent",
                    most=100.0,
                ),
            ),
        ),
    ),
)
