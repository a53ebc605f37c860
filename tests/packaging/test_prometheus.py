"""Alerts and dashboard: they are good by themselves, and speak of what a server really shows."""

import contextlib
import json
import re
import subprocess
import urllib.parse

from support import DOCS, ROOT, Case, Certificate, Client, free_port, program, run, until

ALERTS = DOCS / "prometheus/alerts.yaml"
DASHBOARD = DOCS / "prometheus/grafana.json"
TESTS = ROOT / "tests/packaging/alerts.test.yaml"

SCRAPING = """
global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}
rule_files: [{rules}]
scrape_configs:
  - job_name: ticketd
    scheme: https
    tls_config: {{ca_file: {authority}}}
    static_configs: [{{targets: ["localhost:{port}"]}}]
"""

# A metric, and what is said of its labels.
SELECTOR = re.compile(r"\b((?:ticketd|process)_\w+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
# Labels that Prometheus adds.
ADDED = {"job", "instance"}


def panels():
    return [one for one in json.loads(DASHBOARD.read_text())["panels"] if one["type"] != "row"]


def alerts():
    """The alerts' names and expressions. (promtool has looked at the rest.)"""
    text = ALERTS.read_text()
    found = re.findall(r"- alert: (\w+)\n +expr: (\|\n(?: {10}.*\n)+|.*\n)", text)
    return {name: expression.lstrip("|") for name, expression in found}


def shown(expression):
    """What a dashboard asks, with its variables put in."""
    for name, value in (("$job", ".+"), ("$instance", ".+"), ("$__rate_interval", "5s")):
        expression = expression.replace(name, value)
    return expression


class Alone(Case):
    def test_the_rules_are_good(self):
        done = run(program("promtool"), "check", "rules", ALERTS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_each_alert_fires_when_it_should_and_only_then(self):
        done = run(program("promtool"), "test", "rules", TESTS)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        expected = TESTS.read_text()
        self.assertEqual([name for name in alerts() if f'alertname="{name}"' not in expected], [])

    def test_each_alert_has_its_section_in_the_operators_document(self):
        text = (DOCS / "operation.md").read_text()
        sections = re.split(r"^### ", text, flags=re.M)[1:]
        named = {part.split("\n", 1)[0]: part for part in sections}
        urls = re.findall(r"runbook_url: .*/docs/operation\.md#(\w+)$", ALERTS.read_text(), re.M)
        self.assertEqual(urls, [name.lower() for name in alerts()])
        for name in alerts():
            self.assertIn("**Means.**", named.get(name, ""), name)
            self.assertIn("**Do.**", named[name], name)
        written = {name for name in named if name.startswith("Ticketd")}
        self.assertEqual(written - set(alerts()), set())

    def test_the_dashboard_has_its_parts_in_place(self):
        dashboard = json.loads(DASHBOARD.read_text())
        everything = dashboard["panels"]
        self.assertEqual(len({one["id"] for one in everything}), len(everything))
        taken = {}
        for one in everything:
            at = one["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24)
            for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"])
                         for y in range(at["y"], at["y"] + at["h"])):
                self.assertNotIn(cell, taken, one["title"])
                taken[cell] = one["title"]
        for one in panels():
            self.assertEqual(one["datasource"]["uid"], "${datasource}")
            self.assertTrue(one["description"] and one["fieldConfig"]["defaults"]["unit"])
            for target in one["targets"]:
                self.assertIn('job=~"$job",instance=~"$instance"', target["expr"])


class Scraped(Case):
    """With a server that has a bit of everything."""

    def setUp(self):
        super().setUp()
        self.certificate = Certificate(self.directory)
        self.server = self.serving(
            "--snappath", str(self.directory / "state"), "--metrics-resource", "jobs*",
            "--expire", "50", "--image-after", "1",
            "--tls-cert", str(self.certificate.path), "--tls-key", str(self.certificate.key),
        )
        with self.client() as client:
            one, two = client.session("one"), client.session("two")
            short = client.session("short", 50)
            client.value("POST", "/locks/db", headers={"Ticketd-Session": one})
            client.value("POST", f"/locks/db?wait=10&sessid={two}")
            client.value("POST", f"/tickets/jobs?sessid={one}&name=1", body="x")
            client.value("POST", "/claims/jobs", headers={"Ticketd-Session": two})
            client.value("DELETE", f"/claims/jobs?sessid={two}&name=1")
            client.value("DELETE", "/locks/db", headers={"Ticketd-Session": one})
            gone = lambda: client.ask("GET", f"/api/v1/sessions/{short}")[0] == 404
            until(gone, "a session runs out")

    def client(self):
        return Client(self.server.port, self.certificate.context())

    def scrape(self):
        with self.client() as client:
            status, text, headers = client.ask("GET", "/metrics")
        self.assertEqual(status, 200, text)
        return text, headers["Content-Type"]

    def series(self):
        """Each metric's series, as sets of labels."""
        found = {}
        for line in self.scrape()[0].splitlines():
            if line and not line.startswith("#"):
                name, _, labels = re.match(r"(\w+)(\{(.*)\})? \S+$", line).groups()
                found.setdefault(name, []).append(dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")))
        return found

    def test_promtool_finds_nothing(self):
        text, media = self.scrape()
        self.assertEqual(media, "text/plain; version=0.0.4; charset=utf-8")
        done = run(program("promtool"), "check", "metrics", input=text)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_what_alerts_and_dashboard_name_is_there(self):
        series = self.series()
        expressions = list(alerts().items())
        expressions += [(p["title"], t["expr"]) for p in panels() for t in p["targets"]]
        for title, expression in expressions:
            for name, labels in SELECTOR.findall(expression):
                if name == "up":
                    continue
                self.assertIn(name, sorted(series), title)
                wanted = [m for m in MATCHER.findall(labels) if m[0] not in ADDED]
                # Each value is there from the start, so one that is not is misspelt.
                for label, _, value in wanted:
                    values = {one.get(label) for one in series[name]}
                    self.assertIn(value, values, f"{title}: {name} has no {label}={value}")
            for by in re.findall(r"by \(([^)]*)\)", expression):
                known = set().union(*(set(one) for name, _ in SELECTOR.findall(expression)
                                      for one in series.get(name, [{}])), ADDED)
                self.assertEqual(set(by.replace(" ", "").split(",")) - known, set(), title)

    def test_all_that_is_shown_is_used(self):
        families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in self.series()}
        text = ALERTS.read_text() + DASHBOARD.read_text()
        unused = [name for name in families if name.startswith("ticketd_") and name not in text]
        self.assertEqual(unused, [])

    def test_a_prometheus_shows_each_panel_and_no_alert(self):
        port = free_port()
        config = self.directory / "prometheus.yaml"
        config.write_text(SCRAPING.format(
            rules=ALERTS, port=self.server.port, authority=self.certificate.path
        ))
        words = [
            program("prometheus"), f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}",
            f"--storage.tsdb.path={self.directory}/tsdb",
        ]
        with open(self.directory / "prometheus.log", "w") as log:
            process = subprocess.Popen(words, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

        def query(expression):
            with contextlib.suppress(OSError), Client(port) as client:
                path = "/api/v1/query?query=" + urllib.parse.quote(expression)
                status, body, _ = client.ask("GET", path)
                if status != 503:
                    self.assertEqual(status, 200, f"{expression}: {body}")
                    return json.loads(body)["data"]["result"]
            return []

        scrapes = 'count_over_time(up{job="ticketd"}[1m])'
        until(lambda: any(float(one["value"][1]) >= 4 for one in query(scrapes)), "it is scraped")
        for panel in panels():
            for target in panel["targets"]:
                found = query(shown(target["expr"]))
                self.assertTrue(found, f"{panel['title']}: {target['expr']}")
        # The certificate of this test ends tomorrow.
        fires = query('ALERTS{alertname!="TicketdCertificateEnds"}')
        self.assertEqual(fires, [])
