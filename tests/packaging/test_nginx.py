"""ticketd behind nginx, by packaging/nginx.conf."""

import subprocess

from proxied import PROXY_IDLE, Proxied
from support import DOCS, PACKAGING, Case, Client, answers, free_port, program, run, until

MAIN = """
daemon off;
pid {directory}/nginx.pid;
worker_processes 2;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    include {directory}/ticketd.conf;
}}
"""


class Nginx(Proxied, Case):
    def test_below_a_path_names_come_through_too(self):
        backend = self.serving()
        self.port = free_port()
        text = (DOCS / "protocol.md").read_text().split("```nginx\n")[1].split("```")[0]
        text = text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        self.start(text.replace("127.0.0.1:8001", f"127.0.0.1:{backend.port}"))
        until(lambda: answers(self.port), "nginx listens")
        client = self.enterContext(Client(self.port, prefix="/x"))
        session = client.session("below")
        path = f"/locks/a%2Fb%25?sessid={session}"
        self.assertTrue(client.value("POST", path))
        direct = self.enterContext(Client(backend.port))
        self.assertEqual(direct.value("GET", "/resources/a%2Fb%25")["held"], 1)
        self.assertEqual(client.ask("GET", "/client/index.js")[0], 200)

    def start_proxy(self, backend, certificate):
        port = free_port()
        text = (PACKAGING / "nginx.conf").read_text()
        for theirs, ours in (
            ("127.0.0.1:8001;", f"127.0.0.1:{backend};"),
            ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
            ("tickets.example.org;", "localhost;"),
            ("/etc/nginx/tickets.pem", str(certificate.path)),
            ("/etc/nginx/tickets.key", str(certificate.key)),
            ("/var/log/nginx/", f"{self.directory}/"),
            ("keepalive_timeout 10s", f"keepalive_timeout {PROXY_IDLE}"),
        ):
            self.assertIn(theirs, text)
            text = text.replace(theirs, ours)
        self.start(text)
        return port

    def start(self, text):
        (self.directory / "ticketd.conf").write_text(text)
        main = self.directory / "nginx.conf"
        main.write_text(MAIN.format(directory=self.directory))
        words = [program("nginx"), "-e", f"{self.directory}/error.log", "-c", str(main)]
        self.assertEqual(run(*words, "-t").returncode, 0, run(*words, "-t").stderr)
        process = subprocess.Popen(words)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
