// <stem>.hold.json: nothing may remove this backup. It lies beside the manifest, so that every host
// sees it and a catalog that is built anew has it. Specified in bkp-repository(5).
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/uuid.h"
#include "crypto/key.h"

namespace bkp {

struct Hold {
  Uuid backup;
  std::string reason;
  std::string actor;
  std::string host;
  TimePoint since;
  friend bool operator==(const Hold&, const Hold&) = default;
};

// Why and by whom is sealed: it may tell about customers.
std::string encode_hold(const Hold& hold, const KeyRing& keys);
// Throws Error(integrity). One that does not open holds all the same.
Hold decode_hold(std::string_view text, const KeyRing& keys);

inline constexpr std::size_t kMaxHold = 1 << 20;

}  // namespace bkp
