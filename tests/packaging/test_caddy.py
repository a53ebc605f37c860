"""ticketd behind Caddy, by packaging/Caddyfile."""

import os
import subprocess

from proxied import PROXY_IDLE, Proxied
from support import PACKAGING, Case, free_port, program

GLOBAL = """{
	admin off
	skip_install_trust
	auto_https disable_redirects
	storage file_system %s
}
"""


class Caddy(Proxied, Case):
    def start_proxy(self, backend, certificate):
        caddy, port = program("caddy"), free_port()
        text = (PACKAGING / "Caddyfile").read_text()
        for theirs, ours in (
            ("127.0.0.1:8001 {", f"127.0.0.1:{backend} {{"),
            (
                "\ntickets.example.org {",
                f"\nhttps://localhost:{port} {{\n\tbind 127.0.0.1\n"
                f"\ttls {certificate.path} {certificate.key}",
            ),
            ("keepalive 10s", f"keepalive {PROXY_IDLE}"),
        ):
            self.assertIn(theirs, text)
            text = text.replace(theirs, ours)
        file = self.directory / "Caddyfile"
        file.write_text(GLOBAL % (self.directory / "storage") + text)
        environment = os.environ | {"HOME": str(self.directory), "XDG_CONFIG_HOME": str(self.directory)}
        words = [caddy, "run", "--adapter", "caddyfile", "--config", str(file)]
        with open(self.directory / "caddy.log", "w") as log:
            process = subprocess.Popen(words, env=environment, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        return port
