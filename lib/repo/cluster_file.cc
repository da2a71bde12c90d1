#include "repo/cluster_file.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace bkp {

using Json = nlohmann::ordered_json;

std::string encode_cluster_file(const ClusterFile& file) {
  Json json;
  json["bkp_cluster"] = file.format;
  json["name"] = file.name;
  json["uuid"] = file.uuid.text();
  json["system_identifiers"] = file.system_identifiers;
  json["hosts"] = file.hosts;
  return json.dump(2) + "\n";
}

ClusterFile decode_cluster_file(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    ClusterFile file;
    file.format = json.at("bkp_cluster").get<int>();
    if (file.format != 1)
      throw Error(ErrorCode::failed,
                  "cluster.json has format " + std::to_string(file.format) +
                      ", which this bkp does not know",
                  "install the bkp that wrote it, or a newer one");
    file.name = json.at("name").get<std::string>();
    const std::optional<Uuid> uuid = Uuid::parse(json.at("uuid").get<std::string>());
    if (!uuid) throw Error(ErrorCode::integrity, "cluster.json has no valid UUID");
    file.uuid = *uuid;
    file.system_identifiers = json.at("system_identifiers").get<std::vector<std::string>>();
    file.hosts = json.at("hosts").get<std::vector<std::string>>();
    return file;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::integrity, std::string("cluster.json is damaged: ") + error.what());
  }
}

}  // namespace bkp
