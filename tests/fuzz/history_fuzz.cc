#include "catalog/history.h"
#include "fuzz/fuzz.h"

using namespace bkp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text(fuzz::view(data, size));
  fuzz::accepts(ErrorCode::integrity,
                [&] { fuzz::require(encode_history(decode_history(text)) == text); });
  return 0;
}
