#include "crypto/container.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

#include "base/error.h"
#include "stream/memory_stream.h"
#include "support/open_container.h"

using namespace bkp;

namespace {

constexpr auto kOpened = static_cast<ErrorCode>(0);

const KeyRing& ring() {
  static const KeyRing keys({generate_master_key(KeyState::active, TimePoint{})});
  return keys;
}

ContainerHeader small_header(Suite suite = Suite::aes_256_gcm, Codec codec = Codec::gzip) {
  ContainerHeader header;
  header.suite = suite;
  header.codec = codec;
  header.frame_size = 4096;
  header.cluster = *Uuid::parse("11111111-2222-4333-8444-555555555555");
  header.backup = *Uuid::parse("aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
  header.name = "shop/full_database/2026/11/backup_1a2b3c4d.dump.gz.enc";
  return header;
}

ContainerHeader wal_header() {
  ContainerHeader header = small_header();
  header.backup = Uuid{};
  header.wal = WalFields{7'000'000'000'000'000'001U, "000000010000000000000001", 16777216,
                         hmac_sha256(as_bytes("key"), as_bytes("wal"))};
  header.name = "shop/wal/15-7000000000000000001/00000001/000000010000000000000001.zst.enc";
  return header;
}

Bytes rows(std::size_t size, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::string out;
  while (out.size() < size)
    out += fmt::format("{}\tcustomer {}\t2026-11-20\n", random() % 1000, random() % 97);
  out.resize(size);
  return to_bytes(out);
}

struct Sealed {
  ContainerHeader header;
  Key256 key = random_key();
  std::vector<KeySlot> slots;
  Bytes object;
  std::uint64_t announced = 0;  // size_with() before the last frame
};

Sealed seal_object(const ContainerHeader& header, ByteView plain) {
  Sealed out;
  out.header = header;
  out.slots = {ring().wrap(out.key)};
  WorkerPool pool(2);
  MemorySink stored;
  ContainerSink sink(stored, header, out.slots, out.key, pool);
  do {
    const ByteView block = plain.first(std::min<std::size_t>(plain.size(), header.frame_size));
    plain = plain.subspan(block.size());
    const Bytes packed = compress_block({header.codec, 1}, block);
    out.announced = sink.size_with(packed.size());
    sink.write(packed);
  } while (!plain.empty());
  sink.finish();
  REQUIRE(stored.finished());
  out.object = stored.data();
  return out;
}

ErrorCode code_of(ByteView object, std::optional<std::span<const KeySlot>> slots = {}) {
  try {
    open_container(object, ring(), slots);
  } catch (const Error& error) {
    return error.code();
  }
  return kOpened;
}

// The places of an object's frames, heads included.
std::vector<ByteView> frames_of(ByteView object) {
  std::vector<ByteView> frames;
  ByteView rest = object.subspan(parse_prefix(object).size);
  for (bool last = false; !last;) {
    const FrameHead head = parse_frame_head(rest);
    last = head.last;
    frames.push_back(rest.first(kFrameHead + head.sealed_size));
    rest = rest.subspan(frames.back().size());
  }
  return frames;
}

Bytes before_frames(ByteView object) { return to_bytes(object.first(parse_prefix(object).size)); }

Bytes index_of(ByteView object) {
  return to_bytes(object.last(parse_trailer(object.last(kTrailerSize))));
}

Bytes join(std::initializer_list<ByteView> parts) {
  Bytes out;
  for (const ByteView part : parts) append(out, part);
  return out;
}

// What a writer with the key would make of these frames, sealed as they are marked.
Bytes forge(const Sealed& like, const std::vector<std::pair<Bytes, bool>>& frames) {
  const FrameCipher cipher(like.header.suite, encode_header(like.header), like.key);
  Bytes object = before_frames(like.object);
  std::vector<std::uint32_t> sizes;
  for (const auto& [plain, last] : frames) {
    const Bytes frame =
        cipher.seal(compress_block({like.header.codec, 1}, plain), sizes.size(), last);
    sizes.push_back(static_cast<std::uint32_t>(frame.size()));
    append(object, frame);
  }
  append(object, cipher.seal_index(sizes));
  return object;
}

}  // namespace

TEST_CASE("an object of any size opens to the bytes that were sealed, in each suite and codec") {
  std::mt19937_64 random(42);
  for (const Suite suite : {Suite::aes_256_gcm, Suite::aes_256_cbc_hmac_sha256}) {
    for (const Codec codec : {Codec::none, Codec::gzip, Codec::zstd}) {
      std::vector<std::size_t> sizes = {0, 1, 15, 16, 17, 4095, 4096, 4097, 8192, 100'000};
      for (int i = 0; i < 10; ++i) sizes.push_back(random() % 60'000);
      for (const std::size_t size : sizes) {
        const Bytes plain = rows(size, static_cast<unsigned>(size));
        const Sealed sealed = seal_object(small_header(suite, codec), plain);
        INFO(suite_name(suite) << ", " << codec_name(codec) << ", " << size << " bytes");
        REQUIRE(open_container(sealed.object, ring()) == plain);
        REQUIRE(sealed.object.size() == sealed.announced);
        REQUIRE(frames_of(sealed.object).size() == std::max<std::size_t>(1, (size + 4095) / 4096));
      }
    }
  }
}

TEST_CASE("an object that was never written to opens to nothing") {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::zstd}) {
    const Key256 key = random_key();
    const KeySlot slot = ring().wrap(key);
    WorkerPool pool(1);
    MemorySink stored;
    ContainerSink sink(stored, small_header(Suite::aes_256_gcm, codec), std::span(&slot, 1), key,
                       pool);
    CHECK(stored.data().empty());
    sink.finish();
    CHECK(open_container(stored.data(), ring()).empty());
  }
}

TEST_CASE("frames of 1 MiB that do not compress fit") {
  std::mt19937_64 random(1);
  Bytes plain((1 << 20) + 1000);
  for (std::byte& byte : plain) byte = static_cast<std::byte>(random());
  for (const Suite suite : {Suite::aes_256_gcm, Suite::aes_256_cbc_hmac_sha256}) {
    for (const Codec codec : {Codec::none, Codec::gzip, Codec::zstd}) {
      ContainerHeader header = small_header(suite, codec);
      header.frame_size = 1 << 20;
      CHECK(open_container(seal_object(header, plain).object, ring()) == plain);
    }
  }
  const FrameCipher cipher(Suite::aes_256_gcm, encode_header(small_header()), random_key());
  CHECK_THROWS_AS(cipher.seal(Bytes(1 << 21), 0, true), Error);
}

TEST_CASE("the same bytes are sealed differently in each object") {
  const Bytes plain = rows(100);
  const Bytes one = seal_object(small_header(), plain).object;
  const Bytes two = seal_object(small_header(), plain).object;
  CHECK(one.size() == two.size());
  CHECK(to_bytes(frames_of(one)[0]) != to_bytes(frames_of(two)[0]));
}

TEST_CASE("a suite has one name, that of the configuration") {
  for (const Suite suite : {Suite::aes_256_gcm, Suite::aes_256_cbc_hmac_sha256})
    CHECK(parse_suite(suite_name(suite)) == suite);
  try {
    parse_suite("rot13");
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::usage);
    CHECK(error.hint().find("aes-256-gcm") != std::string::npos);
  }
}

TEST_CASE("a header says the same after it was written and read") {
  ContainerHeader later = small_header();
  later.part = 7;
  later.frame_size = 1 << 20;
  for (const ContainerHeader& header : {small_header(), wal_header(), later}) {
    Bytes object = encode_header(header);
    const std::size_t size = object.size();
    const std::vector<KeySlot> slots = {ring().wrap(random_key()),
                                        {SlotType::x25519, Uuid::random(), Bytes(72)},
                                        ring().wrap(random_key())};
    append(object, encode_slots(slots));
    const ContainerPrefix prefix = parse_prefix(object);
    CHECK(prefix.header == header);
    CHECK(prefix.header_bytes == encode_header(header));
    CHECK(prefix.header_bytes.size() == size);
    CHECK(prefix.slots == slots);
    CHECK(prefix.size == object.size());
  }
}

TEST_CASE("the longest header and 16 slots fit into the first bytes that a reader fetches") {
  ContainerHeader header = wal_header();
  header.name = std::string(900, 'x');
  header.wal->segment = std::string(64, 'F');
  Bytes object = encode_header(header);
  append(object, encode_slots(std::vector<KeySlot>(16, ring().wrap(random_key()))));
  CHECK(object.size() <= kMaxPrefix);
  append(object, Bytes(10'000));
  CHECK(parse_prefix(object).slots.size() == 16);
}

TEST_CASE("a header with an impossible value is not written") {
  using Change = void (*)(ContainerHeader&);
  const Change changes[] = {
      [](auto& h) { h.suite = static_cast<Suite>(3); },
      [](auto& h) { h.codec = static_cast<Codec>(3); },
      [](auto& h) { h.frame_size = 2048; },
      [](auto& h) { h.frame_size = 2 << 20; },
      [](auto& h) { h.frame_size = 5000; },
      [](auto& h) { h.part = 0; },
      [](auto& h) { h.name = ""; },
      [](auto& h) { h.name = std::string(901, 'x'); },
      [](auto& h) { h.name = "/absolute"; },
      [](auto& h) { h.name = "a//b"; },
      [](auto& h) { h.name = "a/"; },
      [](auto& h) { h.name = "a/../b"; },
      [](auto& h) { h.name = "sp ace"; },
      [](auto& h) { h.name = "new\nline"; },
      [](auto& h) { h.name = "\xc3\xa4"; },
      [](auto& h) { h.wal->segment = ""; },
      [](auto& h) { h.wal->segment = std::string(65, 'F'); },
      [](auto& h) { h.wal->segment = "a/b"; },
      [](auto& h) { h.backup = Uuid::random(); },
  };
  for (const Change& change : changes) {
    ContainerHeader header = wal_header();
    change(header);
    INFO("change " << (&change - changes));
    CHECK_THROWS_AS(encode_header(header), Error);
  }
  CHECK_THROWS_AS(encode_slots({}), Error);
  CHECK_THROWS_AS(encode_slots(std::vector<KeySlot>(17, ring().wrap(random_key()))), Error);
}

TEST_CASE("the first bytes of an object are refused for any value that is not as written") {
  struct Damage {
    std::size_t at;
    const char* bytes;
    const char* what;
  };
  // Offsets are those of bkp-container(5), for a segment name of 24 bytes or none.
  const Damage plain_damage[] = {
      {0, "88", "magic"},
      {8, "0002", "version"},
      {10, "00a1", "header size"},
      {10, "ffff", "header size"},
      {10, "0000", "header size"},
      {12, "00", "suite"},
      {12, "03", "suite"},
      {13, "03", "codec"},
      {14, "01", "reserved"},
      {15, "80", "reserved"},
      {16, "00001001", "frame size"},
      {16, "00000800", "frame size"},
      {16, "00200000", "frame"},
      {20, "00000000", "part"},
      {63, "01", "system id"},
      {71, "01", "WAL length"},
      {72, "01", "WAL HMAC"},
      {103, "01", "WAL HMAC"},
      {105, "01", "segment size"},
      {104, "ffff", "segment size"},
      {106, "0000", "name size"},
      {107, "35", "name size"},
      {107, "37", "name size"},
      {108, "2f", "name"},
      {110, "00", "name"},
      {111, "e4", "name"},
      {108, "2e2f", "name"},
      {162, "00", "no slots"},
      {162, "11", "17 slots"},
      {163, "00", "slot type"},
      {163, "03", "slot type"},
      {180, "0029", "wrapped size"},
      {180, "0027", "wrapped size"},
  };
  const Damage wal_damage[] = {{40, "01", "backup"},        {105, "00", "segment size"},
                               {105, "41", "segment size"}, {106, "2f", "segment"},
                               {106, "00", "segment"},      {131, "00", "name size"}};
  const auto check = [](const ContainerHeader& header, std::span<const Damage> table) {
    Bytes whole = encode_header(header);
    append(whole, encode_slots(std::vector{ring().wrap(random_key())}));
    REQUIRE(parse_prefix(whole).size == whole.size());
    for (const Damage& damage : table) {
      Bytes object = whole;
      std::ranges::copy(from_hex(damage.bytes), object.begin() + static_cast<long>(damage.at));
      INFO(damage.what << " at " << damage.at << ": " << damage.bytes);
      try {
        parse_prefix(object);
        CHECK(false);
      } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::integrity);
      }
    }
    for (std::size_t size = 0; size < whole.size(); ++size)
      CHECK_THROWS_AS(parse_prefix(ByteView(whole).first(size)), Error);
  };
  check(small_header(), plain_damage);
  check(wal_header(), wal_damage);
}

TEST_CASE("a bit flipped anywhere in an object, and it does not open") {
  for (const Suite suite : {Suite::aes_256_gcm, Suite::aes_256_cbc_hmac_sha256}) {
    for (const Codec codec : {Codec::none, Codec::zstd}) {
      const Bytes plain = rows(10'000);
      const Sealed sealed = seal_object(small_header(suite, codec), plain);
      const std::size_t slots_at = encode_header(sealed.header).size();
      const std::size_t slots_end = parse_prefix(sealed.object).size;
      for (std::size_t at = 0; at < sealed.object.size(); ++at) {
        Bytes damaged = sealed.object;
        damaged[at] ^= std::byte{1} << (at % 8);
        INFO(suite_name(suite) << ", " << codec_name(codec) << ", byte " << at);
        const bool in_slots = at >= slots_at && at < slots_end;
        const ErrorCode code = code_of(damaged);
        // A slot whose type or key id was hit may be one of a key that is not here.
        REQUIRE((code == ErrorCode::integrity || (in_slots && code == ErrorCode::failed)));
        // Slots are not bound to the frames: a manifest's own win over damaged ones.
        const ErrorCode with_slots = code_of(damaged, sealed.slots);
        REQUIRE((with_slots == ErrorCode::integrity || (in_slots && with_slots == kOpened)));
      }
    }
  }
}

TEST_CASE("an object cut at any length does not open, nor one with bytes behind its end") {
  for (const Suite suite : {Suite::aes_256_gcm, Suite::aes_256_cbc_hmac_sha256}) {
    const Sealed sealed = seal_object(small_header(suite), rows(10'000));
    for (std::size_t size = 0; size < sealed.object.size(); ++size) {
      INFO(size << " of " << sealed.object.size() << " bytes");
      REQUIRE(code_of(ByteView(sealed.object).first(size)) == ErrorCode::integrity);
    }
    for (const std::size_t more : {1, 4, 16, 1000}) {
      Bytes longer = sealed.object;
      longer.resize(longer.size() + more);
      CHECK(code_of(longer) == ErrorCode::integrity);
    }
    CHECK(code_of(join({sealed.object, index_of(sealed.object)})) == ErrorCode::integrity);
    CHECK(code_of(join({sealed.object, sealed.object})) == ErrorCode::integrity);
  }
}

TEST_CASE("frames that were swapped, doubled, dropped or spliced in do not open") {
  for (const Suite suite : {Suite::aes_256_gcm, Suite::aes_256_cbc_hmac_sha256}) {
    // Frames of equal size, so that only the seals can tell.
    const ContainerHeader header = small_header(suite, Codec::none);
    const Sealed one = seal_object(header, rows(4 * 4096, 1));
    const Sealed two = seal_object(header, rows(4 * 4096, 2));
    const Bytes start = before_frames(one.object);
    const Bytes index = index_of(one.object);
    const auto frame = frames_of(one.object);
    const auto other = frames_of(two.object);
    REQUIRE(code_of(join({start, frame[0], frame[1], frame[2], frame[3], index})) == kOpened);

    CHECK(code_of(join({start, frame[1], frame[0], frame[2], frame[3], index})) ==
          ErrorCode::integrity);
    CHECK(code_of(join({start, frame[0], frame[0], frame[2], frame[3], index})) ==
          ErrorCode::integrity);
    CHECK(code_of(join({start, frame[0], frame[2], frame[3], index})) == ErrorCode::integrity);
    CHECK(code_of(join({start, frame[0], frame[1], frame[2], index})) == ErrorCode::integrity);
    CHECK(code_of(join({start, frame[0], frame[1], frame[2], index_of(one.object)})) ==
          ErrorCode::integrity);
    CHECK(code_of(join({start, frame[3], index})) == ErrorCode::integrity);
    CHECK(code_of(join({start, frame[0], other[1], frame[2], frame[3], index})) ==
          ErrorCode::integrity);
    CHECK(code_of(join({start, frame[0], frame[1], frame[2], other[3], index})) ==
          ErrorCode::integrity);
    CHECK(code_of(join({start, frame[0], frame[1], frame[2], frame[3], index_of(two.object)})) ==
          ErrorCode::integrity);
    CHECK(code_of(join({start, frame[0], frame[1], frame[2], frame[3]})) == ErrorCode::integrity);
  }
}

TEST_CASE("a frame opens in its own object and place only, though the key be the same") {
  for (const Suite suite : {Suite::aes_256_gcm, Suite::aes_256_cbc_hmac_sha256}) {
    const Key256 key = random_key();
    const ContainerHeader header = small_header(suite);
    const auto cipher_of = [&](auto change) {
      ContainerHeader other = header;
      change(other);
      return FrameCipher(suite, encode_header(other), key);
    };
    const FrameCipher cipher(suite, encode_header(header), key);
    const Bytes text = to_bytes("compressed");
    const Bytes frame = cipher.seal(text, 5, false);
    const ByteView sealed = ByteView(frame).subspan(kFrameHead);
    CHECK(cipher.open(sealed, 5, false) == text);
    CHECK_THROWS_AS(cipher.open(sealed, 5, true), Error);
    CHECK_THROWS_AS(cipher.open(sealed, 4, false), Error);
    CHECK_THROWS_AS(cipher.open(sealed, 5 + (std::uint64_t{1} << 32), false), Error);
    CHECK_THROWS_AS(FrameCipher(suite, encode_header(header), random_key()).open(sealed, 5, false),
                    Error);
    const FrameCipher others[] = {cipher_of([](auto& h) { h.name = "shop/other"; }),
                                  cipher_of([](auto& h) { h.part = 2; }),
                                  cipher_of([](auto& h) { h.cluster = Uuid::random(); }),
                                  cipher_of([](auto& h) { h.backup = Uuid::random(); })};
    for (const FrameCipher& other : others) CHECK_THROWS_AS(other.open(sealed, 5, false), Error);

    // Nor does an index pass for a frame or a frame for an index.
    const std::vector<std::uint32_t> sizes = {100, 200};
    const Bytes index = cipher.seal_index(sizes);
    const ByteView sealed_index = ByteView(index).first(index.size() - kTrailerSize);
    CHECK(cipher.open_index(index) == sizes);
    CHECK_THROWS_AS(cipher.open(sealed_index, 0, false), Error);
    CHECK_THROWS_AS(cipher.open(sealed_index, 0, true), Error);
  }
}

TEST_CASE("an object whose name was rewritten does not open") {
  const Sealed sealed = seal_object(small_header(), rows(100));
  ContainerHeader renamed = sealed.header;
  renamed.name.back() = 'd';
  const Bytes header = encode_header(renamed);
  CHECK(code_of(join({header, ByteView(sealed.object).subspan(header.size())})) ==
        ErrorCode::integrity);
}

TEST_CASE("even a writer with the key cannot end an object twice, early or never") {
  const Sealed like = seal_object(small_header(Suite::aes_256_gcm, Codec::none), rows(10));
  const Bytes full = rows(4096);
  const Bytes part = rows(100);
  CHECK(code_of(forge(like, {{full, false}, {part, true}})) == kOpened);
  CHECK(code_of(forge(like, {{full, false}, {full, true}})) == kOpened);
  CHECK(code_of(forge(like, {{full, false}, {full, false}})) == ErrorCode::integrity);
  CHECK(code_of(forge(like, {{full, true}, {part, true}})) == ErrorCode::integrity);
  CHECK(code_of(forge(like, {{part, false}, {part, true}})) == ErrorCode::integrity);
  CHECK(code_of(forge(like, {{full, false}, {{}, true}})) == ErrorCode::integrity);
  CHECK(code_of(forge(like, {{rows(4097), true}})) == ErrorCode::integrity);
}

TEST_CASE("impossible frame heads, trailers and indexes are refused before memory is taken") {
  const auto refused = [](auto&& parse) {
    try {
      parse();
    } catch (const Error& error) {
      return error.code() == ErrorCode::integrity;
    }
    return false;
  };
  for (const char* head :
       {"", "000000", "00000000", "0000000f", "80000000", "7fffffff", "ffffffff", "00110001"})
    CHECK(refused([&] { parse_frame_head(from_hex(head)); }));
  CHECK(parse_frame_head(from_hex("80000010")).last);
  CHECK(parse_frame_head(from_hex("00110000")).sealed_size == 0x110000);
  for (const char* trailer :
       {"", "0000000000000014626b70690d0a1a", "0000000000000014626b70690d0a1a0b",
        "0000000000000013626b70690d0a1a0a", "ffffffffffffffff626b70690d0a1a0a",
        "0000000000400041626b70690d0a1a0a"})
    CHECK(refused([&] { parse_trailer(from_hex(trailer)); }));
  CHECK(parse_trailer(from_hex("0000000000000014626b70690d0a1a0a")) == 0x14 + kTrailerSize);

  const FrameCipher cipher(Suite::aes_256_gcm, encode_header(small_header()), random_key());
  CHECK_THROWS_AS(cipher.seal_index({}), Error);
  CHECK(refused([&] { cipher.open_index(cipher.seal_index(std::vector<std::uint32_t>{3})); }));
  Bytes index = cipher.seal_index(std::vector<std::uint32_t>{100, 200});
  CHECK(refused([&] { cipher.open_index(ByteView(index).subspan(1)); }));
  index.insert(index.begin(), std::byte{});
  CHECK(refused([&] { cipher.open_index(index); }));
}
