"""One panel in Grafana's terms: curves, a number, bars, a table, lines of logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    elasticsearch,
    logs,
    loki,
    prometheus,
    stat,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import table as tables
from grafana_foundation_sdk.models import common as shown
from grafana_foundation_sdk.models import dashboard as grafana
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from rackwright.dashboards.model import Panel, Query

PROMETHEUS = grafana.DataSourceRef(type_val="prometheus", uid="rackwright-prometheus")
# The watchdog, which always fires, has the severity `none`.
ALERTS = 'ALERTS{alertstate="firing", severity!="none"}'
GOOD, WARN, BAD = "green", "yellow", "red"
# What a panel without a value says: nothing is invented.
NO_VALUE = "no data"


def drawn(panel: Panel) -> Any:  # noqa: ANN401 - the library's builders share no base with these methods
    """Return the builder of a panel, without its place."""
    made = _KINDS[panel.kind](panel)
    made.title(panel.title).datasource(PROMETHEUS).no_value(NO_VALUE)
    if panel.about:
        made.description(panel.about)
    if panel.kind != "table":
        made.unit(panel.unit).min(0)
        made.thresholds(_thresholds(panel))
        if panel.names:
            made.mappings([_words(panel)])
    if panel.most is not None and panel.kind != "table":
        made.max(panel.most)
    for number, query in enumerate(panel.queries):
        made.with_target(_asked(query, chr(ord("A") + number), panel))
    return made


def _curves(panel: Panel) -> timeseries.Panel:
    legend = (
        common.VizLegendOptions()
        .display_mode(shown.LegendDisplayMode.TABLE)
        .placement(shown.LegendPlacement.BOTTOM)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    )
    tooltip = common.VizTooltipOptions().mode(shown.TooltipDisplayMode.MULTI).sort(shown.SortOrder.DESCENDING)
    made = timeseries.Panel().legend(legend).tooltip(tooltip).line_width(1.5).fill_opacity(8)
    made.show_points(shown.VisibilityMode.NEVER).span_nulls(False)
    if panel.stacked:
        made.stacking(common.StackingConfig().mode(shown.StackingMode.NORMAL).group("A")).fill_opacity(35)
    if panel.warn is not None or panel.bad is not None:
        style = common.GraphThresholdsStyleConfig().mode(shown.GraphThresholdsStyleMode.DASHED)
        made.thresholds_style(style)
    return made


def _number(panel: Panel) -> stat.Panel:
    made = stat.Panel().reduce_options(_last()).graph_mode(shown.BigValueGraphMode.AREA)
    made.text_mode(shown.BigValueTextMode.AUTO).justify_mode(shown.BigValueJustifyMode.AUTO)
    judged = panel.warn is not None or panel.bad is not None
    return made.color_mode(shown.BigValueColorMode.BACKGROUND if judged else shown.BigValueColorMode.NONE)


def _side_by_side(_: Panel) -> bargauge.Panel:
    made = bargauge.Panel().reduce_options(_last()).orientation(shown.VizOrientation.HORIZONTAL)
    return made.display_mode(shown.BarGaugeDisplayMode.BASIC).show_unfilled(True)


def _table(panel: Panel) -> tables.Panel:
    names = {label or "Value": heading for label, heading in panel.columns}
    keep = grafana.DataTransformerConfig(
        id_val="filterFieldsByName", options={"include": {"names": list(names)}}
    )
    order = {name: place for place, name in enumerate(names)}
    name = grafana.DataTransformerConfig(
        id_val="organize", options={"indexByName": order, "renameByName": names, "excludeByName": {}}
    )
    made = tables.Panel().with_transformation(keep).with_transformation(name).show_header(True)
    value = [grafana.DynamicConfigValue("unit", panel.unit)]
    if panel.names:
        value.append(grafana.DynamicConfigValue("mappings", [_words(panel)]))
    if panel.warn is not None or panel.bad is not None or panel.names:
        value.append(grafana.DynamicConfigValue("thresholds", _thresholds(panel).build()))
        cell = {"type": shown.TableCellDisplayMode.COLOR_TEXT.value}
        value.append(grafana.DynamicConfigValue("custom.cellOptions", cell))
    return made.override_by_name(names["Value"], value)


_KINDS: dict[str, Callable[[Panel], Any]] = {
    "time": _curves,
    "stat": _number,
    "bars": _side_by_side,
    "table": _table,
}


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def _asked(query: Query, ref: str, panel: Panel) -> prometheus.Dataquery:
    made = prometheus.Dataquery().expr(query.expr).ref_id(ref).datasource(PROMETHEUS)
    if panel.kind in {"table", "bars"}:
        made.instant()
    else:
        made.range()
    if panel.kind == "table":
        return made.format(PromQueryFormat.TABLE)
    return made.legend_format(query.legend) if query.legend else made.legend_format(panel.title)


def _thresholds(panel: Panel) -> build.ThresholdsConfig:
    """Return colours by value; where small numbers are bad, from red upwards."""
    if panel.low:
        steps = [(None, BAD), (panel.bad, WARN if panel.warn is not None else GOOD), (panel.warn, GOOD)]
    else:
        steps = [(None, GOOD), (panel.warn, WARN), (panel.bad, BAD)]
    first, *rest = steps
    kept = [first, *((value, color) for value, color in rest if value is not None)]
    # Of two steps at one value the second holds.
    made = [
        grafana.Threshold(value=value, color=color)
        for number, (value, color) in enumerate(kept)
        if number + 1 == len(kept) or kept[number + 1][0] != value
    ]
    return build.ThresholdsConfig().mode(grafana.ThresholdsMode.ABSOLUTE).steps(made)


def _words(panel: Panel) -> grafana.ValueMap:
    last = len(panel.names) - 1
    return grafana.ValueMap(
        options={
            str(value): grafana.ValueMappingResult(
                text=text, color=GOOD if place == last else BAD, index=place
            )
            for place, (value, text) in enumerate(panel.names)
        }
    )


def lines(words: str, store: str) -> logs.Panel:
    """Return the newest lines with one of the words (`a|b`), from the site's store of logs."""
    source = grafana.DataSourceRef(type_val=store, uid=f"rackwright-{store}")
    made = logs.Panel().title("Lines with an error").datasource(source).show_time(True).wrap_log_message(True)
    made.enable_log_details(True).sort_order(shown.LogsSortOrder.DESCENDING)
    made.dedup_strategy(shown.LogsDedupStrategy.NONE)
    if store == "loki":
        found = f'{{host=~"$host"}} |~ "(?i)({words})"'
        return made.with_target(loki.Dataquery().expr(found).ref_id("A").max_lines(200).datasource(source))
    phrase = " OR ".join(words.split("|"))
    limit = elasticsearch.Logs().id("1").settings(elasticsearch.ElasticsearchLogsSettings().limit("200"))
    asked = elasticsearch.Dataquery().query(f"message:({phrase})").ref_id("A").datasource(source)
    return made.with_target(asked.metrics([limit]).bucket_aggs([]).time_field("@timestamp"))
