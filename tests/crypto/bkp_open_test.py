"""examples/bkp-open.py opens the stored containers and refuses every damage to them."""

import base64
import importlib.util
import io
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import types
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DATA = SOURCE / "tests/data/container"
PROGRAM = SOURCE / "examples/bkp-open.py"

sys.dont_write_bytecode = True
spec = importlib.util.spec_from_file_location("bkp_open", PROGRAM)
bkp_open = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bkp_open)


def lines(size):
    text = "".join(f"{i}\tcustomer {i * 7919 % 97}\t2026-11-20\n" for i in range(size // 15 + 1))
    return text[:size].encode()


PLAIN = {"gzip": lines(9000), "gzip-empty": b"", "zstd-whole-frames": lines(8192),
         "cbc-gzip": lines(9000), "example": b"hello, world\n", "wal": lines(5000),
         "part-1": lines(8192), "three-slots": lines(100)}


def run(*arguments):
    return subprocess.run([sys.executable, PROGRAM, "--key-file", DATA / "keys.toml", *arguments],
                          capture_output=True, check=False)


class Opening(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name) / "object"
        self.keys = bkp_open.read_key_file(DATA / "keys.toml")

    def open_bytes(self, data, file_name="example", renamed=True, manifest=None):
        args = types.SimpleNamespace(renamed=renamed, manifest=manifest, master_keys=self.keys)
        out = io.BytesIO()
        bkp_open.open_object(io.BytesIO(data), file_name, 1, None, args, out)
        return out.getvalue()

    def assert_refused(self, data, what):
        with self.subTest(what), self.assertRaises(bkp_open.Damage):
            self.open_bytes(data)

    def test_every_stored_container_opens(self):
        for name, plain in PLAIN.items():
            with self.subTest(name):
                done = run("--renamed", DATA / f"{name}.bin")
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertEqual(done.stdout, plain)

    def test_parts_of_a_stream_follow_one_another(self):
        parts = [DATA / "part-1.bin", DATA / "part-2.bin"]
        self.assertEqual(run("--renamed", *parts).stdout, lines(8192) + lines(777))
        for wrong in (parts[::-1], parts[1:], [parts[0], parts[0]], [DATA / "gzip.bin", DATA / "wal.bin"]):
            done = run("--renamed", *wrong)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"bkp-open.py: '", done.stderr)

    def test_the_worked_example_of_the_page_is_the_stored_one(self):
        page = (SOURCE / "man/bkp-container.5").read_text()
        dump = re.findall(r"^([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)$", page, re.MULTILINE)
        data = bytes.fromhex("".join(row for _, row in dump))
        self.assertEqual([int(at, 16) for at, _ in dump], list(range(0, len(data), 16)))
        self.assertEqual(data, (DATA / "example.bin").read_bytes())
        self.assertEqual(self.open_bytes(data), b"hello, world\n")
        for key in (bkp_open.derive(bytes(range(32)), "bkp v1 wrap"),
                    bkp_open.derive(bytes(range(0x10, 0x30)), "bkp v1 frames aes-256-gcm")):
            self.assertIn(key[:16].hex(" ") + "\n" + key[16:].hex(" "), page)

    def test_a_byte_changed_anywhere_is_refused(self):
        for name in ("example", "gzip-empty", "cbc-gzip", "wal"):
            data = (DATA / f"{name}.bin").read_bytes()
            for at in range(len(data)):
                self.assert_refused(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1:],
                                    f"{name}, byte {at}")

    def test_an_object_that_is_cut_or_has_bytes_behind_is_refused(self):
        # Each frame packed with zstd starts a process.
        for name, step in (("example", 1), ("gzip", 1), ("cbc-gzip", 1), ("zstd-whole-frames", 61)):
            data = (DATA / f"{name}.bin").read_bytes()
            for size in range(0, len(data), step):
                self.assert_refused(data[:size], f"{name}, {size} bytes")
            for more in (b"\0", data[-16:], data):
                self.assert_refused(data + more, f"{name} and {len(more)} bytes")

    def test_damage_ends_with_a_message_and_status_1(self):
        self.path.write_bytes((DATA / "example.bin").read_bytes()[:-1])
        done = run("--renamed", self.path)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.decode(), f"bkp-open.py: '{self.path}': it is cut off\n")

    def test_a_renamed_object_is_refused_unless_that_is_accepted(self):
        done = run(DATA / "example.bin")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"it is the object 'shop/example'", done.stderr)
        self.assertEqual(self.open_bytes((DATA / "example.bin").read_bytes(), renamed=False),
                         b"hello, world\n")

    def test_the_slots_of_a_manifest_win(self):
        data = bytearray((DATA / "example.bin").read_bytes())
        good = {"type": 1, "key_id": "c0ffee00-1111-4222-8333-444455556666",
                "wrapped": base64.b64encode(data[0x8C:0xB4]).decode()}
        data[0x90] ^= 1
        path = self.path.with_name("manifest.json")

        def manifest_with(slot):
            path.write_text(json.dumps({"objects": [{"name": "shop/example", "slots": [slot]}]}))
            return bkp_open.Manifest(path)

        self.assertEqual(self.open_bytes(data, manifest=manifest_with(good)), b"hello, world\n")
        for damage in ({"key_id": "no such"}, {"wrapped": "!"}, {"type": 2}):
            with self.assertRaises(bkp_open.Damage):
                self.open_bytes(data, manifest=manifest_with({**good, **damage}))

    def test_a_damaged_key_file_is_refused_without_showing_it(self):
        text = (DATA / "keys.toml").read_text()
        for damaged in ("", text[:-3], text.replace("AAEC", "!!!!"), text.replace("Hh8=", "Hg==")):
            self.path.write_text(damaged)
            done = subprocess.run([sys.executable, PROGRAM, "--key-file", self.path,
                                   DATA / "example.bin"], capture_output=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"key file", done.stderr)
            self.assertNotIn(b"AwQFBgcI", done.stderr)


if __name__ == "__main__":
    unittest.main()
