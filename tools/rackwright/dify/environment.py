"""The variables of each service, by the release's own names.

What is left out keeps the release's default. tests/contracts/test_dify_release.py holds every variable of
the release against what is said here, or against the reason why nothing is.
"""

from __future__ import annotations

from urllib.parse import quote

from rackwright.dify.options import ObjectStore, Options
from rackwright.dify.stores import Told, told

CA = "/tls-ca.pem"
PUBLIC_KEY = "/run/plugin-signature.pem"
API = "http://dify-api:5001"
PLUGIN_DAEMON = "http://dify-plugin-daemon:5002"
SANDBOX = "http://dify-sandbox:8194"
PROXY = "http://dify-ssrf-proxy:3128"
# Prefixes of all keys: what Redis lets each user touch.
REDIS_PREFIX = "dify"
PLUGIN_REDIS_PREFIX = "dify-plugin"
# The app has database 0 for what is cached, the queue is in 1 (requirement S5).
CACHE_DATABASE, QUEUE_DATABASE = "0", "1"

# Nothing leaves the site: telemetry, update checks, the marketplace, templates and crash reports are off.
SILENT = {
    "CHECK_UPDATE_URL": "",
    "MARKETPLACE_ENABLED": "false",
    "ENABLE_CHECK_UPGRADABLE_PLUGIN_TASK": "false",
    "CREATORS_PLATFORM_FEATURES_ENABLED": "false",
    "ENABLE_LEARN_APP": "false",
    "HOSTED_FETCH_APP_TEMPLATES_MODE": "builtin",
    "HOSTED_FETCH_PIPELINE_TEMPLATES_MODE": "builtin",
    "SCARF_NO_ANALYTICS": "true",
    "SENTRY_DSN": "",
    "ENABLE_OTEL": "false",
    "ENABLE_WEBSITE_JINAREADER": "false",
    "ENABLE_WEBSITE_FIRECRAWL": "false",
    "ENABLE_WEBSITE_WATERCRAWL": "false",
    "OPENAI_API_BASE": "http://127.0.0.1/not-used",
}
# Trust in the site's authority: libpq's, OpenSSL's and the HTTP clients' own names for the same file.
TRUST = {
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": CA,
    "SSL_CERT_FILE": CA,
    "REQUESTS_CA_BUNDLE": CA,
}


def _storage(options: Options) -> Told:
    if not isinstance(options.storage, ObjectStore):
        return Told({"STORAGE_TYPE": "opendal", "OPENDAL_SCHEME": "fs", "OPENDAL_FS_ROOT": "storage"}, {})
    store = options.storage
    return Told(
        {
            "STORAGE_TYPE": "s3",
            "S3_ENDPOINT": store.endpoint,
            "S3_BUCKET_NAME": store.bucket,
            "S3_REGION": store.region,
            "S3_ADDRESS_STYLE": store.address_style,
            "S3_USE_AWS_MANAGED_IAM": "false",
            # Its client would send a checksum behind the object, which others than Amazon may refuse.
            "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        },
        {"S3_ACCESS_KEY": store.access_key, "S3_SECRET_KEY": store.secret_key},
    )


def backend(options: Options, mode: str) -> Told:
    """Return what api, worker, beat and the migration are told; they are one image.

    Args:
        options: Of the site.
        mode: `api`, `worker`, `beat` or `migration`.
    """
    database, redis, store, storage = options.database, options.redis, told(options), _storage(options)
    environment = {
        "MODE": mode,
        # A step of its own, once for each image: two containers that start at once would both migrate.
        "MIGRATION_ENABLED": "true" if mode == "migration" else "false",
        "DEPLOY_ENV": "PRODUCTION",
        "DEBUG": "false",
        "FLASK_DEBUG": "false",
        "LOG_LEVEL": options.log_level,
        "LOG_OUTPUT_FORMAT": "json",
        "LOG_FILE": "",
        "LOG_TZ": options.timezone,
        **dict.fromkeys(
            ("CONSOLE_API_URL", "CONSOLE_WEB_URL", "SERVICE_API_URL", "APP_API_URL", "APP_WEB_URL"),
            options.url,
        ),
        **dict.fromkeys(("FILES_URL", "TRIGGER_URL"), options.url),
        "INTERNAL_FILES_URL": API,
        "ENDPOINT_URL_TEMPLATE": f"{options.url}/e/{{hook_id}}",
        **dict.fromkeys(("WEB_API_CORS_ALLOW_ORIGINS", "CONSOLE_CORS_ALLOW_ORIGINS"), options.url),
        "RESPECT_XFORWARD_HEADERS_ENABLED": "true",
        "ALLOW_REGISTER": "false",
        "ALLOW_CREATE_WORKSPACE": "false",
        "ENABLE_COLLABORATION_MODE": "false",
        "DB_TYPE": "postgresql",
        "DB_HOST": str(database.host),
        "DB_PORT": str(database.port),
        "DB_USERNAME": database.user,
        "DB_DATABASE": database.name,
        "SQLALCHEMY_POOL_SIZE": str(options.pool),
        "SQLALCHEMY_MAX_OVERFLOW": "0",
        "SQLALCHEMY_POOL_PRE_PING": "true",
        **_redis(options, redis.user, REDIS_PREFIX),
        "BROKER_USE_SSL": "true",
        "CELERY_BACKEND": "redis",
        "CELERY_WORKER_AMOUNT": str(options.workers),
        "CODE_EXECUTION_ENDPOINT": SANDBOX,
        "SSRF_PROXY_HTTP_URL": PROXY,
        "SSRF_PROXY_HTTPS_URL": PROXY,
        "PLUGIN_DAEMON_URL": PLUGIN_DAEMON,
        "PLUGIN_MAX_PACKAGE_SIZE": str(options.plugin_mb * 2**20),
        "PLUGIN_DAEMON_TIMEOUT": "600.0",
        **TRUST,
        **SILENT,
        **storage.environment,
        **store.environment,
        **options.settings,
    }
    broker = f"{redis.user}:{quote(redis.password)}@{_bracketed(options)}:{redis.port}/{QUEUE_DATABASE}"
    secret = {
        "SECRET_KEY": options.secrets.secret_key,
        "INIT_PASSWORD": options.secrets.init_password,
        "DB_PASSWORD": database.password,
        "REDIS_PASSWORD": redis.password,
        "CELERY_BROKER_URL": f"rediss://{broker}",
        "CODE_EXECUTION_API_KEY": options.secrets.sandbox_key,
        "PLUGIN_DAEMON_KEY": options.secrets.plugin_daemon_key,
        "INNER_API_KEY_FOR_PLUGIN": options.secrets.inner_api_key,
        **storage.secret,
        **store.secret,
    }
    return Told(environment, secret)


def _redis(options: Options, user: str, prefix: str) -> dict[str, str]:
    return {
        "REDIS_HOST": str(options.redis.host),
        "REDIS_PORT": str(options.redis.port),
        "REDIS_USERNAME": user,
        "REDIS_DB": CACHE_DATABASE,
        "REDIS_KEY_PREFIX": prefix,
        "REDIS_USE_SSL": "true",
        "REDIS_SSL_CERT_REQS": "CERT_REQUIRED",
        "REDIS_SSL_CA_CERTS": CA,
    }


def _bracketed(options: Options) -> str:
    host = str(options.redis.host)
    return f"[{host}]" if ":" in host else host


def web(options: Options) -> dict[str, str]:
    """Return what the page's server is told; browsers see most of it."""
    return {
        "CONSOLE_API_URL": options.url,
        "APP_API_URL": options.url,
        "SERVER_CONSOLE_API_URL": API,
        # A browser would call these, were the marketplace on; it is not, and they lead nowhere else.
        "MARKETPLACE_API_URL": options.url,
        "MARKETPLACE_URL": options.url,
        "NEXT_TELEMETRY_DISABLED": "1",
        "AMPLITUDE_API_KEY": "",
        "SENTRY_DSN": "",
        "ALLOW_EMBED": "false",
        "ALLOW_UNSAFE_DATA_SCHEME": "false",
        "ENABLE_WEBSITE_JINAREADER": "false",
        "ENABLE_WEBSITE_FIRECRAWL": "false",
        "ENABLE_WEBSITE_WATERCRAWL": "false",
    }


def plugin_daemon(options: Options) -> Told:
    """Return what the plugin daemon is told (docs/dify-plugins.md says why)."""
    database = options.plugin_database
    environment = {
        "SERVER_PORT": "5002",
        "GIN_MODE": "release",
        "PLATFORM": "local",
        "DB_TYPE": "postgresql",
        "DB_HOST": str(database.host),
        "DB_PORT": str(database.port),
        "DB_USERNAME": database.user,
        "DB_DATABASE": database.name,
        # Its client knows `disable` and `require` alone; PGSSLROOTCERT has `require` verify the authority.
        "DB_SSL_MODE": "require",
        "DB_MAX_OPEN_CONNS": str(options.pool),
        "DB_MAX_IDLE_CONNS": str(max(1, options.pool // 2)),
        **_redis(options, options.redis.plugin_user, PLUGIN_REDIS_PREFIX),
        "DIFY_INNER_API_URL": API,
        "MAX_PLUGIN_PACKAGE_SIZE": str(options.plugin_mb * 2**20),
        "PLUGIN_WORKING_PATH": "/app/storage/cwd",
        "PLUGIN_STORAGE_TYPE": "local",
        "PLUGIN_STORAGE_LOCAL_ROOT": "/app/storage",
        "PLUGIN_INSTALLED_PATH": "plugin",
        "PLUGIN_PACKAGE_CACHE_PATH": "plugin_packages",
        "PLUGIN_MEDIA_CACHE_PATH": "assets",
        "PLUGIN_MAX_EXECUTION_TIMEOUT": "600",
        # Wheels are in the packages: nothing is waited for.
        "PYTHON_ENV_INIT_TIMEOUT": "120",
        "PIP_MIRROR_AUTO_DETECT": "false",
        "PIP_MIRROR_URL": "",
        "UV_CACHE_DIR": "/app/storage/cwd/.uv-cache",
        # Debugging from a developer's machine is a door for plugins that nobody signed.
        "PLUGIN_REMOTE_INSTALLING_ENABLED": "false",
        "FORCE_VERIFYING_SIGNATURE": "true",
        "ENFORCE_LANGGENIUS_PLUGIN_SIGNATURES": "true",
        "PROMETHEUS_ENABLED": "true",
        "PPROF_ENABLED": "false",
        "SENTRY_ENABLED": "false",
        "ENABLE_OTEL": "false",
        "LOG_LEVEL": options.log_level,
        "LOG_OUTPUT_FORMAT": "json",
        "PGSSLROOTCERT": CA,
        "SSL_CERT_FILE": CA,
        "REQUESTS_CA_BUNDLE": CA,
    }
    if options.signature_keys:
        environment |= {
            "THIRD_PARTY_SIGNATURE_VERIFICATION_ENABLED": "true",
            "THIRD_PARTY_SIGNATURE_VERIFICATION_PUBLIC_KEYS": PUBLIC_KEY,
        }
    secret = {
        "SERVER_KEY": options.secrets.plugin_daemon_key,
        "DIFY_INNER_API_KEY": options.secrets.inner_api_key,
        "DB_PASSWORD": database.password,
        "REDIS_PASSWORD": options.redis.plugin_password,
    }
    return Told(environment, secret)


def sandbox(options: Options) -> Told:
    """Return what the sandbox is told: its only way is the proxy, and its network has no other."""
    return Told(
        {
            "GIN_MODE": "release",
            "SANDBOX_PORT": "8194",
            "WORKER_TIMEOUT": "15",
            "ENABLE_NETWORK": "true" if options.reachable else "false",
            "HTTP_PROXY": PROXY,
            "HTTPS_PROXY": PROXY,
            "PIP_MIRROR_URL": "",
        },
        {"API_KEY": options.secrets.sandbox_key},
    )
