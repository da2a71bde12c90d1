#include "repo/hold.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "crypto/sealed_box.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kLabel = "bkp v1 hold seal";

Error damaged(const std::string& why) {
  return {ErrorCode::integrity, "the hold is damaged: " + why};
}

}  // namespace

std::string encode_hold(const Hold& hold, const KeyRing& keys) {
  const Key256 key = random_key();
  const KeySlot slot = keys.wrap(key);
  const Json sealed = {{"reason", hold.reason},
                       {"actor", hold.actor},
                       {"host", hold.host},
                       {"since", format_utc(hold.since)}};
  Json json;
  json["bkp_hold"] = 1;
  json["id"] = hold.backup.text();
  json["slots"] = Json::array({{{"type", static_cast<int>(slot.type)},
                                {"key_id", slot.key_id.text()},
                                {"wrapped", to_base64(slot.wrapped)}}});
  const std::string text = sealed.dump(-1, ' ', false, Json::error_handler_t::replace);
  json["sealed"] = to_base64(seal_box(derive_key(key, kLabel), as_bytes(text), hold.backup.bytes));
  return json.dump() + "\n";
}

Hold decode_hold(std::string_view text, const KeyRing& keys) {
  try {
    const Json json = Json::parse(text);
    if (json.at("bkp_hold").get<int>() != 1) throw damaged("its format is not known");
    Hold hold;
    const auto id = Uuid::parse(json.at("id").get<std::string>());
    if (!id) throw damaged("it names no backup");
    hold.backup = *id;
    std::vector<KeySlot> slots;
    for (const Json& entry : json.at("slots")) {
      const auto key_id = Uuid::parse(entry.at("key_id").get<std::string>());
      if (!key_id) throw damaged("it names no key");
      slots.push_back({static_cast<SlotType>(entry.at("type").get<int>()), *key_id,
                       from_base64(entry.at("wrapped").get<std::string>())});
    }
    const Bytes opened =
        open_box(derive_key(keys.unwrap(slots), kLabel),
                 from_base64(json.at("sealed").get<std::string>()), hold.backup.bytes);
    const Json sealed = Json::parse(as_text(opened));
    hold.reason = sealed.at("reason").get<std::string>();
    hold.actor = sealed.at("actor").get<std::string>();
    hold.host = sealed.at("host").get<std::string>();
    hold.since = parse_rfc3339(sealed.at("since").get<std::string>());
    return hold;
  } catch (const Json::exception& error) {
    throw damaged(error.what());
  } catch (const Error& error) {
    if (error.code() == ErrorCode::integrity) throw;
    throw damaged(error.message());
  }
}

}  // namespace bkp
