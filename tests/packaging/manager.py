"""Stands in for systemd: hands over a port, listens to what a service says, signals it."""

import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import time

from support import PATIENCE, TICKETD, until


class Manager:
    """Starts services one after another on a port that stays its own."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port_socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.port_socket.getsockname()[1]
        self.notify_path = self.directory / "notify"
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(self.notify_path))
        self.service = None
        # What was said and not asked for yet: (when, in µs of CLOCK_MONOTONIC; the lines of a message).
        self.heard = []

    def start(self, *options, fds=1, watchdog_us=None, listen_pid="$$", program=TICKETD):
        """Runs the server as systemd would: its pid is in LISTEN_PID, the port is descriptor 3."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TICKETD_")}
        environment["NOTIFY_SOCKET"] = str(self.notify_path)
        # As in the unit; it must not count when there is a port.
        environment["TICKETD_LISTEN"] = "127.0.0.1:0"
        # The shell's pid is the server's after exec.
        script = 'exec "$@"'
        passed = []
        if fds:
            taken = self.port_socket.fileno()
            targets = range(3, 3 + fds)
            script = f"export LISTEN_PID={listen_pid} LISTEN_FDS={fds} LISTEN_FDNAMES=ticketd.socket; "
            script += 'exec "$@" ' + " ".join(f"{n}<&{taken}" for n in targets)
            script += f" {taken}<&-" if taken not in targets else ""
            passed = [taken]
        if watchdog_us:
            script = f"export WATCHDOG_USEC={watchdog_us} WATCHDOG_PID=$$; {script}"
        if self.service:
            self.log.close()
        self.log = tempfile.TemporaryFile("a+")
        words = ["bash", "-c", script, "ticketd", str(program), *map(str, options)]
        self.service = subprocess.Popen(
            words, env=environment, pass_fds=passed, stdout=self.log, stderr=self.log, text=True
        )
        return self.service

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def listen(self, seconds):
        """Hears what is said within so many seconds; stops early when there is something."""
        if select.select([self.notify], [], [], max(0, seconds))[0]:
            lines = self.notify.recv(4096).decode().splitlines()
            self.heard.append((time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000, lines))

    def hear(self, line):
        """Waits for a message with that line, drops those before it, and gives it back."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            while self.heard:
                when, lines = self.heard.pop(0)
                if line in lines:
                    return when, lines
            self.listen(end - time.monotonic())
        raise AssertionError(f"the service never said {line}; it logged: {self.said()}")

    def hear_all(self, seconds):
        """All that is said from now on for so many seconds."""
        self.heard.clear()
        while select.select([self.notify], [], [], 0)[0]:
            self.notify.recv(4096)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.listen(end - time.monotonic())
        heard, self.heard = self.heard, []
        return heard

    def signal(self, number):
        self.service.send_signal(number)

    def state(self):
        """The letter by which the kernel names what the process does."""
        text = pathlib.Path(f"/proc/{self.service.pid}/stat").read_text()
        return text.rsplit(")", 1)[1].split()[0]

    def freeze(self):
        self.signal(signal.SIGSTOP)
        until(lambda: self.state() == "T", "the service is stopped")

    def stop(self):
        self.signal(signal.SIGTERM)
        return self.service.wait(PATIENCE)

    def close(self):
        if self.service and self.service.poll() is None:
            self.signal(signal.SIGKILL)
            self.service.wait(PATIENCE)
        if self.service:
            self.log.close()
        self.notify.close()
        self.port_socket.close()
