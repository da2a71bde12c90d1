#include "stream/memory_stream.h"

#include <algorithm>

#include "base/error.h"

namespace bkp {

std::size_t MemorySource::read(std::span<std::byte> out) {
  const std::size_t count = std::min(out.size(), data_.size() - at_);
  std::copy_n(data_.begin() + static_cast<std::ptrdiff_t>(at_), count, out.begin());
  at_ += count;
  return count;
}

Bytes read_all(Source& from, std::size_t limit) {
  Bytes all;
  Bytes buffer(std::min<std::size_t>(limit + 1, std::size_t{64} << 10));
  while (const std::size_t count = from.read(buffer)) {
    append(all, ByteView(buffer).first(count));
    if (all.size() > limit)
      throw Error(ErrorCode::failed, "longer than " + std::to_string(limit) + " bytes");
  }
  return all;
}

}  // namespace bkp
