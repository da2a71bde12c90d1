#include "crypto/key.h"
#include "fuzz/fuzz.h"

using namespace bkp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::accepts(ErrorCode::usage, [&] {
    const KeyRing keys = parse_key_file(as_text(fuzz::view(data, size)), "keys.toml");
    fuzz::require(keys.active().secret.reveal().size() == 32);
  });
  return 0;
}
