#include "pg/setting_statement.h"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "pg/name.h"

namespace bkp {
namespace {

// Settings whose value is a list of names, each quoted where it needs to be.
bool is_list_of_names(const std::string& setting) {
  static const std::set<std::string> kLists = {
      "local_preload_libraries",  "search_path",      "session_preload_libraries",
      "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"};
  return kLists.count(setting) > 0;
}

// "\"$user\", public" → {"$user", "public"}
std::vector<std::string> split_names(const std::string& list) {
  std::vector<std::string> names;
  std::size_t at = 0;
  while ((at = list.find_first_not_of(" \t\n", at)) != list.npos) {
    std::string name;
    if (list[at] == '"') {
      for (++at; at < list.size(); ++at) {
        if (list[at] == '"' && list.compare(at + 1, 1, "\"") != 0) break;
        if (list[at] == '"') ++at;
        name += list[at];
      }
      at = list.find(',', at);
    } else {
      const auto comma = list.find(',', at);
      name = list.substr(at, comma - at);
      name.erase(name.find_last_not_of(" \t\n") + 1);
      at = comma;
    }
    names.push_back(std::move(name));
    if (at == list.npos) break;
    ++at;
  }
  return names;
}

}  // namespace

std::string setting_subject(const std::string& role, const std::string& database) {
  if (role.empty() && !database.empty()) return "ALTER DATABASE " + quoted_name(database);
  return "ALTER ROLE " + (role.empty() ? "ALL" : quoted_name(role)) +
         (database.empty() ? "" : " IN DATABASE " + quoted_name(database));
}

std::vector<std::string> setting_statements(const std::string& subject,
                                            const DatabaseSetting& setting) {
  const std::string name = quoted_name(setting.name);
  std::string value;
  if (!is_list_of_names(setting.name)) {
    value = quoted_literal(setting.value);
  } else {
    for (const std::string& each : split_names(setting.value))
      value += (value.empty() ? "" : ", ") + quoted_literal(each);
    if (value.empty())  // no SET writes an empty list
      return {fmt::format("SELECT set_config({}, '', true)", quoted_literal(setting.name)),
              fmt::format("{} SET {} FROM CURRENT", subject, name)};
  }
  return {fmt::format("{} SET {} TO {}", subject, name, value)};
}

}  // namespace bkp
