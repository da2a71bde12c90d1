// Objects that were sealed once and must open for ever: tests/data/container. The same files are
// opened by examples/bkp-open.py.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "base/fd.h"
#include "crypto/container.h"
#include "stream/memory_stream.h"
#include "support/open_container.h"

using namespace bkp;

namespace {

// 10…2f for the key of the object, so that the worked example of the man page stays what it is.
Key256 object_key() {
  Bytes bytes;
  for (int i = 0x10; i < 0x30; ++i) bytes.push_back(static_cast<std::byte>(i));
  return Key256(ByteView(bytes));
}

std::filesystem::path data_directory() { return BKP_SOURCE_DIR "/tests/data/container"; }

const KeyRing& ring() {
  static const KeyRing keys =
      parse_key_file(read_file(data_directory() / "keys.toml"), "keys.toml");
  return keys;
}

Bytes lines(std::size_t size) {
  std::string out;
  for (unsigned i = 0; out.size() < size; ++i)
    out += fmt::format("{}\tcustomer {}\t2026-11-20\n", i, i * 7919 % 97);
  out.resize(size);
  return to_bytes(out);
}

struct Vector {
  std::string file;
  ContainerHeader header;
  Bytes plain;
  std::vector<KeySlot> slots;
};

std::vector<Vector> vectors() {
  ContainerHeader header;
  header.frame_size = 4096;
  header.cluster = *Uuid::parse("6b1f0c52-8d4e-4a57-9c3b-2f7d9e10a4c8");
  header.backup = *Uuid::parse("1a2b3c4d-5e6f-4708-9192-a3b4c5d6e7f8");
  header.name =
      "shop/full_database/2026/11/backup_full_database_20261120_020000_1a2b3c4d.dump.gz.enc";
  const KeySlot slot = ring().wrap(object_key());
  std::vector<Vector> all = {{"gzip", header, lines(9000), {slot}},
                             {"gzip-empty", header, {}, {slot}},
                             {"zstd-whole-frames", header, lines(8192), {slot}},
                             {"cbc-gzip", header, lines(9000), {slot}},
                             {"example", header, to_bytes("hello, world\n"), {slot}},
                             {"wal", header, lines(5000), {slot}},
                             {"part-1", header, lines(8192), {slot}},
                             {"part-2", header, lines(777), {slot}},
                             {"three-slots", header, lines(100), {slot}}};
  all[2].header.codec = Codec::zstd;
  all[3].header.suite = Suite::aes_256_cbc_hmac_sha256;
  all[4].header.codec = Codec::none;
  all[4].header.name = "shop/example";
  ContainerHeader& wal = all[5].header;
  wal.codec = Codec::zstd;
  wal.frame_size = 1 << 20;
  wal.backup = Uuid{};
  wal.name = "shop/wal/15-7301234567890123456/00000001/000000010000000000000003.zst.enc";
  wal.wal =
      WalFields{7301234567890123456U, "000000010000000000000003", 5000,
                hmac_sha256(derive_key(object_key(), "bkp v1 wal mac").reveal(), lines(5000))};
  all[7].header.part = 2;
  all[7].header.name += ".2";
  KeySlot stranger = slot;
  stranger.key_id = *Uuid::parse("99999999-9999-4999-8999-999999999999");
  stranger.wrapped[0] ^= std::byte{1};
  all[8].slots = {stranger, {SlotType::x25519, stranger.key_id, Bytes(72)}, slot};
  return all;
}

Bytes seal(const Vector& vector) {
  WorkerPool pool(1);
  MemorySink stored;
  ContainerSink sink(stored, vector.header, vector.slots, object_key(), pool);
  for (std::size_t at = 0; at < vector.plain.size(); at += vector.header.frame_size) {
    const std::size_t size =
        std::min<std::size_t>(vector.header.frame_size, vector.plain.size() - at);
    sink.write(compress_block({vector.header.codec, 6}, ByteView(vector.plain).subspan(at, size)));
  }
  sink.finish();
  return stored.data();
}

Bytes stored_file(const Vector& vector) {
  return to_bytes(read_file(data_directory() / (vector.file + ".bin")));
}

}  // namespace

TEST_CASE("every stored container opens to the bytes that were sealed") {
  for (const Vector& vector : vectors()) {
    INFO(vector.file);
    const Bytes object = stored_file(vector);
    CHECK(open_container(object, ring()) == vector.plain);
    CHECK(parse_prefix(object).header == vector.header);
    CHECK(parse_prefix(object).slots == vector.slots);
  }
}

TEST_CASE("what a stored container holds is sealed to the same bytes today") {
  for (const Vector& vector : vectors()) {
    INFO(vector.file);
    const Bytes object = stored_file(vector);
    const ContainerPrefix prefix = parse_prefix(object);
    Bytes again = encode_header(prefix.header);
    append(again, encode_slots(prefix.slots));
    CHECK(again == to_bytes(ByteView(object).first(prefix.size)));
    if (prefix.header.suite != Suite::aes_256_gcm) continue;  // its IVs are random
    const FrameCipher cipher(prefix.header.suite, prefix.header_bytes, object_key());
    std::vector<std::uint32_t> sizes;
    ByteView rest = ByteView(object).subspan(prefix.size);
    for (bool last = false; !last;) {
      const FrameHead head = parse_frame_head(rest);
      last = head.last;
      const Bytes frame =
          cipher.seal(cipher.open(rest.subspan(kFrameHead, head.sealed_size), sizes.size(), last),
                      sizes.size(), last);
      sizes.push_back(static_cast<std::uint32_t>(frame.size()));
      append(again, frame);
      rest = rest.subspan(frame.size());
    }
    append(again, cipher.seal_index(sizes));
    CHECK(again == object);
  }
}

// Hidden: writes vectors that are not there, after a new one was added above.
TEST_CASE("missing container vectors are written", "[.write]") {
  for (const Vector& vector : vectors())
    if (const auto path = data_directory() / (vector.file + ".bin"); !std::filesystem::exists(path))
      write_file_atomically(path, as_text(seal(vector)));
}
