#include "base/zone.h"
#include "fuzz/fuzz.h"

using namespace bkp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::accepts(ErrorCode::failed, [&] {
    const Zone zone = Zone::parse(fuzz::view(data, size));
    for (const char* text :
         {"0001-01-01T00:00:00Z", "2026-07-01T12:00:00Z", "9999-12-31T00:00:00Z"}) {
      const TimePoint time = parse_rfc3339(text);
      for (const TimePoint moment : zone.moments(LocalTime(time.time_since_epoch())))
        fuzz::require(moment + zone.offset_at(moment) == time);
    }
  });
  return 0;
}
