#!/usr/bin/env python3
"""`ingot pull`, `list` and `rm` against a local server that speaks the Hub's API (fake_hub.py).

    python3 tests/hub/test_pull.py build/release/bin/ingot
Needs only the standard library. The full-disk case mounts a small tmpfs and is skipped without root.
"""
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fake_hub import COMMIT, TOKEN, FakeHub  # noqa: E402

# Under pytest the arguments are pytest's: the binary comes from $INGOT.
_argument = sys.argv.pop(1) if __name__ == "__main__" and len(sys.argv) > 1 else None
INGOT = os.path.abspath(_argument or os.environ.get("INGOT") or "build/release/bin/ingot")
DATA = random.Random(1).randbytes(3_000_000)


class PullTest(unittest.TestCase):
    def setUp(self):
        self.hub = FakeHub()
        self.addCleanup(self.hub.close)
        self.hub.repos["org/model"] = {"m-Q4_K_M.gguf": DATA, "m-Q8_0.gguf": DATA[::-1], "README.md": b"hello"}
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.cache = os.path.join(self.folder.name, "cache")

    def env(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "INGOT_", "XDG_", "http", "HTTP"))}
        return {**env, "HOME": self.folder.name, "INGOT_CACHE": self.cache, "HF_ENDPOINT": self.hub.url,
                "no_proxy": "*", **more}

    def ingot(self, *args, **env):
        return subprocess.run([INGOT, *args], env=self.env(**env), capture_output=True, text=True, timeout=60)

    def pull(self, reference="hf:org/model", **env):
        r = self.ingot("pull", reference, **env)
        self.assertEqual(r.returncode, 0, r.stderr)
        return r.stdout.strip().splitlines()[-1]

    def fails(self, *args, **env):
        r = self.ingot(*args, **env)
        self.assertNotEqual(r.returncode, 0, r.stdout)
        self.assertGreater(r.returncode, 0, "killed by a signal")
        self.assertEqual(len(r.stderr.strip().splitlines()), 1, r.stderr)
        return r.stderr

    def read(self, path):
        with open(path, "rb") as f:
            return f.read()

    def leftovers(self):
        return [f for _, _, files in os.walk(self.cache) for f in files if not f.endswith(".lock")]

    def requests(self, server):
        return [(path, headers) for name, path, headers in self.hub.log if name == server]

    # what works

    def test_pull_chooses_q4_k_m_and_prints_the_path(self):
        path = self.pull()
        self.assertTrue(path.endswith("hf/org/model/main/m-Q4_K_M.gguf"), path)
        self.assertEqual(self.read(path), DATA)
        self.assertEqual(sorted(self.leftovers()), [".ingot.json", "m-Q4_K_M.gguf"])

    def test_a_second_pull_needs_no_server(self):
        path = self.pull()
        before = len(self.hub.log)
        self.assertEqual(self.pull(HF_ENDPOINT="http://127.0.0.1:1"), path)
        self.assertEqual(len(self.hub.log), before)

    def test_quant_and_revision(self):
        self.assertEqual(self.read(self.pull("hf:org/model:q8_0")), DATA[::-1])
        self.assertIn(COMMIT, self.pull(f"hf:org/model:Q8_0@{COMMIT}"))

    def test_split_files_and_folders_come_whole(self):
        parts = {f"d/s-Q6_K-0000{i}-of-00003.gguf": DATA[i:1000 * i] for i in (1, 2, 3)}
        self.hub.repos["org/split"] = parts
        path = self.pull("hf:org/split")
        self.assertTrue(path.endswith("d/s-Q6_K-00001-of-00003.gguf"), path)
        for name, data in parts.items():
            self.assertEqual(self.read(os.path.join(os.path.dirname(os.path.dirname(path)), name)), data)

    def test_a_safetensors_repository_becomes_a_folder(self):
        self.hub.repos["org/st"] = {"model.safetensors": DATA[:999], "config.json": b"{}", "tokenizer.json": b"[]", "x.bin": b"n"}
        path = self.pull("hf:org/st")
        self.assertEqual(sorted(f for f in os.listdir(path) if f[0] != "."), ["config.json", "model.safetensors", "tokenizer.json"])

    def test_a_plain_address(self):
        path = self.pull(f"{self.hub.cdn}/org/model/resolve/main/m-Q8_0.gguf")
        self.assertEqual(self.read(path), DATA[::-1])

    def test_an_update_takes_the_new_file_only(self):
        path = self.pull()
        self.assertEqual(self.ingot("pull", "--update", "hf:org/model").returncode, 0)
        self.assertEqual(len(self.requests("cdn")), 1)
        self.hub.repos["org/model"]["m-Q4_K_M.gguf"] = b"new"
        self.assertEqual(self.ingot("pull", "--update", "hf:org/model").returncode, 0)
        self.assertEqual(self.read(path), b"new")

    def test_list_and_rm(self):
        self.assertEqual(json.loads(self.ingot("list", "--json").stdout)["models"], [])
        path = self.pull()
        self.pull("hf:org/model:Q8_0")
        listed = json.loads(self.ingot("list", "--json").stdout)["models"]
        self.assertEqual([m["reference"] for m in listed], ["hf:org/model", "hf:org/model:Q8_0"])
        self.assertEqual((listed[0]["path"], listed[0]["bytes"], listed[0]["quant"]), (path, len(DATA), "Q4_K_M"))
        self.assertIn("hf:org/model:Q8_0", self.ingot("list").stdout)
        self.assertEqual(self.ingot("rm", "hf:org/model").returncode, 0)
        self.assertFalse(os.path.exists(path))
        self.assertEqual(self.ingot("rm", "hf:org/model:Q8_0").returncode, 0)
        self.assertEqual(self.leftovers(), [])
        self.assertIn("not in", self.fails("rm", "hf:org/model"))

    # interruptions

    def test_a_broken_transfer_goes_on_where_it_stopped(self):
        self.hub.truncate = [1_000_000, 500_000]
        self.assertEqual(self.read(self.pull()), DATA)
        ranges = [h.get("Range") for _, h in self.requests("cdn")]
        self.assertEqual(ranges, [None, "bytes=1000000-", "bytes=1500000-"])
        self.assertTrue(self.requests("cdn")[1][1]["If-Range"].startswith('"'))

    def test_a_killed_pull_goes_on_at_the_next_one(self):
        self.hub.bytes_per_s = 1_500_000
        p = subprocess.Popen([INGOT, "pull", "hf:org/model"], env=self.env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        part = os.path.join(self.cache, "hf/org/model/main/m-Q4_K_M.gguf.part")
        for _ in range(200):
            time.sleep(0.02)
            if os.path.exists(part) and os.path.getsize(part) > 300_000:
                break
        p.send_signal(signal.SIGKILL)
        p.wait()
        self.hub.bytes_per_s = 0
        self.assertEqual(self.read(self.pull()), DATA)
        self.assertNotIn(self.requests("cdn")[-1][1].get("Range"), (None, "bytes=0-"))
        self.assertEqual(sorted(self.leftovers()), [".ingot.json", "m-Q4_K_M.gguf"])

    def test_a_file_that_changed_meanwhile_starts_anew(self):
        self.hub.truncate = [1_000_000]
        self.hub.fail = [None, 403]
        self.fails("pull", "hf:org/model")
        self.hub.repos["org/model"]["m-Q4_K_M.gguf"] = DATA[::-1]
        self.assertEqual(self.read(self.pull()), DATA[::-1])

    def test_a_server_without_ranges(self):
        self.hub.ranges = False
        self.hub.truncate = [1_000_000]
        self.assertEqual(self.read(self.pull()), DATA)

    def test_500_and_429_are_tried_again(self):
        self.hub.fail = [500, 429, 503]
        self.assertEqual(self.read(self.pull()), DATA)

    def test_a_server_that_stays_broken_is_an_error(self):
        self.hub.fail = [500] * 50
        self.assertIn("HTTP 500", self.fails("pull", "hf:org/model"))

    def test_one_damaged_transfer_is_repeated_and_a_second_is_an_error(self):
        self.hub.corrupt = 1
        self.assertEqual(self.read(self.pull()), DATA)
        self.hub.corrupt = 99
        self.assertIn("checksum", self.fails("pull", "hf:org/model:Q8_0"))
        self.assertEqual(sorted(self.leftovers()), [".ingot.json", "m-Q4_K_M.gguf"])

    def test_two_pulls_at_once_take_it_once(self):
        self.hub.bytes_per_s = 3_000_000
        ps = [subprocess.Popen([INGOT, "pull", "hf:org/model"], env=self.env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
        for p in ps:
            out, err = p.communicate(timeout=60)
            self.assertEqual(p.returncode, 0, err)
        self.assertEqual(len(self.requests("cdn")), 1)

    # tokens

    def test_the_token_goes_to_the_hub_and_not_to_the_cdn(self):
        self.hub.private.add("org/model")
        self.pull(HF_TOKEN=TOKEN)
        self.assertTrue(all(h.get("Authorization") == "Bearer " + TOKEN for _, h in self.requests("hub")))
        self.assertTrue(all("Authorization" not in h for _, h in self.requests("cdn")))

    def test_the_token_may_stand_in_a_file(self):
        self.hub.private.add("org/model")
        os.makedirs(os.path.join(self.folder.name, ".cache/huggingface"))
        with open(os.path.join(self.folder.name, ".cache/huggingface/token"), "w") as f:
            f.write(TOKEN + "\n")
        self.pull()

    def test_a_plain_address_gets_no_token(self):
        self.pull(f"{self.hub.cdn}/org/model/resolve/main/m-Q8_0.gguf", HF_TOKEN=TOKEN)
        self.assertTrue(all("Authorization" not in h for _, h in self.requests("cdn")))

    def test_without_the_token_the_error_says_what_to_do(self):
        self.hub.private.add("org/model")
        error = self.fails("pull", "hf:org/model")
        self.assertIn("HTTP 401", error)
        self.assertIn("HF_TOKEN", error)

    # bad input

    def test_errors_name_the_cause(self):
        self.assertIn("does not exist", self.fails("pull", "hf:org/none"))
        self.assertIn("'nope'", self.fails("pull", "hf:org/model@nope"))
        self.assertIn("there are: Q4_K_M, Q8_0", self.fails("pull", "hf:org/model:Q2_K"))
        self.assertIn("write hf:org/repo", self.fails("pull", "hf:a/b/c"))
        self.assertIn("is a path", self.fails("pull", "model.gguf"))
        self.assertEqual(self.leftovers(), [])

    def test_an_unreachable_server_is_an_error(self):
        self.assertIn("127.0.0.1:1", self.fails("pull", "hf:org/model", HF_ENDPOINT="http://127.0.0.1:1"))

    def test_file_names_outside_the_folder_are_refused(self):
        for name in ("../evil-Q4_K_M.gguf", "/tmp/evil.gguf", "a/../../evil.gguf"):
            self.hub.repos["org/evil"] = {name: b"x"}
            self.assertIn("refused", self.fails("pull", "hf:org/evil"))
        self.assertEqual(self.leftovers(), [])

    def test_answers_that_are_not_the_hubs_or_endless_are_refused(self):
        for answer in (b"<html>", b"[" * 100_000, b'{"sha":3,"siblings":[]}'):
            self.hub.answer = answer
            self.assertIn("[hub]", self.fails("pull", "hf:org/model"))
        self.hub.answer = b" " * (65 << 20)
        self.assertIn("longer than 64 MB", self.fails("pull", "hf:org/model"))

    def test_more_bytes_than_announced_are_refused(self):
        self.hub.wrong_size = True
        self.assertIn("more than the expected", self.fails("pull", "hf:org/model"))
        self.assertEqual(self.leftovers(), [])

    def test_a_folder_that_cannot_be_made_is_an_error(self):
        with open(self.cache, "w"):
            pass
        self.assertIn("INGOT_CACHE", self.fails("pull", "hf:org/model"))

    def test_a_full_disk_leaves_nothing(self):
        os.makedirs(self.cache)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.cache], capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("cannot mount a tmpfs here")
        try:
            for address in ("hf:org/model", f"{self.hub.cdn}/org/model/resolve/main/m-Q8_0.gguf"):
                self.assertIn("free some space", self.fails("pull", address))
                self.assertEqual(self.leftovers(), [])
            self.hub.repos["org/model"]["m-Q4_K_M.gguf"] = DATA
            error = self.fails("pull", f"{self.hub.cdn}/org/model/resolve/main/m-Q8_0.gguf?")
            self.assertIn("free some space", error)
        finally:
            subprocess.run(["umount", self.cache], check=True)


if __name__ == "__main__":
    unittest.main()
