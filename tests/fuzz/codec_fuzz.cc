// The first byte chooses the codec, the rest is a packed block.
#include "fuzz/fuzz.h"
#include "stream/codec.h"

using namespace bkp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::size_t kLimit = 1 << 20;
  const auto codec = static_cast<Codec>(data[0] % 3);
  fuzz::accepts(ErrorCode::integrity, [&] {
    const Bytes plain = decompress_block(codec, fuzz::view(data + 1, size - 1), kLimit);
    fuzz::require(plain.size() <= kLimit);
    fuzz::require(decompress_block(codec, compress_block({codec, 1}, plain), kLimit) == plain);
  });
  return 0;
}
