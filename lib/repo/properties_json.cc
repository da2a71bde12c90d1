#include "repo/properties_json.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace bkp {

using Json = nlohmann::ordered_json;

std::string encode_properties(const DatabaseProperties& properties) {
  Json settings = Json::array();
  for (const DatabaseSetting& setting : properties.settings)
    settings.push_back({{"role", setting.role}, {"name", setting.name}, {"value", setting.value}});
  Json json;
  json["name"] = properties.name;
  json["owner"] = properties.owner;
  json["encoding"] = properties.encoding;
  json["collate"] = properties.collate;
  json["ctype"] = properties.ctype;
  json["locale_provider"] = properties.locale_provider;
  json["locale"] = properties.locale;
  json["icu_rules"] = properties.icu_rules;
  json["tablespace"] = properties.tablespace;
  json["connection_limit"] = properties.connection_limit;
  json["allow_connections"] = properties.allow_connections;
  json["is_template"] = properties.is_template;
  json["comment"] = properties.comment;
  json["default_acl"] = properties.default_acl;
  json["acl"] = properties.acl;
  json["settings"] = std::move(settings);
  json["security_labels"] = properties.security_labels;
  json["roles"] = properties.roles;
  return json.dump();
}

DatabaseProperties decode_properties(std::string_view text) {
  try {
    const Json json = Json::parse(text);
    DatabaseProperties properties;
    const auto take = [&json](const char* name, auto& to) { json.at(name).get_to(to); };
    take("name", properties.name);
    take("owner", properties.owner);
    take("encoding", properties.encoding);
    take("collate", properties.collate);
    take("ctype", properties.ctype);
    take("locale_provider", properties.locale_provider);
    take("locale", properties.locale);
    take("icu_rules", properties.icu_rules);
    take("tablespace", properties.tablespace);
    take("connection_limit", properties.connection_limit);
    take("allow_connections", properties.allow_connections);
    take("is_template", properties.is_template);
    take("comment", properties.comment);
    take("default_acl", properties.default_acl);
    take("acl", properties.acl);
    for (const Json& setting : json.at("settings"))
      properties.settings.push_back({setting.at("role").get<std::string>(),
                                     setting.at("name").get<std::string>(),
                                     setting.at("value").get<std::string>()});
    take("security_labels", properties.security_labels);
    take("roles", properties.roles);
    return properties;
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::integrity,
                std::string("the manifest's database properties are damaged: ") + error.what());
  }
}

}  // namespace bkp
