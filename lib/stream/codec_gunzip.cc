#include <fmt/format.h>
#include <zlib.h>

#include <new>

#include "base/error.h"
#include "stream/gunzip.h"

namespace bkp {
namespace {

constexpr int kGzipOnly = 15 + 16;

}  // namespace

struct GunzipSource::State {
  State(Source& source, std::string file)
      : from(source), name(std::move(file)), input(std::size_t{64} << 10) {
    if (inflateInit2(&zlib, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  ~State() { inflateEnd(&zlib); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Error damaged(const char* why) const {
    return {ErrorCode::integrity, fmt::format("'{}': {}", name, why)};
  }
  // False: the stream has ended.
  bool fill() {
    if (zlib.avail_in > 0) return true;
    const std::size_t count = from.read(input);
    zlib.next_in = reinterpret_cast<Bytef*>(input.data());
    zlib.avail_in = static_cast<uInt>(count);
    return count > 0;
  }

  Source& from;
  std::string name;
  Bytes input;
  z_stream zlib{};
  bool in_member = true;  // until its checksum was right
};

GunzipSource::GunzipSource(Source& from, std::string name)
    : state_(std::make_unique<State>(from, std::move(name))) {}
GunzipSource::~GunzipSource() = default;

std::size_t GunzipSource::read(std::span<std::byte> out) {
  z_stream& zlib = state_->zlib;
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = static_cast<uInt>(std::min<std::size_t>(out.size(), 1U << 30));
  const uInt room = zlib.avail_out;
  while (zlib.avail_out == room) {
    if (!state_->fill()) {
      if (state_->in_member) throw state_->damaged("its gzip stream ends early");
      return 0;
    }
    if (!state_->in_member) {
      if (inflateReset(&zlib) != Z_OK) throw state_->damaged("its gzip stream cannot go on");
      state_->in_member = true;
    }
    const int outcome = inflate(&zlib, Z_NO_FLUSH);
    if (outcome == Z_STREAM_END)
      state_->in_member = false;
    else if (outcome != Z_OK && outcome != Z_BUF_ERROR)
      throw state_->damaged("its gzip stream is damaged");
  }
  return room - zlib.avail_out;
}

}  // namespace bkp
