// gzip_levels FILE: the sizes and speeds of zlib's and libdeflate's levels over a file's 1 MiB
// blocks, and for each zlib level the fastest libdeflate level whose output is no larger: the
// table in lib/stream/codec.cc. Meant for the output of pg_dump -Fc -Z0.
#include <fmt/format.h>
#include <libdeflate.h>
#include <zlib.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <vector>

#include "base/fd.h"

namespace {

constexpr std::size_t kBlock = std::size_t{1} << 20;

struct Result {
  std::size_t size = 0;
  double seconds = 0;
};

Result measure(bkp::ByteView all, const std::function<std::size_t(bkp::ByteView)>& compress) {
  Result result;
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t at = 0; at < all.size(); at += kBlock)
    result.size += compress(all.subspan(at, std::min(kBlock, all.size() - at)));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

Result with_zlib(bkp::ByteView all, int level) {
  z_stream stream{};
  deflateInit2(&stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::vector<Bytef> out(deflateBound(&stream, kBlock));
  const Result result = measure(all, [&](bkp::ByteView block) {
    deflateReset(&stream);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(block.data()));
    stream.avail_in = static_cast<uInt>(block.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    return stream.total_out;
  });
  deflateEnd(&stream);
  return result;
}

Result with_libdeflate(bkp::ByteView all, int level) {
  const std::unique_ptr<libdeflate_compressor, void (*)(libdeflate_compressor*)> compressor(
      libdeflate_alloc_compressor(level), libdeflate_free_compressor);
  std::vector<char> out(libdeflate_gzip_compress_bound(compressor.get(), kBlock));
  return measure(all, [&](bkp::ByteView block) {
    return libdeflate_gzip_compress(compressor.get(), block.data(), block.size(), out.data(),
                                    out.size());
  });
}

void print(const char* library, int level, const Result& result, std::size_t plain) {
  fmt::print("{:10} {:2}  {:>12} bytes  ratio {:6.3f}  {:7.1f} MB/s\n", library, level, result.size,
             static_cast<double>(plain) / static_cast<double>(result.size),
             static_cast<double>(plain) / 1e6 / result.seconds);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: gzip_levels FILE\n");
    return 2;
  }
  const std::string content = bkp::read_file(argv[1]);
  const bkp::ByteView all = bkp::as_bytes(content);
  std::vector<Result> fast;
  for (int level = 1; level <= 12; ++level) {
    fast.push_back(with_libdeflate(all, level));
    print("libdeflate", level, fast.back(), all.size());
  }
  for (int level = 1; level <= 9; ++level) {
    const Result zlib = with_zlib(all, level);
    print("zlib", level, zlib, all.size());
    int best = 0;
    for (int other = 1; other <= 12; ++other) {
      const Result& candidate = fast[static_cast<std::size_t>(other - 1)];
      if (candidate.size > zlib.size) continue;
      if (best == 0 || candidate.seconds < fast[static_cast<std::size_t>(best - 1)].seconds)
        best = other;
    }
    fmt::print("gzip:{} -> libdeflate {}\n", level, best);
  }
  return 0;
}
