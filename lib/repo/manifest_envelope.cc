#include "repo/manifest_envelope.h"

#include <nlohmann/json.hpp>

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

// The last field. Everything before it, byte for byte, is what the HMAC covers, so that no rule
// about how JSON is written is needed.
constexpr std::string_view kMacField = ",\"hmac\":\"";
constexpr std::string_view kEnd = "\"}\n";
constexpr std::size_t kMacDigits = 64;

Digest256 manifest_mac(const Key256& key, std::string_view body) {
  return hmac_sha256(derive_key(key, "bkp v1 manifest mac").reveal(), as_bytes(body));
}

}  // namespace

Error damaged_manifest(std::string_view why) {
  return {ErrorCode::integrity, "the manifest is damaged: " + std::string(why)};
}

Json encode_slots_json(const std::vector<KeySlot>& slots) {
  Json json = Json::array();
  for (const KeySlot& slot : slots)
    json.push_back({{"type", static_cast<int>(slot.type)},
                    {"key_id", slot.key_id.text()},
                    {"wrapped", to_base64(slot.wrapped)}});
  return json;
}

std::vector<KeySlot> decode_slots_json(const Json& json) {
  std::vector<KeySlot> slots;
  for (const Json& entry : json) {
    KeySlot slot;
    slot.type = static_cast<SlotType>(entry.at("type").get<int>());
    const std::string id = entry.at("key_id").get<std::string>();
    const std::optional<Uuid> uuid = Uuid::parse(id);
    if (!uuid) throw damaged_manifest("not a UUID: '" + id + "'");
    slot.key_id = *uuid;
    slot.wrapped = from_base64(entry.at("wrapped").get<std::string>());
    slots.push_back(std::move(slot));
  }
  return slots;
}

std::string_view split_mac(std::string_view text, std::string_view& digits) {
  const std::size_t tail = kMacField.size() + kMacDigits + kEnd.size();
  if (text.size() < tail || !text.ends_with(kEnd)) throw damaged_manifest("it is cut short");
  const std::string_view body = text.substr(0, text.size() - tail);
  if (text.substr(body.size(), kMacField.size()) != kMacField)
    throw damaged_manifest("it does not end in its HMAC");
  digits = text.substr(body.size() + kMacField.size(), kMacDigits);
  return body;
}

bool mac_matches(const Key256& key, std::string_view body, std::string_view digits) {
  return equal_digests(manifest_mac(key, body), from_hex(digits));
}

std::string with_mac(const Key256& key, std::string json) {
  json.pop_back();  // the closing brace comes after the HMAC
  const std::string mac = to_hex(manifest_mac(key, json));
  json.append(kMacField).append(mac).append(kEnd);
  return json;
}

}  // namespace bkp
