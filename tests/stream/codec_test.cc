#include "stream/codec.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "base/error.h"

using namespace bkp;

namespace {

const Compression kAll[] = {
    {Codec::none, 0}, {Codec::gzip, 1}, {Codec::gzip, 9}, {Codec::zstd, 1}, {Codec::zstd, 19}};

// Rows as a COPY of shared tables has them: keys, a tenant's id again and again, words, times.
Bytes dump_like(std::size_t size, unsigned seed) {
  static const char* const kWords[] = {
      "gold",     "silver",   "ring",     "necklace", "bracelet",  "diamond", "engraved", "repair",
      "customer", "invoice",  "paid",     "pending",  "stone",     "carat",   "chain",    "pendant",
      "watch",    "battery",  "cleaned",  "gift",     "wedding",   "clasp",   "shipping", "urgent",
      "address",  "returned", "platinum", "sapphire", "appraisal", "strap",   "message",  "friday"};
  static const char* const kStates[] = {"paid", "pending", "shipped", "returned"};
  std::mt19937_64 random(seed);
  std::string out;
  for (unsigned row = 0; out.size() < size; ++row) {
    const auto tenant = random() % 40 * 0x9e3779b97f4a7c15U;
    out += fmt::format("{}\t{:016x}-{:016x}\t{:016x}\t{}.{:02}\t{}\tcustomer{}@example.com\t", row,
                       random(), random(), tenant, random() % 5000, random() % 100,
                       kStates[random() % 4], random() % 9000);
    for (auto words = random() % 10; words > 0; --words)
      out += std::string(kWords[random() % 32]) + ' ';
    out += fmt::format("\t2026-{:02}-{:02} {:02}:{:02}:{:02}+00\t\\N\n", 1 + random() % 12,
                       1 + random() % 28, random() % 24, random() % 60, random() % 60);
  }
  out.resize(size);
  return to_bytes(out);
}

Bytes random_bytes(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  Bytes out(size);
  for (std::byte& byte : out) byte = static_cast<std::byte>(random());
  return out;
}

std::size_t zlib_size(ByteView block, int level) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::vector<Bytef> out(deflateBound(&stream, block.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(block.data()));
  stream.avail_in = static_cast<uInt>(block.size());
  stream.next_out = out.data();
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  const std::size_t size = stream.total_out;
  deflateEnd(&stream);
  return size;
}

// What gunzip does: members one after another.
Bytes gunzip(Bytes file) {
  Bytes out;
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(file.data());
  stream.avail_in = static_cast<uInt>(file.size());
  Bytes buffer(1 << 16);
  while (stream.avail_in > 0) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    const int result = inflate(&stream, Z_NO_FLUSH);
    REQUIRE((result == Z_OK || result == Z_STREAM_END));
    append(out, ByteView(buffer).first(buffer.size() - stream.avail_out));
    if (result == Z_STREAM_END) inflateReset(&stream);
  }
  inflateEnd(&stream);
  return out;
}

ErrorCode code_of(Codec codec, ByteView data, std::size_t limit) {
  try {
    decompress_block(codec, data, limit);
  } catch (const Error& error) {
    return error.code();
  }
  return static_cast<ErrorCode>(0);
}

}  // namespace

TEST_CASE("a compression is written as codec and level, one spelling for each") {
  for (const char* text : {"none", "gzip:1", "gzip:9", "zstd:1", "zstd:19"})
    CHECK(to_string(parse_compression(text)) == text);
  CHECK(to_string(parse_compression("gzip")) == "gzip:6");
  CHECK(to_string(parse_compression("zstd")) == "zstd:3");
  for (const char* refused :
       {"", "gzip:", "gzip:0", "gzip:10", "gzip:09", "gzip:-1", "gzip: 1", "gzip:1 ", "gzip:1x",
        "zstd:20", "zstd:0", "none:1", "lz4", "GZIP:1", "gzip:9:9", "gzip:99999999999999999999"}) {
    INFO(refused);
    try {
      parse_compression(refused);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::usage);
      CHECK_FALSE(error.hint().empty());
    }
  }
}

TEST_CASE("a codec has a name and a file extension") {
  for (const Codec codec : {Codec::none, Codec::gzip, Codec::zstd})
    CHECK(parse_codec(codec_name(codec)) == codec);
  CHECK(codec_extension(Codec::none) == "");
  CHECK(codec_extension(Codec::gzip) == ".gz");
  CHECK(codec_extension(Codec::zstd) == ".zst");
  CHECK_THROWS_AS(parse_codec("lz4"), Error);
}

TEST_CASE("a block of any size and kind goes there and back") {
  for (const Compression& compression : kAll) {
    for (const std::size_t size : {0, 1, 2, 100, 4095, 65536, 1 << 20}) {
      INFO(to_string(compression) << ", " << size << " bytes");
      for (const Bytes& block : {dump_like(size, 1), random_bytes(size, 2), Bytes(size)}) {
        const Bytes packed = compress_block(compression, block);
        CHECK(decompress_block(compression.codec, packed, size) == block);
        if (size > 0) CHECK(code_of(compression.codec, packed, size - 1) == ErrorCode::integrity);
      }
    }
  }
}

TEST_CASE("members one after another are a gzip file, frames a zstd file") {
  const Bytes first = dump_like(100'000, 3);
  const Bytes second = dump_like(5'000, 4);
  Bytes all = first;
  append(all, second);
  Bytes gzip = compress_block({Codec::gzip, 6}, first);
  append(gzip, compress_block({Codec::gzip, 6}, {}));
  append(gzip, compress_block({Codec::gzip, 6}, second));
  CHECK(gunzip(gzip) == all);
  Bytes zstd = compress_block({Codec::zstd, 3}, first);
  append(zstd, compress_block({Codec::zstd, 3}, {}));
  append(zstd, compress_block({Codec::zstd, 3}, second));
  Bytes plain(all.size());
  CHECK(ZSTD_decompress(plain.data(), plain.size(), zstd.data(), zstd.size()) == all.size());
  CHECK(plain == all);
}

TEST_CASE("a gzip level packs a dump no larger than zlib's level of that number") {
  const Bytes dump = dump_like(std::size_t{4} << 20, 5);
  std::size_t before = dump.size();
  for (int level = 1; level <= 9; ++level) {
    std::size_t ours = 0;
    std::size_t theirs = 0;
    for (std::size_t at = 0; at < dump.size(); at += 1 << 20) {
      const ByteView block = ByteView(dump).subspan(at, 1 << 20);
      ours += compress_block({Codec::gzip, level}, block).size();
      theirs += zlib_size(block, level);
    }
    INFO("gzip:" << level << ": " << ours << " bytes, zlib " << theirs);
    CHECK(ours <= theirs);
    CHECK(ours <= before);
    before = ours;
  }
}

TEST_CASE("a block is refused when it is cut, has something behind it, or a bit is wrong") {
  const Bytes plain = dump_like(3'000, 6);
  for (const Compression& compression :
       {Compression{Codec::gzip, 9}, Compression{Codec::zstd, 3}}) {
    const Bytes packed = compress_block(compression, plain);
    for (std::size_t size = 0; size < packed.size(); ++size) {
      INFO(to_string(compression) << " cut to " << size);
      REQUIRE(code_of(compression.codec, ByteView(packed).first(size), 1 << 20) ==
              ErrorCode::integrity);
    }
    const Bytes empty = compress_block(compression, {});
    const Bytes skippable = from_hex("502a4d1800000000");  // zstd's own way to say nothing
    for (const ByteView more :
         {ByteView(packed).first(1), ByteView(packed), ByteView(empty), ByteView(skippable)}) {
      Bytes longer = packed;
      append(longer, more);
      CHECK(code_of(compression.codec, longer, 1 << 20) == ErrorCode::integrity);
    }
    for (std::size_t at = 0; at < packed.size() * 8; ++at) {
      // Time, extra flags and system of a gzip header mean nothing for the bytes.
      if (compression.codec == Codec::gzip && at / 8 >= 4 && at / 8 < 10) continue;
      Bytes damaged = packed;
      damaged[at / 8] ^= std::byte{1} << (at % 8);
      INFO(to_string(compression) << ", bit " << at);
      Bytes out;
      try {
        out = decompress_block(compression.codec, damaged, 1 << 20);
      } catch (const Error& error) {
        REQUIRE(error.code() == ErrorCode::integrity);
        continue;
      }
      REQUIRE(out == plain);  // unused bits of the deflate stream may be anything
    }
  }
}

TEST_CASE("a bomb is refused before memory is taken for it") {
  const Bytes zeros(std::size_t{64} << 20);
  for (const Compression& compression :
       {Compression{Codec::gzip, 9}, Compression{Codec::zstd, 3}}) {
    Bytes bomb = compress_block(compression, zeros);
    CHECK(code_of(compression.codec, bomb, 1 << 20) == ErrorCode::integrity);
    if (compression.codec == Codec::gzip) {
      // A size that lies.
      for (std::size_t i = 1; i <= 4; ++i) bomb[bomb.size() - i] = std::byte{0};
      CHECK(code_of(compression.codec, bomb, 1 << 20) == ErrorCode::integrity);
    }
  }
}

TEST_CASE("a zstd frame without a checksum or a size is refused, and so is a skippable one") {
  const Bytes plain = dump_like(3'000, 7);
  Bytes out(ZSTD_compressBound(plain.size()));
  for (const auto& [checksum, content_size] : {std::pair(0, 1), std::pair(1, 0)}) {
    ZSTD_CCtx* const context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, content_size);
    const std::size_t size =
        ZSTD_compress2(context, out.data(), out.size(), plain.data(), plain.size());
    ZSTD_freeCCtx(context);
    REQUIRE_FALSE(ZSTD_isError(size));
    CHECK(code_of(Codec::zstd, ByteView(out).first(size), 1 << 20) == ErrorCode::integrity);
  }
  CHECK(code_of(Codec::zstd, from_hex("502a4d180400000001020304"), 1 << 20) ==
        ErrorCode::integrity);
}

TEST_CASE("blocks compress and decompress on several threads at once") {
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (unsigned i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      for (const Compression& compression : kAll) {
        const Bytes block = dump_like(50'000 + i, i);
        if (decompress_block(compression.codec, compress_block(compression, block), 1 << 20) !=
            block)
          ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == 0);
}
