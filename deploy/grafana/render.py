# SPDX-License-Identifier: Apache-2.0
"""From a board to Grafana's JSON, and to the list of its queries.

Field names and enumerations are those of the npm package @grafana/schema 13.2.
"""
import itertools
import zlib

SCHEMA_VERSION = 42  # what Grafana 13 writes; older ones are migrated on load
PROMETHEUS_UID = "abacus-prometheus"  # provisioning/datasources/abacus.yaml
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
SCRAPE_S = 5  # timeInterval in provisioning: how far apart samples are
REFRESH = "5s"
SHOWN = "now-15m"

# What stands for a variable when a query is run without Grafana: what Grafana itself would put
# there for the board's usual time range. $__rate_interval is four scrapes.
OUTSIDE_GRAFANA = {
    "$__rate_interval": f"{4 * SCRAPE_S}s",
    "$__interval": f"{SCRAPE_S}s",
    "$__range": "15m",
    "$job": "abacus-.+",
    "$instance": ".*",
    "$source": ".*",
}

VARIABLES = {  # the query that lists its values; each allows several, or all
    "job": 'label_values(up{job=~"abacus-.+"}, job)',
    "instance": 'label_values(up{job=~"abacus-.+"}, instance)',
    "source": "label_values(abacus_ledger_applied_total, source)",
}

# kind: (how high, how many beside each other)
SHAPES = {
    "stat": (4, 6),
    "timeseries": (8, 3),
    "state-timeline": (8, 3),
    "heatmap": (9, 2),
    "table": (8, 1),
    "text": (7, 1),
}
COLUMNS = 24  # of Grafana's grid

MARKS = [  # drawn across all graphs: name, colour, query, title, text
    ("Alerts", "red", 'ALERTS{alertstate="firing"}', "{{alertname}}", "{{instance}}"),
    ("Starts", "blue", 'process_uptime_seconds{job=~"abacus-.+"} < 10', "{{job}} started",
     "{{instance}}"),
]


def dashboard(board):
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.about,
        "tags": ["abacus"],
        "schemaVersion": SCHEMA_VERSION,
        "timezone": "browser",
        "refresh": REFRESH,
        "time": {"from": SHOWN, "to": "now"},
        "timepicker": {"refresh_intervals": ["5s", "10s", "30s", "1m", "5m"]},
        "editable": True,
        "graphTooltip": 1,  # the cursor's time on every graph
        "links": [links_to_boards()],
        "annotations": {"list": [annotation(*mark) for mark in MARKS]},
        "templating": {"list": [datasource_variable()] +
                       [variable(name) for name in board.variables]},
        "panels": list(placed(board)),
    }


def links_to_boards():
    return {"type": "dashboards", "title": "Abacus", "tags": ["abacus"], "asDropdown": True,
            "icon": "external link", "includeVars": True, "keepTime": True, "targetBlank": False,
            "tooltip": "The other boards, with the same time and choices", "url": ""}


def link_to(uid):
    return {"type": "link", "title": "Open the board", "tags": [], "asDropdown": False,
            "icon": "external link", "includeVars": False, "keepTime": False, "targetBlank": False,
            "tooltip": "", "url": f"/d/{uid}?${{__url_time_range}}"}


def annotation(name, colour, expr, title, text):
    return {"name": name, "enable": True, "hide": False, "iconColor": colour,
            "datasource": DATASOURCE, "target": {"refId": "Anno", "expr": expr},
            "titleFormat": title, "textFormat": text, "tagKeys": "severity"}


def datasource_variable():
    return {"type": "datasource", "name": "datasource", "label": "Prometheus",
            "query": "prometheus", "refresh": 1, "hide": 0, "regex": "", "multi": False,
            "includeAll": False, "options": [],
            "current": {"text": "Prometheus", "value": PROMETHEUS_UID}}


def variable(name):
    return {"type": "query", "name": name, "label": name, "datasource": DATASOURCE,
            "refresh": 2, "sort": 1, "hide": 0, "regex": "",
            "query": {"query": VARIABLES[name], "refId": f"variable-{name}"},
            "multi": True, "includeAll": True, "allValue": OUTSIDE_GRAFANA[f"${name}"],
            "options": [], "current": {"text": ["All"], "value": ["$__all"]}}


# --- where panels stand ---
def placed(board):
    """Each row's heading, then its panels from left to right, lines of equal height."""
    y = 0
    for row in board.rows:
        yield {"type": "row", "id": stable_id(f"row {row.title}"), "title": row.title,
               "collapsed": False, "panels": [],
               "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}}
        y += 1
        for line in lines(row.panels):
            height = SHAPES[line[0].kind][0]
            for place, panel in enumerate(line):
                left, right = (COLUMNS * n // len(line) for n in (place, place + 1))
                yield {**rendered(panel),
                       "gridPos": {"x": left, "y": y, "w": right - left, "h": height}}
            y += height


def lines(panels):
    """Neighbours of one shape share a line, as many as fit, evenly: seven stats are 4 and 3."""
    for (_, most), group in itertools.groupby(panels, lambda panel: SHAPES[panel.kind]):
        group = list(group)
        count = -(-len(group) // most)
        for n in range(count):
            yield group[len(group) * n // count:len(group) * (n + 1) // count]


def stable_id(title):
    """From the title, so that a link to a panel survives a new neighbour."""
    return zlib.crc32(title.encode()) % 1_000_000 + 1


# --- panels ---
def rendered(panel):
    if panel.kind == "text":
        return {"type": "text", "id": stable_id(panel.title), "title": panel.title,
                "options": {"mode": "markdown", "content": panel.text}}
    return {
        "type": panel.kind,
        "id": stable_id(panel.title),
        "title": panel.title,
        "description": f"{panel.look}\n\nNormal: {panel.normal}",
        "datasource": DATASOURCE,
        "targets": [target(panel, place, query) for place, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": field(panel), "overrides": overrides(panel)},
        "options": OPTIONS[panel.kind](panel),
        "transformations": transformations(panel),
        "links": [link_to(panel.opens)] if panel.opens else [],
    }


def ref_id(place):
    return chr(ord("A") + place)


def target(panel, place, query):
    instant = panel.kind in ("stat", "table")
    made = {"refId": ref_id(place), "datasource": DATASOURCE, "editorMode": "code",
            "expr": query.expr, "legendFormat": query.legend or "__auto",
            "instant": instant, "range": not instant,
            "format": {"table": "table", "heatmap": "heatmap"}.get(panel.kind, "time_series")}
    if "_bucket" in query.expr and not instant:
        made["exemplar"] = True
    return made


def field(panel):
    made = {"unit": panel.unit, "thresholds": thresholds(panel.limits),
            "mappings": mappings(panel.words)}
    if panel.kind == "timeseries":
        made["color"] = {"mode": "palette-classic"}
        made["custom"] = lines_drawn(panel)
        if not panel.log_scale and not panel.signed:
            made["min"] = 0
    elif panel.kind == "state-timeline":
        made["color"] = {"mode": "thresholds"}
        made["custom"] = {"fillOpacity": 80, "lineWidth": 0}
    elif panel.kind == "stat":
        made["color"] = {"mode": "thresholds"}
    return made


def lines_drawn(panel):
    return {
        "drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if panel.stack else 5,
        "showPoints": "auto", "spanNulls": False,
        "stacking": {"mode": "normal" if panel.stack else "none", "group": "A"},
        "scaleDistribution": {"type": "log", "log": 10} if panel.log_scale else
                             {"type": "linear"},
        "thresholdsStyle": {"mode": "line" if panel.show_limits else "off"},
    }


def thresholds(limits):
    steps = limits or [(None, "green")]
    return {"mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in steps]}


def mappings(words):
    """Also: a quotient of two zeros is no mistake, there was just nothing to divide."""
    idle = {"type": "special", "options": {"match": "nan", "result": {"text": "idle"}}}
    values = {str(value): {"text": text, "color": colour, "index": index}
              for index, (value, (text, colour)) in enumerate(words.items())}
    return [idle] + ([{"type": "value", "options": values}] if values else [])


def overrides(panel):
    return [{"matcher": {"id": "byName", "options": column.name},
             "properties": [{"id": "thresholds", "value": thresholds(column.limits)},
                            {"id": "custom.cellOptions", "value": {"type": "color-text"}}]}
            for column in panel.columns if column.limits]


def transformations(panel):
    """A table's queries become one: rows that agree in their labels are put together."""
    if panel.kind != "table":
        return []
    # A single query's value is called Value, that of several Value #A, Value #B.
    names = {"Value" if len(panel.columns) == 1 else f"Value #{ref_id(place)}": column.name
             for place, column in enumerate(panel.columns)}
    return [{"id": "merge", "options": {}},
            {"id": "organize", "options": {"excludeByName": {"Time": True, "__name__": True},
                                           "renameByName": names, "indexByName": {}}}]


def stat_options(panel):
    return {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "colorMode": "value", "graphMode": "none", "justifyMode": "auto",
            "orientation": "auto", "percentChangeColorMode": "standard",
            "showPercentChange": False, "wideLayout": True,
            "textMode": "name" if panel.show_names else "auto"}


def graph_options(_panel):
    return {"legend": {"displayMode": "table", "placement": "bottom", "showLegend": True,
                       "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"}}


def heatmap_options(panel):
    return {"calculate": False, "cellGap": 1,
            "color": {"mode": "scheme", "scheme": "Oranges", "scale": "exponential",
                      "exponent": 0.5, "fill": "dark-orange", "reverse": False, "steps": 64},
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9}, "legend": {"show": True},
            "rowsFrame": {"layout": "auto"}, "showValue": "never",
            "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": True},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": panel.unit}}


def timeline_options(_panel):
    return {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True,
                       "calcs": []},
            "tooltip": {"mode": "single", "sort": "none"}, "mergeValues": True, "rowHeight": 0.9,
            "showValue": "auto", "alignValue": "left"}


def table_options(_panel):
    return {"showHeader": True, "cellHeight": "sm", "frameIndex": 0}


OPTIONS = {"stat": stat_options, "timeseries": graph_options, "heatmap": heatmap_options,
           "state-timeline": timeline_options, "table": table_options}


# --- queries for those who run them without Grafana ---
def runnable(expr):
    for name, value in OUTSIDE_GRAFANA.items():
        expr = expr.replace(name, value)
    return expr


def queries(board):
    for panel in (panel for row in board.rows for panel in row.panels):
        for query in panel.queries:
            yield {"board": board.uid, "panel": panel.title, "query": runnable(query.expr),
                   "expect": query.expect}
