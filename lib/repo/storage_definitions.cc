#include "repo/storage_definitions.h"

#include <nlohmann/json.hpp>

namespace bkp {

using Json = nlohmann::ordered_json;

std::string encode_storages(const std::vector<StorageConfig>& storages) {
  Json list = Json::array();
  for (const StorageConfig& storage : storages) {
    Json entry;
    entry["name"] = storage.name;
    entry["type"] = storage.type == StorageType::local ? "local" : "s3";
    if (storage.type == StorageType::local) {
      entry["path"] = storage.path.string();
    } else {
      entry["provider"] = storage.provider;
      entry["endpoint"] = storage.endpoint;
      entry["region"] = storage.region;
      entry["bucket"] = storage.bucket;
      entry["prefix"] = storage.prefix;
      entry["ca_file"] = storage.ca_file.string();
    }
    list.push_back(std::move(entry));
  }
  return list.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<StorageConfig> decode_storages(std::string_view json) {
  std::vector<StorageConfig> storages;
  const Json list = Json::parse(json, nullptr, false);
  if (!list.is_array()) return storages;
  for (const Json& entry : list) {
    if (!entry.is_object()) continue;
    const auto text = [&entry](const char* key) {
      const auto value = entry.find(key);
      return value != entry.end() && value->is_string() ? value->get<std::string>() : std::string();
    };
    StorageConfig storage;
    storage.name = text("name");
    storage.type = text("type") == "local" ? StorageType::local : StorageType::s3;
    storage.path = text("path");
    storage.provider = text("provider");
    storage.endpoint = text("endpoint");
    storage.region = text("region");
    storage.bucket = text("bucket");
    storage.prefix = text("prefix");
    storage.ca_file = text("ca_file");
    const bool placed = storage.type == StorageType::local
                            ? storage.path.is_absolute()
                            : !storage.endpoint.empty() && !storage.bucket.empty();
    if (!storage.name.empty() && placed) storages.push_back(std::move(storage));
  }
  return storages;
}

}  // namespace bkp
