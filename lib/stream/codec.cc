#include "stream/codec.h"

#include <fmt/format.h>
#include <libdeflate.h>
#include <zstd.h>

#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <new>

#include "base/error.h"

namespace bkp {
namespace {

struct CodecInfo {
  Codec codec;
  std::string_view name;
  std::string_view extension;
  int default_level;
  int last_level;  // the first is 1; 0: the codec has no levels
};
constexpr CodecInfo kCodecs[] = {{Codec::none, "none", "", 0, 0},
                                 {Codec::gzip, "gzip", ".gz", 6, 9},
                                 {Codec::zstd, "zstd", ".zst", 3, 19}};

const CodecInfo* find_codec(std::string_view name) {
  for (const CodecInfo& info : kCodecs)
    if (info.name == name) return &info;
  return nullptr;
}

const CodecInfo& info_of(Codec codec) {
  for (const CodecInfo& info : kCodecs)
    if (info.codec == codec) return info;
  throw Error(ErrorCode::failed, fmt::format("unknown codec {}", static_cast<unsigned>(codec)));
}

// Measured over 1 MiB blocks of pg_dump streams (tests/bench/gzip_levels.cc): for each zlib level
// the fastest libdeflate level whose output was no larger in any of the mixes of tables tried.
constexpr std::array<int, 10> kLibdeflateLevels = {0, 1, 1, 1, 2, 4, 5, 5, 6, 6};

// libdeflate's and libzstd's contexts are 1 MiB and more, and no two threads may share one.
struct FreeCompressor {
  void operator()(libdeflate_compressor* it) const { libdeflate_free_compressor(it); }
};
struct FreeDecompressor {
  void operator()(libdeflate_decompressor* it) const { libdeflate_free_decompressor(it); }
};
struct FreeZstdCompressor {
  void operator()(ZSTD_CCtx* it) const { ZSTD_freeCCtx(it); }
};
struct FreeZstdDecompressor {
  void operator()(ZSTD_DCtx* it) const { ZSTD_freeDCtx(it); }
};

template <typename Pointer>
auto* need(const Pointer& pointer) {
  if (!pointer) throw std::bad_alloc();
  return pointer.get();
}

libdeflate_compressor* gzip_compressor(int level) {
  thread_local std::map<int, std::unique_ptr<libdeflate_compressor, FreeCompressor>> kept;
  auto& compressor = kept[level];
  if (!compressor) compressor.reset(libdeflate_alloc_compressor(level));
  return need(compressor);
}

libdeflate_decompressor* gzip_decompressor() {
  thread_local const std::unique_ptr<libdeflate_decompressor, FreeDecompressor> kept(
      libdeflate_alloc_decompressor());
  return need(kept);
}

ZSTD_CCtx* zstd_compressor() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeZstdCompressor> kept(ZSTD_createCCtx());
  return need(kept);
}

ZSTD_DCtx* zstd_decompressor() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeZstdDecompressor> kept(ZSTD_createDCtx());
  return need(kept);
}

Bytes compress_gzip(int level, ByteView block) {
  libdeflate_compressor* const compressor =
      gzip_compressor(kLibdeflateLevels.at(static_cast<std::size_t>(level)));
  Bytes out(libdeflate_gzip_compress_bound(compressor, block.size()));
  const std::size_t size =
      libdeflate_gzip_compress(compressor, block.data(), block.size(), out.data(), out.size());
  if (size == 0) throw Error(ErrorCode::failed, "cannot compress a block with gzip");
  out.resize(size);
  return out;
}

Bytes compress_zstd(int level, ByteView block) {
  ZSTD_CCtx* const compressor = zstd_compressor();
  ZSTD_CCtx_reset(compressor, ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(compressor, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(compressor, ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(compressor, ZSTD_c_contentSizeFlag, 1);
  Bytes out(ZSTD_compressBound(block.size()));
  const std::size_t size =
      ZSTD_compress2(compressor, out.data(), out.size(), block.data(), block.size());
  if (ZSTD_isError(size))
    throw Error(ErrorCode::failed,
                fmt::format("cannot compress a block with zstd: {}", ZSTD_getErrorName(size)));
  out.resize(size);
  return out;
}

Error damaged(Codec codec, std::string_view why) {
  return {ErrorCode::integrity, fmt::format("damaged {} block: {}", codec_name(codec), why)};
}

std::size_t checked_size(Codec codec, std::uint64_t size, std::size_t limit) {
  if (size > limit)
    throw damaged(codec, fmt::format("it holds {} bytes where {} may be", size, limit));
  return static_cast<std::size_t>(size);
}

Bytes decompress_gzip(ByteView data, std::size_t limit) {
  constexpr std::size_t kShortest = 10 + 2 + 8;  // header, an empty deflate block, trailer
  if (data.size() < kShortest) throw damaged(Codec::gzip, "cut off");
  // RFC 1952: the last four bytes of a member are its plain size, little-endian. Proved by
  // libdeflate below, it only says how much memory to take.
  const ByteView tail = data.last(4);
  std::uint32_t size = 0;
  for (std::size_t i = 4; i-- > 0;) size = size << 8 | std::to_integer<std::uint32_t>(tail[i]);
  Bytes out(checked_size(Codec::gzip, size, limit));
  std::byte nothing{};
  std::size_t taken = 0;
  std::size_t made = 0;
  const libdeflate_result result =
      libdeflate_gzip_decompress_ex(gzip_decompressor(), data.data(), data.size(),
                                    out.empty() ? &nothing : out.data(), out.size(), &taken, &made);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE)
    throw damaged(Codec::gzip, "it holds more than its size says");
  if (result != LIBDEFLATE_SUCCESS)
    throw damaged(Codec::gzip, "its checksum or structure is wrong");
  if (taken != data.size()) throw damaged(Codec::gzip, "bytes behind its end");
  if (made != out.size()) throw damaged(Codec::gzip, "it holds less than its size says");
  return out;
}

Bytes decompress_zstd(ByteView data, std::size_t limit) {
  // RFC 8878, 3.1.1: magic, then the descriptor whose bit 2 says that a checksum follows.
  constexpr std::array<std::byte, 4> kMagic{std::byte{0x28}, std::byte{0xb5}, std::byte{0x2f},
                                            std::byte{0xfd}};
  if (data.size() < 6) throw damaged(Codec::zstd, "cut off");
  if (!std::equal(kMagic.begin(), kMagic.end(), data.begin()))
    throw damaged(Codec::zstd, "no zstd frame");
  if ((data[4] & std::byte{0x04}) == std::byte{}) throw damaged(Codec::zstd, "it has no checksum");
  const std::size_t frame = ZSTD_findFrameCompressedSize(data.data(), data.size());
  if (ZSTD_isError(frame)) throw damaged(Codec::zstd, ZSTD_getErrorName(frame));
  if (frame != data.size()) throw damaged(Codec::zstd, "bytes behind its end");
  const unsigned long long size = ZSTD_getFrameContentSize(data.data(), data.size());
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size == ZSTD_CONTENTSIZE_ERROR)
    throw damaged(Codec::zstd, "it does not say its size");
  Bytes out(checked_size(Codec::zstd, size, limit));
  const std::size_t made =
      ZSTD_decompressDCtx(zstd_decompressor(), out.data(), out.size(), data.data(), data.size());
  if (ZSTD_isError(made)) throw damaged(Codec::zstd, ZSTD_getErrorName(made));
  if (made != out.size()) throw damaged(Codec::zstd, "it holds less than its size says");
  return out;
}

}  // namespace

Compression parse_compression(std::string_view text) {
  const std::size_t colon = text.find(':');
  const CodecInfo* const info = find_codec(text.substr(0, colon));
  const auto refuse = [&] {
    return Error(ErrorCode::usage, fmt::format("unknown compression '{}'", text),
                 "use gzip:1 … gzip:9, zstd:1 … zstd:19, or none");
  };
  if (info == nullptr) throw refuse();
  if (colon == std::string_view::npos) return {info->codec, info->default_level};
  const std::string_view digits = text.substr(colon + 1);
  int level = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), level);
  const bool number = error == std::errc{} && end == digits.data() + digits.size();
  if (!number || digits.front() == '0' || level < 1 || level > info->last_level) throw refuse();
  return {info->codec, level};
}

std::string to_string(const Compression& compression) {
  const CodecInfo& info = info_of(compression.codec);
  if (info.last_level == 0) return std::string(info.name);
  return fmt::format("{}:{}", info.name, compression.level);
}

std::string_view codec_name(Codec codec) { return info_of(codec).name; }

Codec parse_codec(std::string_view name) {
  if (const CodecInfo* const info = find_codec(name)) return info->codec;
  throw Error(ErrorCode::failed, fmt::format("unknown codec '{}'", name));
}

std::string_view codec_extension(Codec codec) { return info_of(codec).extension; }

Bytes compress_block(const Compression& compression, ByteView block) {
  const CodecInfo& info = info_of(compression.codec);
  if (compression.codec == Codec::none) return to_bytes(block);
  if (compression.level < 1 || compression.level > info.last_level)
    throw Error(ErrorCode::failed, fmt::format("{} has no level {}", info.name, compression.level));
  return compression.codec == Codec::gzip ? compress_gzip(compression.level, block)
                                          : compress_zstd(compression.level, block);
}

Bytes decompress_block(Codec codec, ByteView data, std::size_t limit) {
  switch (codec) {
    case Codec::none:
      checked_size(codec, data.size(), limit);
      return to_bytes(data);
    case Codec::gzip:
      return decompress_gzip(data, limit);
    case Codec::zstd:
      return decompress_zstd(data, limit);
  }
  throw Error(ErrorCode::integrity, fmt::format("unknown codec {}", static_cast<unsigned>(codec)));
}

}  // namespace bkp
