"""One host, or some: processor, memory, disks, network, clock, units."""

from __future__ import annotations

from rackwright.dashboards.model import Board, Choice, Row
from rackwright.dashboards.panels import gauge, query, rate, share, stat, table, time

_REAL = 'fstype!~"tmpfs|overlay|ramfs"'
_FAILED = gauge("node_systemd_unit_state", 'state="failed"')
_WIRE = 'device!~"lo|veth.*|br-.*|docker.*"'
_PRESSURE = "; the part of the time in which somebody waited for it (PSI)"

HOST = Board(
    "rackwright-host",
    "Host",
    "Processor, memory, disks, network, clock and units of the hosts that are chosen.",
    (
        Row(
            "Now",
            (
                stat("Up since", query(f"time() - {gauge('node_boot_time_seconds')}"), unit="s"),
                stat("Load of a minute", query(gauge("node_load1"))),
                stat(
                    "Failed units",
                    query(f"sum by (host) ({_FAILED})"),
                    warn=1.0,
                    bad=1.0,
                ),
                stat(
                    "Clock away from its source",
                    query(
                        f"abs({gauge('node_timex_offset_seconds')})", rare="a container's clock is its host's"
                    ),
                    about="Tokens, certificates and clusters break when clocks differ.",
                    unit="s",
                    warn=0.1,
                    bad=1.0,
                ),
                stat("Open files", query(gauge("node_filefd_allocated"))),
                stat(
                    "Wants a reboot",
                    query(gauge("rackwright_reboot_required")),
                    names=((1, "yes"), (0, "no")),
                    warn=1.0,
                    about="A new kernel, or a library that everything uses.",
                ),
            ),
        ),
        Row(
            "Processor and memory",
            (
                time(
                    "Processor by use",
                    query(
                        "100 * sum by (mode) (rate(node_cpu_seconds_total"
                        '{mode!="idle", host=~"$host"}[$__rate_interval]))'
                        ' / scalar(count(node_cpu_seconds_total{mode="idle", host=~"$host"}))',
                        "{{mode}}",
                    ),
                    unit="percent",
                    most=100.0,
                    stacked=True,
                ),
                share(
                    "Memory in use",
                    '(node_memory_MemTotal_bytes{host=~"$host"} - node_memory_MemAvailable_bytes)',
                    "node_memory_MemTotal_bytes",
                    "What cannot be given to another at once.",
                    warn=75.0,
                    bad=85.0,
                ),
                time(
                    "Pressure",
                    query(rate("node_pressure_cpu_waiting_seconds_total"), "{{host}} processor"),
                    query(rate("node_pressure_memory_waiting_seconds_total"), "{{host}} memory"),
                    query(rate("node_pressure_io_waiting_seconds_total"), "{{host}} disks"),
                    about=f"Processor, memory, disks{_PRESSURE}.",
                    unit="percentunit",
                ),
            ),
        ),
        Row(
            "Disks",
            (
                share(
                    "File systems",
                    f'(node_filesystem_size_bytes{{host=~"$host", {_REAL}}} - node_filesystem_avail_bytes)',
                    "node_filesystem_size_bytes",
                    legend="{{host}} {{mountpoint}}",
                ),
                time(
                    "Busy",
                    query(rate("node_disk_io_time_seconds_total", "host, device"), "{{host}} {{device}}"),
                    about="The part of the time in which the disk had something to do.",
                    unit="percentunit",
                    most=1.0,
                ),
                time(
                    "Read and written",
                    query(rate("node_disk_read_bytes_total"), "{{host}} read"),
                    query(rate("node_disk_written_bytes_total"), "{{host}} written"),
                    unit="Bps",
                ),
            ),
        ),
        Row(
            "Network",
            (
                time(
                    "In and out",
                    query(rate("node_network_receive_bytes_total", where=_WIRE), "{{host}} in"),
                    query(rate("node_network_transmit_bytes_total", where=_WIRE), "{{host}} out"),
                    unit="Bps",
                ),
                time(
                    "Lost and broken",
                    query(rate("node_network_receive_drop_total", where=_WIRE), "{{host}} dropped in"),
                    query(rate("node_network_transmit_drop_total", where=_WIRE), "{{host}} dropped out"),
                    query(rate("node_network_receive_errs_total", where=_WIRE), "{{host}} errors in"),
                    unit="pps",
                ),
                time(
                    "Connections",
                    query(gauge("node_netstat_Tcp_CurrEstab"), "{{host}} open"),
                    query(gauge("node_sockstat_TCP_tw"), "{{host}} closing"),
                ),
            ),
        ),
        Row(
            "Containers and firewall",
            (
                time(
                    "Memory of containers",
                    query(gauge("rackwright_container_memory_bytes"), "{{host}} {{container}}", "docker"),
                    unit="bytes",
                ),
                time(
                    "Cores that containers use",
                    query(
                        rate("rackwright_container_cpu_seconds_total", "host, container"),
                        "{{host}} {{container}}",
                        "docker",
                    ),
                ),
                time(
                    "Refused by the firewall",
                    query(rate("rackwright_firewall_packets_total")),
                    about="What the catalogue does not allow.",
                    unit="pps",
                ),
            ),
        ),
        Row(
            "Units",
            (
                table(
                    "Units that failed",
                    query(
                        f"{_FAILED} == 1",
                        "",
                        rare="no unit failed",
                    ),
                    {"host": "Host", "name": "Unit", "": "Failed"},
                ),
                table(
                    "Certificates",
                    query(
                        f"sort({gauge('rackwright_certificate_not_after_seconds')} - time())",
                        "",
                    ),
                    {"host": "Host", "exported_service": "Service", "": "Ends in"},
                    unit="s",
                ),
            ),
        ),
    ),
    (Choice("host", "node_uname_info", "Host"),),
)
