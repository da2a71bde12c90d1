#include "config/env_file.h"
#include "fuzz/fuzz.h"

using namespace bkp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::accepts(ErrorCode::usage, [&] {
    for (const auto& [name, value] : parse_env_file(as_text(fuzz::view(data, size)), "/s.env"))
      fuzz::require(!name.empty() && value.reveal().size() < size);
  });
  return 0;
}
