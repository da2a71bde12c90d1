#include "repo/soundness_json.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace bkp {

using Json = nlohmann::ordered_json;

void put_soundness(Manifest& manifest, const Soundness& soundness) {
  Json low = Json::array();
  for (const LowSequence& each : soundness.low_sequences)
    low.push_back({{"sequence", each.sequence},
                   {"column", each.column},
                   {"next", each.next},
                   {"reached", each.reached}});
  Json json;
  json["server_major"] = soundness.major;
  json["census"] = soundness.census;
  json["not_valid"] = soundness.not_valid;
  json["invalid_indexes"] = soundness.invalid_indexes;
  json["low_sequences"] = std::move(low);
  json["unlooked_sequences"] = soundness.unlooked_sequences;
  json["unread"] = soundness.unread;
  Json details = Json::parse(manifest.details);
  details["soundness"] = std::move(json);
  manifest.details = details.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<Soundness> soundness_of(const Manifest& manifest) {
  try {
    const Json details = Json::parse(manifest.details);
    const auto at = details.find("soundness");
    if (at == details.end()) return std::nullopt;
    Soundness soundness;
    const auto take = [&at](const char* name, auto& to) { at->at(name).get_to(to); };
    take("server_major", soundness.major);
    take("census", soundness.census);
    take("not_valid", soundness.not_valid);
    take("invalid_indexes", soundness.invalid_indexes);
    for (const Json& each : at->at("low_sequences"))
      soundness.low_sequences.push_back(
          {each.at("sequence").get<std::string>(), each.at("column").get<std::string>(),
           each.at("next").get<std::string>(), each.at("reached").get<std::string>()});
    take("unlooked_sequences", soundness.unlooked_sequences);
    take("unread", soundness.unread);
    return soundness;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::integrity,
                std::string("what the manifest says of the database's soundness is damaged: ") +
                    error.what());
  }
}

}  // namespace bkp
