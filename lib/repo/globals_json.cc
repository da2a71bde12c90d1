#include "repo/globals_json.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

Json encode_role(const GlobalRole& role) {
  return {{"name", role.name},
          {"superuser", role.superuser},
          {"inherit", role.inherit},
          {"create_role", role.create_role},
          {"create_database", role.create_database},
          {"login", role.login},
          {"replication", role.replication},
          {"bypass_rls", role.bypass_rls},
          {"connection_limit", role.connection_limit},
          {"valid_until", role.valid_until},
          {"password", std::string(role.password.reveal_text())},
          {"comment", role.comment},
          {"security_labels", role.security_labels}};
}

GlobalRole decode_role(const Json& json) {
  GlobalRole role;
  const auto take = [&json](const char* name, auto& to) { json.at(name).get_to(to); };
  take("name", role.name);
  take("superuser", role.superuser);
  take("inherit", role.inherit);
  take("create_role", role.create_role);
  take("create_database", role.create_database);
  take("login", role.login);
  take("replication", role.replication);
  take("bypass_rls", role.bypass_rls);
  take("connection_limit", role.connection_limit);
  take("valid_until", role.valid_until);
  role.password = Secret(std::string_view(json.at("password").get_ref<const std::string&>()));
  take("comment", role.comment);
  take("security_labels", role.security_labels);
  return role;
}

Json encode_acl(const std::vector<GlobalPrivilege>& acl) {
  Json list = Json::array();
  for (const GlobalPrivilege& item : acl)
    list.push_back({{"grantor", item.grantor},
                    {"grantee", item.grantee},
                    {"privilege", item.privilege},
                    {"grantable", item.grantable}});
  return list;
}

std::vector<GlobalPrivilege> decode_acl(const Json& json) {
  std::vector<GlobalPrivilege> acl;
  for (const Json& item : json)
    acl.push_back({item.at("grantor").get<std::string>(), item.at("grantee").get<std::string>(),
                   item.at("privilege").get<std::string>(), item.at("grantable").get<bool>()});
  return acl;
}

Json encode_tablespace(const GlobalTablespace& tablespace) {
  return {{"name", tablespace.name},
          {"owner", tablespace.owner},
          {"location", tablespace.location},
          {"options", tablespace.options},
          {"default_acl", tablespace.default_acl},
          {"acl", encode_acl(tablespace.acl)},
          {"comment", tablespace.comment},
          {"security_labels", tablespace.security_labels}};
}

GlobalTablespace decode_tablespace(const Json& json) {
  GlobalTablespace tablespace;
  const auto take = [&json](const char* name, auto& to) { json.at(name).get_to(to); };
  take("name", tablespace.name);
  take("owner", tablespace.owner);
  take("location", tablespace.location);
  take("options", tablespace.options);
  take("default_acl", tablespace.default_acl);
  tablespace.acl = decode_acl(json.at("acl"));
  take("comment", tablespace.comment);
  take("security_labels", tablespace.security_labels);
  return tablespace;
}

Json encode_memberships(const std::vector<GlobalMembership>& memberships) {
  Json list = Json::array();
  for (const GlobalMembership& membership : memberships)
    list.push_back({{"role", membership.role},
                    {"member", membership.member},
                    {"grantor", membership.grantor},
                    {"admin", membership.admin},
                    {"inherit", membership.inherit},
                    {"set", membership.set}});
  return list;
}

Json encode(const Globals& globals) {
  Json json;
  json["server_major"] = globals.major;
  json["bootstrap"] = globals.bootstrap;
  json["passwords"] = globals.passwords;
  for (const char* list : {"roles", "settings", "memberships", "tablespaces", "parameters"})
    json[list] = Json::array();
  for (const GlobalRole& role : globals.roles) json["roles"].push_back(encode_role(role));
  for (const DatabaseSetting& setting : globals.settings)
    json["settings"].push_back(
        {{"role", setting.role}, {"name", setting.name}, {"value", setting.value}});
  json["memberships"] = encode_memberships(globals.memberships);
  for (const GlobalTablespace& tablespace : globals.tablespaces)
    json["tablespaces"].push_back(encode_tablespace(tablespace));
  for (const GlobalParameter& parameter : globals.parameters)
    json["parameters"].push_back({{"name", parameter.name}, {"acl", encode_acl(parameter.acl)}});
  return json;
}

Globals decode(const Json& json) {
  Globals globals;
  json.at("server_major").get_to(globals.major);
  json.at("bootstrap").get_to(globals.bootstrap);
  json.at("passwords").get_to(globals.passwords);
  for (const Json& role : json.at("roles")) globals.roles.push_back(decode_role(role));
  for (const Json& setting : json.at("settings"))
    globals.settings.push_back({setting.at("role").get<std::string>(),
                                setting.at("name").get<std::string>(),
                                setting.at("value").get<std::string>()});
  for (const Json& entry : json.at("memberships"))
    globals.memberships.push_back(
        {entry.at("role").get<std::string>(), entry.at("member").get<std::string>(),
         entry.at("grantor").get<std::string>(), entry.at("admin").get<bool>(),
         entry.at("inherit").get<bool>(), entry.at("set").get<bool>()});
  for (const Json& tablespace : json.at("tablespaces"))
    globals.tablespaces.push_back(decode_tablespace(tablespace));
  for (const Json& parameter : json.at("parameters"))
    globals.parameters.push_back(
        {parameter.at("name").get<std::string>(), decode_acl(parameter.at("acl"))});
  return globals;
}

template <typename Work>
auto strictly(Work work) {
  try {
    return work();
  } catch (const Json::exception& error) {
    throw Error(ErrorCode::integrity,
                std::string("the manifest's globals are damaged: ") + error.what());
  }
}

void put(Manifest& manifest, Json globals) {
  Json details = Json::parse(manifest.details);
  details["globals"] = std::move(globals);
  manifest.details = details.dump();
}

}  // namespace

std::string encode_globals(const Globals& globals) {
  try {
    return encode(globals).dump();
  } catch (const Json::exception&) {
    throw Error(ErrorCode::failed,
                "a role or tablespace has a name that is not UTF-8, which a manifest cannot hold",
                "rename it; databases of encoding SQL_ASCII allow such names");
  }
}

Globals decode_globals(std::string_view text) {
  return strictly([&] { return decode(Json::parse(text)); });
}

void put_globals(Manifest& manifest, std::string_view encoded) {
  put(manifest, Json::parse(encoded));
}

void put_globals_problem(Manifest& manifest, const std::string& problem) {
  // What a server said of a name may have any bytes.
  const Json said({{"problem", problem}});
  put(manifest, Json::parse(said.dump(-1, ' ', false, Json::error_handler_t::replace)));
}

ManifestGlobals globals_of(const Manifest& manifest) {
  return strictly([&]() -> ManifestGlobals {
    const Json details = Json::parse(manifest.details);
    const auto found = details.find("globals");
    if (found == details.end()) return {std::nullopt, "it was made by a bkp that took none"};
    if (const auto problem = found->find("problem"); problem != found->end())
      return {std::nullopt, problem->get<std::string>()};
    return {decode(*found), ""};
  });
}

}  // namespace bkp
