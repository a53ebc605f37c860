"""The image, as far as one comes without an engine: its steps, its context, its program in its place."""

import os
import pathlib
import re
import shutil
import subprocess
import tomllib
import unittest

from dockerfile import Ignored, stages
from support import (
    LONG, PACKAGING, ROOT, TICKETD, Case, Certificate, Client, answers, free_port, program, run, until,
)

# What Debian's C library is in the base. What a program needs of a newer one is not there.
GLIBC = (2, 36)
# The packages whose libraries are in debian:12-slim, and in distroless's cc, too.
IN_BASE = {"libc6", "libgcc-s1"}


class Image(Case):
    def setUp(self):
        super().setUp()
        self.build, self.final = stages((PACKAGING / "Dockerfile").read_text())
        self.ignored = Ignored((ROOT / ".dockerignore").read_text())

    def copied(self):
        """Sources and destination of what comes from the context."""
        copies = [one.words() for one in self.build.all("COPY") if not one.flag("from")]
        return [(source, words[-1]) for words in copies for source in words[:-1]]

    def tracked(self):
        """The files of the context: those of a clone, without those that are ignored."""
        listed = run("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        files = [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]
        return [path for path in files if not self.ignored.has(path)]

    def laid_out(self):
        """The build stage's directory, after its COPYs."""
        context, tree = self.tracked(), self.directory / "src"
        for source, destination in self.copied():
            self.assertFalse(source.startswith((".", "/")), source)
            below = [p for p in context if p == source or p.startswith(source + "/")]
            self.assertTrue(below, f"COPY {source}: it is not there, or is ignored")
            for path in below:
                to = tree / destination / path.removeprefix(source).lstrip("/")
                if (ROOT / source).is_file() and destination.endswith("/"):
                    to = tree / destination / pathlib.Path(source).name
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / path, to)
        return tree

    def test_bases_are_pinned_and_of_one_debian(self):
        self.assertRegex(self.build.image, r"^rust:\d+\.\d+\.\d+-slim-bookworm$")
        self.assertRegex(self.final.image, r"^debian:12\.\d+-slim$")
        asked = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["rust-version"]
        version = self.build.image.removeprefix("rust:").split("-")[0]
        as_numbers = [tuple(map(int, text.split(".")[:2])) for text in (version, asked)]
        self.assertGreaterEqual(as_numbers[0], as_numbers[1])

    def test_it_runs_as_nobody_in_particular_and_without_a_shell(self):
        self.assertEqual(self.final.last("USER").text, "65532:65532")
        self.assertEqual(self.final.all("RUN"), [])
        for name in ("ENTRYPOINT", "CMD"):
            self.assertTrue(self.final.last(name).text.startswith("["), name)
        self.assertRegex(self.final.last("HEALTHCHECK").text, r'^CMD \["/usr/bin/ticketd", "healthcheck"\]$')
        volume = self.final.last("VOLUME").text
        owned = [one for one in self.final.all("COPY") if one.words()[-1] == volume]
        self.assertEqual([one.flag("chown") for one in owned], ["65532:65532"])
        variables = dict(word.split("=", 1) for word in self.final.last("ENV").words())
        self.assertEqual(variables["TICKETD_SNAPPATH"], volume)
        self.assertTrue(variables["TICKETD_LISTEN"].endswith(":" + self.final.last("EXPOSE").text))

    def test_nothing_is_sent_that_is_not_copied(self):
        sources = [source for source, _ in self.copied()]
        spare = [
            path for path in self.tracked()
            if not any(path == one or path.startswith(one + "/") for one in sources)
        ]
        self.assertEqual(spare, [])
        for path in ("target/debug/ticketd", ".git/config", "client-js/node_modules/ws/index.js", "x.pem"):
            self.assertTrue(self.ignored.has(path), path)

    def test_all_that_is_built_of_is_copied(self):
        tree = self.laid_out()
        cargo = program("cargo")
        done = run(cargo, "metadata", "--locked", "--offline", "--no-deps", "--format-version=1", cwd=tree)
        self.assertEqual(done.returncode, 0, done.stderr)
        for source in tree.glob("src/**/*.rs"):
            for embedded in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', source.read_text()):
                self.assertTrue((source.parent / embedded).exists(), f"{source}: {embedded}")

    @unittest.skipUnless(LONG, "a release build takes minutes: make soak does it")
    def test_the_build_step_makes_a_stripped_program(self):
        tree, out = self.laid_out(), self.directory / "out"
        # The caches that its RUN mounts are cargo's own here, and a directory that is there next time.
        cache = ROOT / "target/packaging-image"
        for step in self.build.all("RUN"):
            command = step.text.replace("/out/", f"{out}/").replace(" target/", f" {cache}/")
            environment = os.environ | {"CARGO_TARGET_DIR": str(cache)}
            done = subprocess.run(
                ["sh", "-c", command], cwd=tree, env=environment, capture_output=True, text=True
            )
            self.assertEqual(done.returncode, 0, done.stderr)
        built = out / "usr/bin/ticketd"
        print(f"the stripped program has {built.stat().st_size} bytes")
        self.assertIn("no symbols", run(program("nm"), built).stderr)
        self.assertTrue((out / "var/lib/ticketd").is_dir())
        self.fits_the_base(built)
        self.runs_in_its_place(built)

    def test_the_base_has_the_libraries_that_it_needs(self):
        self.fits_the_base(TICKETD)

    def fits_the_base(self, binary):
        needed = re.findall(rb"GLIBC_(\d+)\.(\d+)", binary.read_bytes())
        self.assertLessEqual(max((int(a), int(b)) for a, b in needed), GLIBC)
        if shutil.which("dpkg") is None:
            self.skipTest("whose the libraries are is not known without dpkg")
        owners = run("dpkg", "-S", *libraries(binary))
        self.assertEqual(owners.returncode, 0, owners.stderr)
        packages = {line.split(":")[0] for line in owners.stdout.splitlines()}
        self.assertEqual(packages - IN_BASE, set())

    def test_the_health_check_knows_a_server_with_tls(self):
        certificate = Certificate(self.directory)
        options = ("--tls-cert", str(certificate.path), "--tls-key", str(certificate.key))
        port = self.serving(*options).port
        check = [TICKETD, "healthcheck", "--url"]
        self.assertEqual(run(*check, f"https://localhost:{port}").returncode, 0)
        self.assertEqual(run(*check, f"http://localhost:{port}").returncode, 1)
        self.assertEqual(run(*check, f"https://localhost:{free_port()}").returncode, 1)

    def test_it_runs_in_its_place(self):
        self.runs_in_its_place(TICKETD)

    def runs_in_its_place(self, binary):
        """In a tree of its libraries alone, of which only the volume can be written, as its user."""
        uid = self.final.last("USER").text
        root, state = self.directory / "root", self.directory / "state"
        for path in [*libraries(binary), "/usr/bin/ticketd"]:
            to = root / path.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(binary if path == "/usr/bin/ticketd" else path, to)
        (root / "var/lib/ticketd").mkdir(parents=True)
        state.mkdir(mode=0o700)
        if os.getuid() != 0 or run("unshare", "-m", "true").returncode != 0:
            self.skipTest("only root can change roots")
        os.chown(state, *map(int, uid.split(":")))
        port = free_port()
        variables = dict(word.split("=", 1) for word in self.final.last("ENV").words())
        variables["TICKETD_LISTEN"] = f"127.0.0.1:{port}"
        script = (
            'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" '
            '&& mount --bind "$2" "$1/var/lib/ticketd" && shift 2 && exec chroot "$@"'
        )
        words = ["unshare", "-m", "sh", "-c", script, "sh", str(root), str(state)]
        inside = [*words, f"--userspec={uid}", "--groups=", str(root)]
        health = self.final.last("HEALTHCHECK").text.removeprefix("CMD ")
        health = [*inside, *re.findall(r'"([^"]+)"', health), "--url", f"http://127.0.0.1:{port}"]
        self.assertEqual(run(*health, env={}).returncode, 1)
        server = [*inside, *self.final.last("ENTRYPOINT").words(), *self.final.last("CMD").words()]
        with open(self.directory / "said", "w") as said:
            process = subprocess.Popen(server, env=variables, stdout=said, stderr=said)
        self.addCleanup(process.kill)
        until(lambda: answers(port) or process.poll() is not None, "the server listens")
        said = (self.directory / "said").read_text
        self.assertIsNone(process.poll(), said())
        owner = pathlib.Path(f"/proc/{process.pid}").stat()
        self.assertEqual(f"{owner.st_uid}:{owner.st_gid}", uid)
        self.assertEqual(run(*health, env={}).returncode, 0)
        with Client(port) as client:
            session = client.session("inside")
            self.assertTrue(client.value("POST", "/locks/db", headers={"Ticketd-Session": session}))
        process.terminate()
        self.assertEqual(process.wait(20), 0, said())
        self.assertNotIn("lets", said())
        self.assertEqual(run(*health, env={}).returncode, 1)
        self.assertTrue(any(state.glob("*.ticketd")))


def libraries(binary):
    listed = run(program("ldd"), binary)
    return sorted(set(re.findall(r"(/\S+)", listed.stdout.replace(str(binary), ""))))
