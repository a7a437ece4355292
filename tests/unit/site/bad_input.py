"""Bad input: what an operator gets wrong in a site's files, and what they are told. One entry per case."""

from dataclasses import dataclass, field

SITE, CONNECTION, HOSTS = "group_vars/all/site.yml", "group_vars/all/connection.yml", "hosts.yml"
NAMED = "site_name: lab\n"


@dataclass(frozen=True)
class Bad:
    """A case.

    Attributes:
        edits: Replacements in files of the lab's inventory: file, old text, new text.
        told: For each finding: variable, and parts of value, rule, hint and where.
        files: Files that are written anew.
    """

    told: list[tuple[str, str, str, str, str]]
    edits: list[tuple[str, str, str]] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)


def add(text: str) -> tuple[str, str, str]:
    """The edit that adds lines to site.yml."""
    return SITE, NAMED, f"{NAMED}{text}\n"


def site(old: str, new: str) -> list[tuple[str, str, str]]:
    """The edits of one replacement in site.yml."""
    return [(SITE, old, new)]


DATA1 = 'data1: {ansible_host: "{{ lab_prefix }}.30.11"}'

APP1 = 'app1: {ansible_host: "{{ lab_prefix }}.20.11"}'
APP2 = (APP1, f'{APP1}, app2: {{ansible_host: "{{{{ lab_prefix }}}}.20.12"}}')
APP2_SERVES = ("inference: {hosts: {app1: {}}}", "inference: {hosts: {app1: {}, app2: {}}}")
SAME_MODEL = "{name: tiny-random, path: /m.gguf, sha256: ''}"

PROVIDER = "issuer: 'https://login.example', networks: [10.0.6.7/32], client: site"
NIGHT = "{name: night, kind: webhook, url: 'https://a.example/'}"
MAIL = (
    "{name: mail, kind: email, to: [a@b.example], from_address: c@b.example, smarthost: 'b.example:25', "
    "username: c}"
)
RULE = (
    "{alert: Own, zh: x, about: [%s], expr: '%s', for: soon, severity: info, meaning: m, impact: i, "
    "first: f, runbook: slow}"
)
# ops1 shows dashboards, and may run containers.
SHOWS = "    grafana: {hosts: {ops1: {}}}"
MONITORS = "monitoring: {hosts: {ops1: {}}}"
KEEPS = (HOSTS, MONITORS, f"{MONITORS}\n    backup: {{hosts: {{ops1: {{}}}}}}")
GRAFANA = [
    (HOSTS, "container_hosts: {hosts: {app1: {}}}", "container_hosts: {hosts: {app1: {}, ops1: {}}}"),
    (HOSTS, MONITORS, f"{MONITORS}\n{SHOWS}"),
]
DIFY_IMAGES = str(
    {
        name: f"dify/{name}@sha256:{'0' * 64}"
        for name in ("api", "web", "plugin_daemon", "sandbox", "ssrf_proxy")
    }
)
DASHBOARD = """{"uid": "mine", "title": "Mine", "schemaVersion": 41, "panels": [
  {"type": "stat", "title": "Load", "datasource": {"type": "prometheus"},
   "targets": [{"refId": "A", "expr": "sum(up"}]}]}"""
MINE = "mine.json"

BAD: dict[str, Bad] = {
    # Dashboards
    "broken PromQL in a panel of the site's own": Bad(
        [
            (
                "grafana_dashboards",
                "panel 'Load': sum(up",
                "must be PromQL: unclosed",
                "Prometheus",
                "mine.json",
            )
        ],
        GRAFANA,
        {"dashboards/mine.json": DASHBOARD},
    ),
    "a dashboard that is none": Bad(
        [("grafana_dashboards", "", "it must be JSON", "export it from Grafana", "mine.json")],
        GRAFANA,
        {"dashboards/mine.json": "{"},
    ),
    "Grafana on a host without containers": Bad(
        [("groups", "grafana: ops1", "no container engine", "into the group container_hosts", "host ops1")],
        GRAFANA[1:],
    ),
    # Names
    "site name with a space": Bad(
        [("site_name", "my lab", "^[a-z][a-z0-9-]*$", "docs/variables.md", "")],
        site(NAMED, "site_name: my lab\n"),
    ),
    "domain with an underscore": Bad(
        [("domain", "ai_lab.example", "match", "docs/variables.md", "")],
        site("domain: lab.rackwright.internal", "domain: ai_lab.example"),
    ),
    "host called localhost": Bad(
        [("hosts", "localhost", "`localhost` is reserved", "rename it", "host localhost")],
        [(HOSTS, DATA1, f'{DATA1}, localhost: {{ansible_host: "{{{{ lab_prefix }}}}.30.12"}}')],
    ),
    "host name with a dot": Bad(
        [("hosts", "data2.example", "one label without a dot: write data2", "rename", "host data2.example")],
        [(HOSTS, DATA1, f'{DATA1}, data2.example: {{ansible_host: "{{{{ lab_prefix }}}}.30.12"}}')],
    ),
    "host name in capitals": Bad(
        [("hosts", "DATA2", "small letters, digits and `-`", "rename", "host DATA2")],
        [(HOSTS, DATA1, f'{DATA1}, DATA2: {{ansible_host: "{{{{ lab_prefix }}}}.30.12"}}')],
    ),
    "host called as a group": Bad(
        [("hosts", "redis", "an inventory group has this name", "rename", "host redis")],
        [(HOSTS, DATA1, f'{DATA1}, redis: {{ansible_host: "{{{{ lab_prefix }}}}.30.12"}}')],
    ),
    # Alerts
    "alert receiver without its secret": Bad(
        [("alert_receivers.0", "(given)", "lacks url", "docs/observability.md", "")],
        [add("alert_receivers: [{name: night, kind: dingtalk, secret: SECabc}]")],
    ),
    "mail account without a password": Bad(
        [("alert_receivers.0", "(given)", "lacks secret", "docs/observability.md", "")],
        [add(f"alert_receivers: [{MAIL}]")],
    ),
    "route to nobody": Bad(
        [("alert_routes.0.to", "nihgt", "there is none of this name", "did you mean `night`?", "")],
        [add(f"alert_receivers: [{NIGHT}]\nalert_routes: [{{to: [nihgt]}}]")],
    ),
    "route for a service that is not there": Bad(
        [("alert_routes.0.services", "postgres", "there is none", "did you mean `postgresql`?", "")],
        [add(f"alert_receivers: [{NIGHT}]\nalert_routes: [{{to: [night], services: [postgres]}}]")],
    ),
    "threshold that no rule reads": Bad(
        [
            (
                "alert_overrides",
                "cpu_percents",
                "there is none of this name",
                "did you mean `cpu_percent`?",
                "",
            )
        ],
        [add("alert_overrides: {cpu_percents: 90}")],
    ),
    "rule with broken PromQL": Bad(
        [("alert_rules.0.expr", "sum(up", "it is no PromQL: unclosed left parenthesis", "", "")],
        [add(f"alert_rules: [{RULE % ('app', 'sum(up')}]")],
    ),
    "rule about a service that is not there": Bad(
        [("alert_rules.0.about", "chat", "there is none of this name", "", "")],
        [add(f"alert_rules: [{RULE % ('chat', 'up == 0')}]")],
    ),
    "rule with an unknown threshold": Bad(
        [("alert_rules.0.expr", "up > $much", "it names 'much', which is no threshold", "cpu_percent", "")],
        [add(f"alert_rules: [{RULE % ('app', 'up > $much')}]")],
    ),
    "more days of metrics than the disk holds": Bad(
        [("host_disk_gb", "20", "Prometheus is to keep 3000 days", "prometheus_retention_days", "host ops1")],
        [add("prometheus_retention_days: 3000")],
    ),
    # The edge
    "unknown TLS mode": Bad(
        [("edge_tls.mode", "selfsigned", "'internal_ca', 'provided' or 'acme'", "docs/variables.md", "")],
        [add("edge_tls: {mode: selfsigned}")],
    ),
    "certificate without its key": Bad(
        [
            (
                "edge_tls",
                "certificate",
                "needs certificate and key, two PEM files; key is missing",
                "docs/variables.md",
                "",
            )
        ],
        [add("edge_tls: {mode: provided, certificate: tls/edge.pem}")],
    ),
    "ACME without a server": Bad(
        [("edge_tls", "acme", "needs directory", "docs/variables.md", "")],
        [add("edge_tls: {mode: acme}")],
    ),
    "unknown engine of the edge": Bad(
        [("edge_engine", "envoy", "there are nginx, haproxy, traefik", "write `edge_engine: ", "")],
        [add("edge_engine: envoy")],
    ),
    "Traefik without its release": Bad(
        [("traefik_release", "(empty)", "no package source has Traefik", "docs/edge.md", "")],
        [add("edge_engine: traefik")],
    ),
    "Traefik without a checksum": Bad(
        [("traefik_release", "traefik.tar.gz", "with its checksum", "sha256: <64 digits>", "")],
        [add("edge_engine: traefik\ntraefik_release: {source: /srv/traefik.tar.gz, sha256: latest}")],
    ),
    "OCSP with HAProxy": Bad(
        [("edge_tls.ocsp_responder", "http://192.0.2.1/ocsp", "the certificate names", "leave it out", "")],
        [add("edge_engine: haproxy\nedge_tls: {mode: internal_ca, ocsp_responder: http://192.0.2.1/ocsp}")],
    ),
    "allowlist that is no network": Bad(
        [("edge_rules.0.networks.0", "10.0.0.0/33", "IPv4 or IPv6 network", "docs/variables.md", "")],
        [add("edge_rules: [{site: api, path: /api/rag/, networks: [10.0.0.0/33]}]")],
    ),
    "rule for a path that nothing serves": Bad(
        [("edge_rules.0", "api /v2/", "nothing is served there", "api/api/", "")],
        [add("edge_rules: [{site: api, path: /v2/, networks: [10.0.0.0/8]}]")],
    ),
    "everybody as a trusted proxy": Bad(
        [("edge_trusted_proxies.0", "0.0.0.0/0", "claim any address", "docs/variables.md", "")],
        [add('edge_trusted_proxies: ["0.0.0.0/0"]')],
    ),
    # What runs under AppArmor profiles
    "profiles in a mode that is none": Bad(
        [("hardening_apparmor", "loud", "must be one of", "", "")],
        [add("hardening_apparmor: loud")],
    ),
    "exception for a service without a profile": Bad(
        [("hardening_apparmor_exceptions", "redsi", "names 'redsi'", "redis", "")],
        [add("hardening_apparmor_exceptions: [{service: redsi, mode: complain, reason: r}]")],
    ),
    # How often stores are kept
    "backups at an interval that is none": Bad(
        [("backup_repository_every", "redis: 7m", "goes into an hour or a day", "10m, 15m", "host ops1")],
        [add("backup_repository_every: {redis: 7m}"), KEEPS],
    ),
    "backups of what the site does not have": Bad(
        [("backup_repository_every", "data1/mariadb", "it is no store of this site", "data1/redis", "ops1")],
        [add("backup_repository_every: {data1/mariadb: 1h}"), KEEPS],
    ),
    "PostgreSQL among those that are kept more often": Bad(
        [
            (
                "backup_repository_every",
                "postgresql",
                "leaves each minute",
                "backup_repository_schedule",
                "ops1",
            )
        ],
        [add("backup_repository_every: {postgresql: 1h}"), KEEPS],
    ),
    "how often, of nothing": Bad(
        [("backup_repository_every", "1h", "dictionary requested", "README", "")],
        [add("backup_repository_every: 1h"), KEEPS],
    ),
    # How users sign in
    "identity provider without TLS": Bad(
        [
            (
                "sign_in_provider.issuer",
                "http://login.example",
                "should match pattern",
                "docs/variables.md",
                "",
            )
        ],
        [add("sign_in_provider: {issuer: 'http://login.example', networks: [10.0.6.7/32], client: site}")],
    ),
    "identity provider that no firewall opens": Bad(
        [("sign_in_provider", "https://login.example", "networks is missing", "docs/variables.md", "")],
        [add("sign_in_provider: {issuer: 'https://login.example', client: site}")],
    ),
    "identity provider for nobody": Bad(
        [
            (
                "sign_in_provider",
                "https://login.example",
                "client (for the page) or audience",
                "docs/variables.md",
                "",
            )
        ],
        [add("sign_in_provider: {issuer: 'https://login.example', networks: [10.0.6.7/32]}")],
    ),
    "a role that is none of ours": Bad(
        [("sign_in_provider.roles.staff", "root", "'user' or 'admin'", "docs/variables.md", "")],
        [add(f"sign_in_provider: {{{PROVIDER}, roles: {{staff: root}}}}")],
    ),
    "a sign-in that says nothing of who it was": Bad(
        [("sign_in_provider", "https://login.example", "scopes must hold openid", "docs/variables.md", "")],
        [add(f"sign_in_provider: {{{PROVIDER}, scopes: [profile]}}")],
    ),
    "no way to sign in": Bad(
        [("app_sign_in.password", "False", "nobody can sign in", "docs/sign-in.md", "")],
        [add("app_sign_in: {password: false}")],
    ),
    "an authority that is none": Bad(
        [("sign_in_provider.authority", "tls/login.pem", "no certificate in PEM form", "the provider's", "")],
        [add(f"sign_in_provider: {{{PROVIDER}, authority: tls/login.pem}}")],
        files={"tls/login.pem": "nothing of the sort"},
    ),
    "egress to a name": Bad(
        [("egress_allowed.0.networks.0", "mirror.example", "IPv4 or IPv6 network", "docs/variables.md", "")],
        [add("egress_allowed: [{name: mirror, networks: [mirror.example], ports: [443]}]")],
    ),
    # The tier
    "unknown tier": Bad(
        [("tier", "standrad", "one of lab, entry, standard", "write `tier: standard`", "")],
        site("tier: lab\n", "tier: standrad\n"),
    ),
    "unknown key in tier_overrides": Bad(
        [("tier_overrides.retension", "{'logs_days': 9}", "no key of this name", "write `retention`", "")],
        [add("tier_overrides: {retension: {logs_days: 9}}")],
    ),
    "negative share": Bad(
        [("tier_overrides.shares.redis", "-3", "greater than or equal to 1", "docs/tiers.md", "")],
        [add("tier_overrides: {shares: {redis: -3}}")],
    ),
    "share of a service that nobody knows": Bad(
        [("tier_overrides.shares.rediss", "2", "no key of this name", "write `redis`", "")],
        [add("tier_overrides: {shares: {rediss: 2}}")],
    ),
    "unknown engine": Bad(
        [("tier_overrides.inference.engine", "vlm", "'ollama', 'vllm'", "docs/tiers.md", "")],
        [add("tier_overrides: {inference: {engine: vlm}}")],
    ),
    "unknown engine of all hosts": Bad(
        [("inference_engine", "olama", "the engines are", "write `inference_engine: ollama`", "host app1")],
        [add("inference_engine: olama")],
    ),
    "unknown engine of one host": Bad(
        [("inference_engine", "vlm", "no service of the catalogue", "`inference_engine: vllm`", "app1")],
        files={"host_vars/app1/engine.yml": "inference_engine: vlm\n"},
    ),
    "unknown vector store": Bad(
        [("vector_store", "quadrant", "there are pgvector, chroma", "write `vector_store: ", "")],
        [add("vector_store: quadrant")],
    ),
    "vector store without a host": Bad(
        [("vector_store", "chroma", "that has none", "or write `vector_store: pgvector`", "vector_store")],
        [add("vector_store: chroma")],
    ),
    "two hosts for the log store": Bad(
        [("groups.log_store", "app1, ops1", "runs on one host", "leave one host in the group log_store", "")],
        [
            add("log_store: elasticsearch"),
            (
                HOSTS,
                "container_hosts: {hosts: {app1: {}}}",
                "container_hosts: {hosts: {app1: {}, ops1: {}}}\n    log_store: {hosts: {app1: , ops1: }}",
            ),
        ],
    ),
    "Kibana without its store": Bad(
        [
            ("groups", "kibana: ops1", "no container engine", "put ops1 into", ""),
            ("groups.kibana", "ops1", "the site has none", "write `log_store: elasticsearch`", ""),
        ],
        [(HOSTS, MONITORS, f"{MONITORS}\n    kibana: {{hosts: {{ops1: {{}}}}}}")],
    ),
    "Logstash without a store to hand on to": Bad(
        [
            ("groups", "logstash: ops1", "no container engine", "put ops1 into", ""),
            ("groups.logstash", "ops1", "the site has none", "write `log_store: elasticsearch`", ""),
        ],
        [(HOSTS, MONITORS, f"{MONITORS}\n    logstash: {{hosts: {{ops1: {{}}}}}}")],
    ),
    "two vector stores": Bad(
        [("vector_store", "chroma", "elsewhere it is pgvector", "in group_vars/all", "host data1")],
        files={"host_vars/data1/store.yml": "vector_store: chroma\n"},
    ),
    "two hosts for one store of objects": Bad(
        [("groups.object_store", "data1, ops1", "runs on one host", "leave one host in", "object_store")],
        [(HOSTS, MONITORS, f"{MONITORS}\n    object_store: {{hosts: {{data1: {{}}, ops1: {{}}}}}}")],
    ),
    "a Redis that leads and is none": Bad(
        [
            (
                "redis_primary",
                "app1",
                "it leads the hosts of the group redis, which are data1",
                "write one",
                "",
            )
        ],
        [add("redis_primary: app1")],
    ),
    "bucket with a capital": Bad(
        [("object_store_buckets.1", "Uploads", "3 to 63 small letters", "docs/variables.md", "")],
        [add("object_store_buckets: [papers, Uploads]")],
    ),
    "uploads of Dify in a store of objects that there is not": Bad(
        [("dify_files", "objects", "the site has no object store", "into the group object_store", "app1")],
        [
            (HOSTS, MONITORS, f"{MONITORS}\n    dify: {{hosts: {{app1: {{host_memory_mb: 16384}}}}}}"),
            add(f"dify_admin_email: ops@example.com\ndify_files: objects\ndify_images: {DIFY_IMAGES}"),
        ],
    ),
    "uploads of Dify somewhere": Bad(
        [("dify_files", "disk", "in a folder of Dify's host or", "write `dify_files: folder`", "app1")],
        [
            (HOSTS, MONITORS, f"{MONITORS}\n    dify: {{hosts: {{app1: {{host_memory_mb: 16384}}}}}}"),
            add(f"dify_admin_email: ops@example.com\ndify_files: disk\ndify_images: {DIFY_IMAGES}"),
        ],
    ),
    "one model by engines of two kinds, and no route": Bad(
        [("groups", "llama_cpp, ollama", "several kinds", "group model_route", "")],
        [(HOSTS, *APP2), (HOSTS, *APP2_SERVES)],
        files={
            "host_vars/app1/engine.yml": "llama_cpp_model: {name: tiny-random, path: /m.gguf, size: 1}\n",
            "host_vars/app2/engine.yml": f"inference_engine: ollama\nollama_models: [{SAME_MODEL}]\n",
        },
    ),
    "unknown model": Bad(
        [("tier_overrides.inference.model", "qwen3-8bb", "no model of this name", "write `qwen3-8b`", "")],
        [add("tier_overrides: {inference: {model: qwen3-8bb}}")],
    ),
    "quantisation that the model has not": Bad(
        [("tier_overrides.inference.quantisation", "q3_x", "qwen3-0.6b cannot be had so", "q4_k_m", "")],
        [add("tier_overrides: {inference: {quantisation: q3_x}}")],
    ),
    "tier_overrides as text": Bad(
        [("tier_overrides", "more", "object", "docs/variables.md", "")],
        [add("tier_overrides: more")],
    ),
    # Numbers
    "memory of zero": Bad(
        [("host_memory_mb", "0", "greater than or equal to 256", "docs/variables.md", "")],
        site("host_memory_mb: 2048", "host_memory_mb: 0"),
    ),
    "fraction of a core": Bad(
        [("host_cpus", "1.5", "whole number", "without quotes", "")],
        site("host_cpus: 2", "host_cpus: 1.5"),
    ),
    "number with its unit": Bad(
        [("host_memory_mb", "'2048 MB'", "whole number", "without quotes", "")],
        site("host_memory_mb: 2048", "host_memory_mb: 2048 MB"),
    ),
    "yes for a number on one host": Bad(
        [("host_cpus", "True", "a number, 1 or more", "without quotes", "host data1")],
        [(HOSTS, "redis: {hosts: {data1: {}}}", "redis: {hosts: {data1: {host_cpus: yes}}}")],
    ),
    "port out of range": Bad(
        [("package_proxy", "http://10.77.40.254:99999", "http://<address>:<port>", "3142", "")],
        site("{{ lab_prefix }}.40.254:3142", "{{ lab_prefix }}.40.254:99999"),
    ),
    # Addresses
    "IPv6 address in an IPv4 zone": Bad(
        [("ansible_host", "fd00::30:11", "outside the subnet of the host's zone", "correct", "host data1")],
        [(HOSTS, DATA1, 'data1: {ansible_host: "fd00::30:11"}')],
    ),
    "IPv6 proxy without brackets": Bad(
        [("package_proxy", "http://fd00::1:3142", "with an address, not a name", "3142", "")],
        site('"http://{{ lab_prefix }}.40.254:3142"', '"http://fd00::1:3142"'),
    ),
    "administered by IPv6 alone": Bad(
        [("management_sources", "fd00::/64", "IPv4 addresses and none", "add an IPv4 address", "")],
        site("management_sources:\n", 'management_sources: ["fd00::/64"]\nmy_sources:\n'),
    ),
    "address with a prefix for a server": Bad(
        [("ntp_servers.0", "10.77.40.1/32", "IPv4 or IPv6 address", "docs/variables.md", "")],
        [add('ntp_servers: ["10.77.40.1/32"]')],
    ),
    "name for a server": Bad(
        [("dns_servers.0", "dns.example", "IPv4 or IPv6 address", "docs/variables.md", "")],
        [add("dns_servers: [dns.example]")],
    ),
    "client network that is none": Bad(
        [("client_networks.1", "10.0.0.0/33", "IPv4 or IPv6 network", "docs/variables.md", "")],
        [add("client_networks: [10.0.0.0/8, 10.0.0.0/33]")],
    ),
    # Groups
    "group with no host": Bad(
        [("groups", "postgresql: (no host)", "app (app1) needs postgresql", "postgresql: {hosts", "group")],
        [(HOSTS, "postgresql: {hosts: {data1: {}}}", "postgresql: {hosts: {}}")],
    ),
    "no host at all": Bad(
        [("groups", "platform: (no host)", "the platform needs a host", "zone_dmz", "inventories/lab")],
        files={HOSTS: "---\nall: {}\n"},
    ),
    "empty inventory": Bad(
        [("groups", "platform: (no host)", "the platform needs a host", "zone_dmz", "inventories/lab")],
        files={HOSTS: "---\nall: {hosts: {}}\n"},
    ),
    # Files
    "tab in YAML": Bad(
        [("file", "a tab", "spaces alone", "spaces for the tab", "site.yml:")],
        site('  dmz: {cidr: "', '\tdmz: {cidr: "'),
    ),
    "no YAML": Bad(
        [("file", "(not shown)", "this is no YAML", "yamllint", "site.yml:")],
        site('dmz: {cidr: "{{ lab_prefix }}.10.0/24"}', 'dmz: {cidr: "{{ lab_prefix }}.10.0/24"'),
    ),
    "key given twice": Bad(
        [("host_cpus", "(given twice)", "the last one would silently win", "remove one", "site.yml:")],
        [add("host_cpus: 4")],
    ),
    "key given twice on one line": Bad(
        [("zones.dmz.cidr", "(given twice)", "silently win", "remove one", "site.yml:")],
        site('dmz: {cidr: "', 'dmz: {cidr: "10.0.0.0/24", cidr: "'),
    ),
    "file that is no text": Bad(
        [("file", "(unreadable)", "control characters", "UTF-8", "more.yml")],
        files={"group_vars/all/more.yml": "a: \x01\n"},
    ),
    # Secrets and what enters a host
    "another file for the vault": Bad(
        [("vault_jwt_secret", "(not shown)", "text and not empty", "secrets init", "")],
        files={"group_vars/all/z.yml": "---\nvault_jwt_secret: ''\n"},
    ),
    "version as a number": Bad(
        [("versions.llama_cpp.package_version", "1.1", "a version is text", 'write "1.1"', "")],
        [add("versions: {llama_cpp: {package: llama.cpp-tools, package_version: 1.10}}")],
    ),
    "file without its sum": Bad(
        [("versions.model.url", "https://mirror.example/m.gguf", "needs `sha256`", "sha256sum", "")],
        [add('versions: {model: {version: "1", url: "https://mirror.example/m.gguf"}}')],
    ),
}

# Told, and let pass.
LET_PASS: dict[str, Bad] = {
    "everybody is a client": Bad(
        [("client_networks", "0.0.0.0/0", "the whole world may use /api/", "10.0.0.0/8", "")],
        [add('client_networks: ["0.0.0.0/0"]')],
    ),
    "everybody may try to log in": Bad(
        [("management_sources", "0.0.0.0/0", "the whole world may try", "10.0.0.0/8", "")],
        site("management_sources:\n", 'management_sources: ["0.0.0.0/0"]\nmy_sources:\n'),
    ),
    "a group that waits for its host": Bad(
        [
            (
                "groups",
                "monitoring: (no host)",
                "puts no host into it",
                "or remove the group",
                "group monitoring",
            )
        ],
        [(HOSTS, "monitoring: {hosts: {ops1: {}}}", "monitoring: {hosts: {}}")],
    ),
}
