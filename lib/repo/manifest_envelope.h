// What a manifest's text is besides its fields: key slots as JSON, and the HMAC at its end. For
// manifest.cc and rewrap_manifest.cc.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "crypto/digest.h"
#include "crypto/key.h"

namespace bkp {

Error damaged_manifest(std::string_view why);

nlohmann::ordered_json encode_slots_json(const std::vector<KeySlot>& slots);
std::vector<KeySlot> decode_slots_json(const nlohmann::ordered_json& json);

// The text up to its HMAC (which is JSON but for the closing brace), and the HMAC's digits. Throws
// Error(integrity).
std::string_view split_mac(std::string_view text, std::string_view& digits);
// Whether they are those of the body, under the manifest's own key.
bool mac_matches(const Key256& key, std::string_view body, std::string_view digits);
// JSON, whole → the manifest's text.
std::string with_mac(const Key256& key, std::string json);

}  // namespace bkp
