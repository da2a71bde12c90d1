// What the fuzz targets share: a parser accepts its input or throws the Error it promises; anything
// else is a finding.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "base/bytes.h"
#include "base/error.h"

namespace bkp::fuzz {

inline void require(bool good) {
  if (!good) std::abort();
}

// False: `parse` refused its input with `code`.
template <typename Parse>
bool accepts(ErrorCode code, Parse&& parse) {
  try {
    parse();
    return true;
  } catch (const Error& error) {
    require(error.code() == code);
    return false;
  }
}

inline ByteView view(const std::uint8_t* data, std::size_t size) {
  return std::as_bytes(std::span(data, size));
}

}  // namespace bkp::fuzz
