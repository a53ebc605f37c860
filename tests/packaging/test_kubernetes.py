"""The manifest for Kubernetes: it is valid, and says what it must."""

import os
import re
import subprocess
import unittest

from support import PACKAGING, TICKETD, Case, run

try:
    import kubernetes_validate
    import yaml
except ImportError:
    raise unittest.SkipTest("Python has no kubernetes-validate: tests/packaging/check install")

MANIFEST = PACKAGING / "kubernetes.yaml"
# The oldest of which ReadWriteOncePod is a settled part, and the newest whose schemas are here.
VERSIONS = ("1.29", kubernetes_validate.latest_version())


class Manifest(Case):
    def setUp(self):
        super().setUp()
        self.objects = list(yaml.safe_load_all(MANIFEST.read_text()))
        self.set = self.one("StatefulSet")
        self.pod = self.set["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]

    def of(self, kind):
        return [one for one in self.objects if one and one["kind"] == kind]

    def one(self, kind):
        (found,) = self.of(kind)
        return found

    def test_it_is_valid(self):
        for version in VERSIONS:
            for one in filter(None, self.objects):
                kubernetes_validate.validate(one, version, strict=True)

    def test_a_member_that_is_misspelt_would_be_found(self):
        self.pod["terminationGracePeriod"] = 1
        with self.assertRaises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(self.set, VERSIONS[-1], strict=True)

    def test_it_is_a_set_of_one_and_says_why_first(self):
        first = MANIFEST.read_text().splitlines()[0]
        self.assertIn("two holders", first)
        self.assertIn("Deployment", first)
        self.assertEqual(self.set["spec"]["replicas"], 1)
        kinds = {one["kind"] for one in filter(None, self.objects)}
        self.assertEqual(kinds, {"Secret", "Service", "StatefulSet"})
        (claim,) = self.set["spec"]["volumeClaimTemplates"]
        self.assertEqual(claim["spec"]["accessModes"], ["ReadWriteOncePod"])

    def test_names_and_labels_lead_to_each_other(self):
        labels = self.set["spec"]["template"]["metadata"]["labels"]
        self.assertEqual(self.set["spec"]["selector"]["matchLabels"], labels)
        services = {one["metadata"]["name"]: one["spec"] for one in self.of("Service")}
        headless = services.pop(self.set["spec"]["serviceName"])
        self.assertEqual(headless["clusterIP"], "None")
        (normal,) = services.values()
        self.assertNotIn("clusterIP", normal)
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        for service in (headless, normal):
            self.assertEqual(service["selector"], labels)
            self.assertIs(service["publishNotReadyAddresses"], True)
            self.assertTrue(all(port["targetPort"] in ports for port in service["ports"]))
        claims = {one["metadata"]["name"] for one in self.set["spec"]["volumeClaimTemplates"]}
        volumes = claims | {one["name"] for one in self.pod["volumes"]}
        mounts = {one["name"]: one["mountPath"] for one in self.container["volumeMounts"]}
        self.assertEqual(set(mounts), volumes)
        self.assertFalse(any("subPath" in one for one in self.container["volumeMounts"]))
        environment = {one["name"]: one["value"] for one in self.container["env"]}
        self.assertTrue(environment["TICKETD_SNAPPATH"].startswith(mounts["state"] + "/"))
        (access,) = [one for one in self.pod["volumes"] if one["name"] == "access"]
        secret = self.one("Secret")
        self.assertEqual(access["secret"]["secretName"], secret["metadata"]["name"])
        file = environment["TICKETD_ACCESS"].removeprefix(mounts["access"] + "/")
        self.assertIn(file, secret["stringData"])
        self.assertTrue(environment["TICKETD_LISTEN"].endswith(f":{ports['http']}"))

    def test_probes_ask_what_they_should(self):
        paths = {name: self.container[f"{name}Probe"]["httpGet"]["path"]
                 for name in ("startup", "readiness", "liveness")}
        self.assertEqual(paths, {"startup": "/readyz", "readiness": "/readyz", "liveness": "/healthz"})
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], 10)
        # `stuck` is said after 1 s: a probe that gives up before would not see why.
        self.assertTrue(all(self.container[f"{name}Probe"]["timeoutSeconds"] > 1 for name in paths))

    def test_it_may_do_nothing_that_it_need_not(self):
        self.assertIs(self.pod["automountServiceAccountToken"], False)
        self.assertIs(self.pod["enableServiceLinks"], False)
        self.assertEqual(self.pod["securityContext"]["runAsUser"], 65532)
        self.assertIs(self.pod["securityContext"]["runAsNonRoot"], True)
        context = self.container["securityContext"]
        self.assertIs(context["allowPrivilegeEscalation"], False)
        self.assertIs(context["readOnlyRootFilesystem"], True)
        self.assertEqual(context["capabilities"], {"drop": ["ALL"]})

    def test_its_access_file_is_good_once_it_has_hashes_and_not_before(self):
        (text,) = self.one("Secret")["stringData"].values()
        file = self.directory / "access.toml"
        environment = os.environ | {one["name"]: one["value"] for one in self.container["env"]}
        environment |= {"TICKETD_ACCESS": str(file), "TICKETD_SNAPPATH": str(self.directory / "state")}

        def checked():
            words = [TICKETD, *self.container["args"], "--check-config"]
            return run(*words, env=environment)

        file.write_text(text)
        refused = checked()
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("token-sha256", refused.stderr)
        for name in re.findall(r"HASH-OF-A-TOKEN-FOR-(\w+)", text):
            made = run(TICKETD, "token", "--name", name.lower())
            (sha256,) = set(re.findall(r"\b[0-9a-f]{64}\b", made.stdout))
            text = text.replace(f"HASH-OF-A-TOKEN-FOR-{name}", sha256)
        file.write_text(text)
        accepted = checked()
        self.assertEqual(accepted.returncode, 0, accepted.stderr)
