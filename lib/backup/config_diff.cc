#include "backup/config_diff.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/units.h"
#include "stream/file_stream.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

// What a member of a list is called, by the first of these that it has.
constexpr const char* kNames[] = {"name",        "rolname",     "datname",
                                  "spcname",     "slot_name",   "parameter",
                                  "rule_number", "line_number", "map_number"};

std::string encode(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string owner(const std::string& name, std::uint32_t id) {
  return name.empty() ? std::to_string(id) : name;
}

std::vector<std::string> differences(const ConfigurationEntry& a, const ConfigurationEntry& b) {
  const auto changed = [](const std::string& what, const auto& from, const auto& to) {
    return fmt::format("{} {} → {}", what, from, to);
  };
  const TarEntry &x = a.tar, &y = b.tar;
  const auto is_file = [](const TarEntry& entry) {
    return entry.type == FileType::file || entry.type == FileType::hard_link;
  };
  constexpr const char* kKinds[] = {"file", "directory", "symbolic link", "hard link"};
  std::vector<std::string> what;
  if (x.type != y.type)
    what.push_back(
        changed("kind", kKinds[static_cast<int>(x.type)], kKinds[static_cast<int>(y.type)]));
  if (x.mode != y.mode) what.push_back(fmt::format("mode {:04o} → {:04o}", x.mode, y.mode));
  if (x.uid != y.uid || x.user != y.user)
    what.push_back(changed("owner", owner(x.user, x.uid), owner(y.user, y.uid)));
  if (x.gid != y.gid || x.group != y.group)
    what.push_back(changed("group", owner(x.group, x.gid), owner(y.group, y.gid)));
  if (x.type == y.type && x.link != y.link) what.push_back(changed("target", x.link, y.link));
  if (a.secret.has_value() != b.secret.has_value())
    what.emplace_back(b.secret ? "is a secret now" : "is no secret any more");
  if (!is_file(x) || x.type != y.type) return what;
  if (a.secret && b.secret && a.secret->key_id != b.secret->key_id)
    what.emplace_back("content cannot be compared: the active key for secrets is another");
  else if (a.secret && b.secret ? a.secret != b.secret
                                : !a.secret && !b.secret && a.sha256 != b.sha256)
    what.push_back(fmt::format("content, {} → {} bytes", x.size, y.size));
  return what;
}

std::string name_of(const Json& member) {
  if (member.is_object())
    for (const char* name : kNames)
      if (const auto at = member.find(name); at != member.end() && !at->is_null())
        return at->is_string() ? at->get<std::string>() : encode(*at);
  return encode(member);
}

std::map<std::string, Json> members_of(const Json& json) {
  std::map<std::string, Json> members;
  if (json.is_object())
    for (const auto& [name, value] : json.items())
      for (auto& [inner, member] : members_of(value)) members[name + " " + inner] = member;
  if (json.is_array())
    for (const Json& member : json) members[name_of(member)] = member;
  return members;
}

std::string changed_member(const std::string& name, const Json& before, const Json& after) {
  if (!before.is_object() || !after.is_object()) return name + ": changed";
  std::string text;
  for (const auto& [field, value] : after.items())
    if (const auto old = before.find(field); old == before.end() || *old != value)
      text += fmt::format("{} {} {} → {}", text.empty() ? name + ":" : ",", field,
                          old == before.end() ? "" : encode(*old), encode(value));
  return text.empty() ? name + ": changed" : text;
}

}  // namespace

std::vector<ConfigurationChange> compare_configurations(const Configuration& before,
                                                        const Configuration& after) {
  using Kind = ConfigurationChange::Kind;
  std::map<std::string, std::pair<const ConfigurationEntry*, const ConfigurationEntry*>> both;
  for (const ConfigurationEntry& entry : before.entries) both[entry.tar.path].first = &entry;
  for (const ConfigurationEntry& entry : after.entries) both[entry.tar.path].second = &entry;
  std::vector<ConfigurationChange> changes;
  for (const auto& [path, sides] : both) {
    ConfigurationChange change;
    change.path = shown_path(path);
    change.kind = sides.first == nullptr    ? Kind::added
                  : sides.second == nullptr ? Kind::removed
                                            : Kind::changed;
    if (change.kind == Kind::changed) change.what = differences(*sides.first, *sides.second);
    if (change.kind != Kind::changed || !change.what.empty()) changes.push_back(std::move(change));
  }
  return changes;
}

std::vector<std::string> compare_server_files(std::string_view before, std::string_view after) {
  const Json a = Json::parse(before, nullptr, false), b = Json::parse(after, nullptr, false);
  std::vector<std::string> lines;
  if (a.is_discarded() || b.is_discarded()) return lines;
  const std::map<std::string, Json> old_members = members_of(a), new_members = members_of(b);
  for (const auto& [name, member] : old_members)
    if (!new_members.contains(name)) lines.push_back(name + ": removed");
  for (const auto& [name, member] : new_members) {
    const auto old = old_members.find(name);
    if (old == old_members.end())
      lines.push_back(name + ": added");
    else if (old->second != member)
      lines.push_back(changed_member(name, old->second, member));
  }
  return lines;
}

Fd fetch_archive(Context& context, const Manifest& manifest, const std::vector<std::string>& order,
                 GetResult* result) {
  SpoolFile spool(context.config.spool_dir);
  GetResult got = context.repository.get(manifest, order, spool);
  if (result != nullptr) *result = std::move(got);
  return std::move(*spool.take());
}

}  // namespace bkp
