#!/usr/bin/python3
"""Opens bkp's containers without bkp, as bkp-container(5) describes them.

    bkp-open.py --key-file keys.toml OBJECT [OBJECT.2 ...] > plain

The objects are the parts of one stream, in order. The plain bytes go to standard output, each frame
as soon as it has proved whole; memory stays small. What is damaged, cut off or not of this stream
ends with a message and exit status 1, and what was written until then is to be thrown away.

With --manifest FILE, the backup's own ….manifest.json, its key slots are used instead of the
objects' (they are newer after a key rotation), and a missing part is noticed.

Needs Python 3.11, python3-cryptography, and the zstd program for objects packed with zstd.
"""

import argparse
import base64
import binascii
import hashlib
import hmac
import json
import os
import re
import struct
import subprocess
import sys
import tomllib
import uuid
import zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

MAGIC = b"\x89bkp\r\n\x1a\n"
TRAILER_MAGIC = b"bkpi\r\n\x1a\n"
GCM, CBC = 1, 2
NONE, GZIP, ZSTD = 0, 1, 2
FRAME, LAST_FRAME, INDEX = 0, 1, 2
LARGEST_SEALED = 1114112
MOST_FRAMES = 1 << 20
COMPONENT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._+=@-]+")


class Damage(Exception):
    """What a container must not be."""


def need(good, why):
    if not good:
        raise Damage(why)


def derive(key, label):
    return HKDF(hashes.SHA256(), 32, None, label.encode()).derive(key)


class Reader:
    """Exact reads from a file, which may be a pipe."""

    def __init__(self, file):
        self.file = file

    def take(self, size):
        data = self.file.read(size)
        need(len(data) == size, "it is cut off")
        return data

    def unpack(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))

    def ended(self):
        return self.file.read(1) == b""


class Header:
    """The header, and its bytes as the frames are bound to them."""

    def __init__(self, reader):
        start = reader.take(12)
        magic, version, size = struct.unpack(">8sHH", start)
        need(magic == MAGIC, "it is not a container of bkp")
        need(version == 1, f"container version {version} is not known")
        need(109 <= size <= 108 + 64 + 900, f"impossible header of {size} bytes")
        self.bytes = start + reader.take(size - 12)
        (self.suite, self.codec, reserved, self.frame_size, self.part, self.cluster, self.backup,
         self.system_id, self.wal_length, self.wal_hmac, segment_size) = struct.unpack(
             ">BBHII16s16sQQ32sH", self.bytes[12:106])
        need(108 + segment_size <= size, "its header is damaged")
        self.segment = self.text(106, segment_size)
        (name_size,) = struct.unpack(">H", self.bytes[106 + segment_size:108 + segment_size])
        need(108 + segment_size + name_size == size, "its header is damaged")
        self.name = self.text(108 + segment_size, name_size)
        self.check(reserved)

    def text(self, at, size):
        return self.bytes[at:at + size].decode("ascii", "replace")

    def check(self, reserved):
        need(self.suite in (GCM, CBC), f"cipher suite {self.suite} is not known")
        need(self.codec in (NONE, GZIP, ZSTD), f"codec {self.codec} is not known")
        need(reserved == 0, "its header is damaged: a reserved field")
        need(4096 <= self.frame_size <= 1 << 20 and self.frame_size.bit_count() == 1,
             f"impossible frame size {self.frame_size}")
        need(self.part >= 1, "its header is damaged: the part")
        need(len(self.name) <= 900 and all(COMPONENT.fullmatch(c) for c in self.name.split("/")),
             "its header is damaged: the name")
        if self.segment:
            need(len(self.segment) <= 64 and COMPONENT.fullmatch(self.segment),
                 "its header is damaged: the WAL segment")
            need(self.backup == bytes(16), "its header is damaged: a WAL file in a backup")
        else:
            need(self.system_id == 0 and self.wal_length == 0 and self.wal_hmac == bytes(32),
                 "its header is damaged: WAL fields")


def read_slots(reader, header):
    """→ (type, key id, wrapped key) of each slot."""
    (count,) = reader.unpack("B")
    need(1 <= count <= 16, f"{count} key slots")
    slots, size = [], len(header.bytes) + 1
    for _ in range(count):
        kind, key_id, wrapped_size = reader.unpack("B16sH")
        need(kind in (1, 2) and wrapped_size >= 1 and (kind != 1 or wrapped_size == 40),
             "a key slot is damaged")
        size += 19 + wrapped_size
        need(size <= 4096, "its key slots are too long")
        slots.append((kind, str(uuid.UUID(bytes=key_id)), reader.take(wrapped_size)))
    return slots


def unwrap(slots, master_keys):
    """The object key, from the first slot that opens."""
    damaged = False
    for kind, key_id, wrapped in slots:
        if kind != 1 or key_id not in master_keys:
            continue
        try:
            return aes_key_unwrap(derive(master_keys[key_id], "bkp v1 wrap"), wrapped)
        except (InvalidUnwrap, ValueError):
            damaged = True
    ids = ", ".join(key_id for _, key_id, _ in slots)
    raise Damage("its key slots do not open" if damaged else
                 f"none of its keys is in the key file: {ids}")


class Gcm:
    def __init__(self, header, key):
        self.cipher = AESGCM(derive(key, "bkp v1 frames aes-256-gcm"))
        self.header = header

    def open(self, sealed, counter, mark):
        nonce = struct.pack(">3xQB", counter, mark)
        try:
            return self.cipher.decrypt(nonce, sealed, self.header)
        except InvalidTag:
            raise Damage("its seal is broken") from None

    @staticmethod
    def index_size(frames):
        return 4 * frames + 16


class Cbc:
    def __init__(self, header, key):
        self.key = derive(key, "bkp v1 frames aes-256-cbc")
        self.mac_key = derive(key, "bkp v1 frames hmac-sha256")
        self.header = header

    def open(self, sealed, counter, mark):
        need(len(sealed) >= 64 and len(sealed) % 16 == 0, "its seal is broken")
        signed, mac = sealed[:-32], sealed[-32:]
        message = self.header + struct.pack(">QB", counter, mark) + signed
        need(hmac.compare_digest(hmac.digest(self.mac_key, message, "sha256"), mac),
             "its seal is broken")
        decryptor = Cipher(algorithms.AES(self.key), modes.CBC(signed[:16])).decryptor()
        padded = decryptor.update(signed[16:]) + decryptor.finalize()
        fill = padded[-1]
        need(1 <= fill <= 16 and padded.endswith(bytes([fill]) * fill), "its padding is wrong")
        return padded[:-fill]

    @staticmethod
    def index_size(frames):
        return 16 + (4 * frames // 16 + 1) * 16 + 32


def unpack_gzip(packed, limit):
    inflate = zlib.decompressobj(wbits=31)
    try:
        plain = inflate.decompress(packed, limit + 1)
    except zlib.error as error:
        raise Damage(f"its gzip data is damaged: {error}") from None
    need(inflate.eof and not inflate.unused_data and not inflate.unconsumed_tail,
         "its gzip data is not one whole member of the right size")
    return plain


def zstd_content_size(packed):
    """The content size of what must be one frame with a checksum and nothing behind (RFC 8878)."""
    try:
        need(packed[:4] == b"\x28\xb5\x2f\xfd", "it is not a zstd frame")
        descriptor = packed[4]
        need(descriptor & 0x0f == 0x04, "its zstd frame has no checksum, or a dictionary")
        single = descriptor >> 5 & 1
        field = (single, 2, 4, 8)[descriptor >> 6]
        need(field != 0, "its zstd frame does not say its size")
        at = 6 - single
        size = int.from_bytes(packed[at:at + field], "little") + (256 if field == 2 else 0)
        at += field
        last = False
        while not last:
            block = int.from_bytes(packed[at:at + 3], "little")
            need(at + 3 <= len(packed), "its zstd frame is cut off")
            last = bool(block & 1)
            at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
        need(at + 4 == len(packed), "its zstd frame is not one whole frame")
        return size
    except IndexError:
        raise Damage("its zstd frame is cut off") from None


def unpack_zstd(packed, limit):
    size = zstd_content_size(packed)
    need(size <= limit, "its zstd frame is too large")
    done = subprocess.run(["zstd", "-dcq"], input=packed, capture_output=True, check=False)
    need(done.returncode == 0, f"its zstd frame is damaged: {done.stderr.decode().strip()}")
    need(len(done.stdout) == size, "its zstd frame is not of the size that it says")
    return done.stdout


def unpack(codec, packed, limit):
    if codec == GZIP:
        return unpack_gzip(packed, limit)
    if codec == ZSTD:
        return unpack_zstd(packed, limit)
    return packed


class WalProof:
    """Compares a WAL file's plain bytes with what the header says of them."""

    def __init__(self, header, key):
        self.header = header
        self.mac = hmac.new(derive(key, "bkp v1 wal mac"), digestmod=hashlib.sha256)
        self.size = 0

    def update(self, plain):
        self.mac.update(plain)
        self.size += len(plain)

    def check(self):
        if self.header.segment:
            need(self.size == self.header.wal_length and
                 hmac.compare_digest(self.mac.digest(), self.header.wal_hmac),
                 "it does not hold the WAL file that its header tells of")


def read_frames(reader, header, cipher):
    """Yields each frame's stored size and plain bytes; ends after the one with the last-mark."""
    frame, last = 0, False
    while not last:
        try:
            need(frame < MOST_FRAMES, "there are too many")
            (head,) = reader.unpack("I")
            last, size = bool(head >> 31), head & 0x7FFFFFFF
            need(16 <= size <= LARGEST_SEALED, f"impossible size {size}")
            packed = cipher.open(reader.take(size), frame, LAST_FRAME if last else FRAME)
            plain = unpack(header.codec, packed, header.frame_size)
            if last:
                need(len(plain) <= header.frame_size and (plain or frame == 0), "wrong plain size")
            else:
                need(len(plain) == header.frame_size, "wrong plain size")
        except Damage as damage:
            raise Damage(f"frame {frame}: {damage}") from None
        yield 4 + size, plain
        frame += 1


def check_end(reader, cipher, sizes):
    """Index, trailer, and nothing behind."""
    sealed = reader.take(cipher.index_size(len(sizes)))
    trailer = reader.take(16)
    need(trailer == struct.pack(">Q", len(sealed)) + TRAILER_MAGIC, "its trailer is damaged")
    need(reader.ended(), "there are bytes behind its end")
    index = cipher.open(sealed, 0, INDEX)
    need(index == struct.pack(f">{len(sizes)}I", *sizes), "its index does not match its frames")


def open_object(file, file_name, part, first, args, out):
    """Writes one object's plain bytes to `out`; returns its header."""
    reader = Reader(file)
    header = Header(reader)
    slots = read_slots(reader, header)
    if not args.renamed:
        need(file_name == os.path.basename(header.name),
             f"it is the object '{header.name}' (--renamed accepts that)")
    need(header.part == part, f"it is part {header.part}, where part {part} should be")
    if first:
        same = ("suite", "codec", "cluster", "backup")
        need(all(getattr(header, field) == getattr(first, field) for field in same),
             "it is not of the same backup")
    if args.manifest:
        slots = args.manifest.slots(header)
    key = unwrap(slots, args.master_keys)
    need(len(key) == 32, "its key slots hold no key")
    cipher = (Gcm if header.suite == GCM else Cbc)(header.bytes, key)
    proof = WalProof(header, key)
    sizes = []
    for size, plain in read_frames(reader, header, cipher):
        sizes.append(size)
        proof.update(plain)
        out.write(plain)
    check_end(reader, cipher, sizes)
    proof.check()
    return header


class Manifest:
    """What a manifest says in plain about objects. (Its own HMAC is for bkp verify.)"""

    def __init__(self, path):
        try:
            with open(path, encoding="utf-8") as file:
                self.objects = json.load(file)["objects"]
            self.by_name = {entry["name"]: entry for entry in self.objects}
        except (ValueError, KeyError, TypeError) as error:
            raise Damage(f"manifest '{path}' is damaged: {error!r}") from None

    def slots(self, header):
        need(header.name in self.by_name, f"the manifest names no object '{header.name}'")
        try:
            return [(slot["type"], slot["key_id"], base64.b64decode(slot["wrapped"], validate=True))
                    for slot in self.by_name[header.name]["slots"]]
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise Damage(f"the manifest's key slots are damaged: {error!r}") from None


def read_key_file(path):
    """→ {key id: 32 bytes}"""
    try:
        with open(path, "rb") as file:
            keys = tomllib.load(file)["key"]
        found = {key["id"]: base64.b64decode(key["secret"], validate=True) for key in keys}
    except (ValueError, KeyError, TypeError, binascii.Error):
        # The parser's own words might show a secret.
        raise Damage(f"key file '{path}' is damaged") from None
    need(found and all(len(secret) == 32 for secret in found.values()),
         f"key file '{path}' holds a key that is not of 32 bytes")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--key-file", required=True)
    parser.add_argument("--manifest", help="use the key slots of this manifest")
    parser.add_argument("--renamed", action="store_true",
                        help="accept files whose names are not those of the objects")
    parser.add_argument("objects", nargs="+", metavar="OBJECT")
    args = parser.parse_args()
    path = None
    try:
        args.master_keys = read_key_file(args.key_file)
        args.manifest = Manifest(args.manifest) if args.manifest else None
        if args.manifest:
            need(len(args.objects) == len(args.manifest.objects),
                 f"the backup has {len(args.manifest.objects)} objects, not {len(args.objects)}")
        first = None
        for part, path in enumerate(args.objects, 1):
            with open(path, "rb") as file:
                header = open_object(file, os.path.basename(path), part, first, args,
                                     sys.stdout.buffer)
            first = first or header
        sys.stdout.buffer.flush()
    except (Damage, OSError) as error:
        where = f"'{path}': " if path and isinstance(error, Damage) else ""
        print(f"bkp-open.py: {where}{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
