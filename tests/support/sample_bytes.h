// Bytes that no codec shrinks and no two seeds share, the same in every run.
#pragma once

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace bkp::test {

inline Bytes sample_bytes(std::size_t size, unsigned seed = 0) {
  Bytes out(size);
  std::uint64_t state = 0x9e3779b97f4a7c15U * (seed + 1);
  for (std::size_t at = 0; at < size; at += sizeof state) {
    state ^= state << 13;  // xorshift64
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(out.data() + at, &state, std::min(sizeof state, size - at));
  }
  return out;
}

}  // namespace bkp::test
