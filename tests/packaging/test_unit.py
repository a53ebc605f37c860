"""The unit and its drop-ins, as far as they can be looked at where systemd does not run."""

import re
import shutil
import signal
import subprocess

from support import PACKAGING, TICKETD, Case, Client, Server, answers, free_port, program, run, until

# Exposure as `systemd-analyze security` counts it, times ten. 11 is 1.1, and below 20 is "OK".
EXPOSURE = 11
# What systemd before 253 says of the drop-in for those after it.
OLD_SYSTEMD = re.compile(r"notify-reload\.conf:\d+: Failed to parse service type, ignoring")


class Unit(Case):
    def setUp(self):
        super().setUp()
        self.analyze = program("systemd-analyze")
        for name in ("ticketd.service", "ticketd.socket"):
            text = (PACKAGING / name).read_text()
            # Verifying looks whether the program is there.
            text = text.replace("/usr/bin/ticketd", str(TICKETD))
            (self.directory / name).write_text(text)

    def add(self, drop_in):
        folder = self.directory / "ticketd.service.d"
        folder.mkdir(exist_ok=True)
        shutil.copy(PACKAGING / "ticketd.service.d" / drop_in, folder)

    def verified(self):
        units = [self.directory / name for name in ("ticketd.service", "ticketd.socket")]
        done = run(self.analyze, "verify", *units)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [line for line in done.stderr.splitlines() if str(self.directory) in line]

    def test_unit_and_socket_pass_verify(self):
        self.assertEqual(self.verified(), [])

    def test_with_tls_they_do_too(self):
        self.add("tls.conf")
        self.assertEqual(self.verified(), [])

    def test_the_drop_in_for_systemd_253_is_all_that_252_does_not_know(self):
        self.add("notify-reload.conf")
        version = int(run(self.analyze, "--version").stdout.split()[1])
        lines = self.verified()
        if version < 253:
            self.assertTrue(lines and all(OLD_SYSTEMD.search(line) for line in lines), lines)
        else:
            self.assertEqual(lines, [])

    def test_exposure_is_small(self):
        done = run(
            self.analyze, "security", "--offline=true", f"--threshold={EXPOSURE}",
            self.directory / "ticketd.service",
        )
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_every_variable_is_one_of_an_option(self):
        # That of --help says them; so does what the unit's environment file proposes.
        known = set(re.findall(r"env:\s+(TICKETD_\w+)=", run(TICKETD, "--help").stdout))
        files = [
            *(PACKAGING / "ticketd.service.d").iterdir(), PACKAGING / "ticketd.service",
            PACKAGING / "ticketd.default",
        ]
        used = {
            name for file in files
            for name in re.findall(r"^(?:Environment=|#)(TICKETD_\w+)=", file.read_text(), re.M)
        }
        self.assertTrue(used)
        self.assertEqual(used - known, set())

    def test_the_server_makes_no_call_that_the_filter_forbids(self):
        strace = program("strace")
        port, calls = free_port(), self.directory / "calls"
        words = [
            strace, "-f", "-q", "-o", calls, "-e", "signal=none",
            TICKETD, "--listen", f"127.0.0.1:{port}", "--snappath", self.directory / "state",
            "--audit", self.directory / "audit", "--loglevel", "3",
        ]
        # The state's owner is root only here, and SQLite then hands files to their directory's owner.
        uid = ["setpriv", "--reuid=65532", "--regid=65532", "--clear-groups"]
        if program("setpriv") and run("id", "-u").stdout.strip() == "0":
            self.directory.chmod(0o777)
            words = uid + words
        with open(self.directory / "said", "w") as said:
            traced = subprocess.Popen([str(word) for word in words], stdout=said, stderr=said)
        self.addCleanup(traced.kill)
        until(lambda: answers(port), "the traced server listens")
        with Client(port) as client:
            session = client.session("traced")
            headers = {"Ticketd-Session": session}
            self.assertTrue(client.value("POST", "/locks/db", headers=headers))
            client.value("GET", "/status")
        server = int(calls.read_text().split()[0])
        subprocess.run(["kill", "-HUP", str(server)], check=True)
        with Client(port) as client:
            client.value("GET", "/dump/resources")
        subprocess.run(["kill", "-TERM", str(server)], check=True)
        self.assertEqual(traced.wait(30), 0, (self.directory / "said").read_text())
        made = set(re.findall(r"^\d+ +(\w+)\(", calls.read_text(), re.M))
        self.assertIn("fdatasync", made)
        allowed = self.calls("@system-service") - self.calls("@privileged") - self.calls("@resources")
        self.assertEqual(made - allowed, set())

    def calls(self, group):
        """The system calls of one of systemd's groups, with the groups in it."""
        listed = run(self.analyze, "syscall-filter", group).stdout
        found = set()
        for word in re.findall(r"^ {4}(@?[\w-]+)$", listed, re.M):
            found |= self.calls(word) if word.startswith("@") else {word}
        return found
