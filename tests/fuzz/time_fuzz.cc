// What people and stores write of times, sizes and durations.
#include "base/clock.h"
#include "base/units.h"
#include "fuzz/fuzz.h"

using namespace bkp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = as_text(fuzz::view(data, size));
  fuzz::accepts(ErrorCode::usage, [&] { parse_user_time(text); });
  fuzz::accepts(ErrorCode::failed, [&] {
    const TimePoint time = parse_rfc3339(text);
    fuzz::require(parse_rfc3339(format_utc(time)) == time);
  });
  fuzz::accepts(ErrorCode::usage, [&] { format_size(parse_size(text)); });
  fuzz::accepts(ErrorCode::usage,
                [&] { fuzz::require(parse_duration(text) >= std::chrono::seconds(0)); });
  return 0;
}
