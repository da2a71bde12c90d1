// The compression of one block on its own: a whole gzip member (RFC 1952) or a whole zstd frame
// (RFC 8878), so that blocks compress in parallel and their concatenation is a valid file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace bkp {

// The numbers are those of the container header.
enum class Codec : std::uint8_t { none = 0, gzip = 1, zstd = 2 };

struct Compression {
  Codec codec = Codec::gzip;
  // As the user writes it: zlib's density for gzip (1…9), zstd's own level (1…19) for zstd.
  int level = 9;
};

// "gzip:9", "zstd:3", "none"; without a level gzip:6, zstd:3. Throws Error(usage).
Compression parse_compression(std::string_view text);
std::string to_string(const Compression&);
std::string_view codec_name(Codec codec);       // "none", "gzip", "zstd"
Codec parse_codec(std::string_view name);       // the reverse; throws Error(failed)
std::string_view codec_extension(Codec codec);  // "", ".gz", ".zst"

// One block → one member or frame. A gzip level names zlib's density; it is met with the fastest
// libdeflate level whose output is no larger. Thread-safe (compressors are kept per thread).
Bytes compress_block(const Compression& compression, ByteView block);
// The reverse, strict: exactly one member or frame, nothing behind it, its checksum right, at most
// `limit` plain bytes. Throws Error(integrity). Thread-safe.
Bytes decompress_block(Codec codec, ByteView data, std::size_t limit);

}  // namespace bkp
