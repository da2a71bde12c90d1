#include "repo/rewrap_manifest.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "repo/manifest.h"
#include "repo/manifest_envelope.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

// Adds what is missing to the slots of one key. False: nothing was.
bool add_slots(Json& json, const KeyRing& keys) {
  std::vector<KeySlot> slots = decode_slots_json(json);
  const Key256 key = keys.unwrap(slots);
  bool changed = false;
  for (const Uuid& id : keys.recipients()) {
    const bool there = std::any_of(slots.begin(), slots.end(), [&id](const KeySlot& slot) {
      return slot.type == SlotType::aes256_master && slot.key_id == id;
    });
    if (there) continue;
    slots.push_back(keys.wrap_for(id, key));
    changed = true;
  }
  if (changed) json = encode_slots_json(slots);
  return changed;
}

}  // namespace

void prove_manifest_opens(std::string_view text, const KeyRing& keys) {
  for (const StoredObject& object : decode_manifest(text, keys).objects) keys.unwrap(object.slots);
}

std::optional<std::string> rewrap_manifest(std::string_view text, const KeyRing& keys) {
  prove_manifest_opens(text, keys);
  std::string_view digits;
  Json json = Json::parse(std::string(split_mac(text, digits)) + "}");
  const Key256 key = keys.unwrap(decode_slots_json(json.at("slots")));
  bool changed = add_slots(json.at("slots"), keys);
  for (Json& object : json.at("objects")) changed |= add_slots(object.at("slots"), keys);
  if (!changed) return std::nullopt;
  std::string made = with_mac(key, json.dump());
  prove_manifest_opens(made, keys);
  return made;
}

}  // namespace bkp
