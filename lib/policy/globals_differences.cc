#include "policy/globals_differences.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "pg/name.h"
#include "pg/setting_statement.h"

namespace bkp {
namespace {

template <typename Thing>
const Thing* named(const std::vector<Thing>& all, const std::string& name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Thing& thing) { return thing.name == name; });
  return found == all.end() ? nullptr : &*found;
}

class Comparison {
 public:
  Comparison(const Globals& wanted, const Globals& there) : wanted_(wanted), there_(there) {}

  std::vector<GlobalsDifference> compare() {
    for (const GlobalRole& role : wanted_.roles)
      if (const GlobalRole* here = named(there_.roles, role.name)) compare_roles(role, *here);
    compare_settings();
    compare_memberships();
    for (const GlobalParameter& parameter : wanted_.parameters) compare_parameters(parameter);
    for (const GlobalTablespace& tablespace : wanted_.tablespaces)
      if (const GlobalTablespace* here = named(there_.tablespaces, tablespace.name))
        compare_tablespaces(tablespace, *here);
    return std::move(found_);
  }

 private:
  void add(std::string what, std::string sql = {}) {
    found_.push_back({std::move(what), std::move(sql)});
  }

  bool is_here(const std::string& role) const {
    return role.starts_with("pg_") || named(there_.roles, role) != nullptr;
  }
  bool is_wanted(const std::string& role) const {
    return role.starts_with("pg_") || named(wanted_.roles, role) != nullptr;
  }

  void compare_texts(const std::string& subject, const char* what, const std::string& wanted,
                     const std::string& here, std::string sql) {
    if (wanted == here) return;
    const auto shown = [](const std::string& text) {
      return text.empty() ? std::string("none") : "'" + text + "'";
    };
    add(fmt::format("{}: {} is {} in the backup, {} here", subject, what, shown(wanted),
                    shown(here)),
        std::move(sql));
  }

  void compare_roles(const GlobalRole& wanted, const GlobalRole& here) {
    const std::string subject = "role '" + wanted.name + "'", name = quoted_name(wanted.name);
    const std::vector<std::string> words = role_attributes(wanted),
                                   words_here = role_attributes(here);
    for (std::size_t i = 0; i < words.size(); ++i)
      if (words[i] != words_here[i])
        add(fmt::format("{}: {} in the backup, {} here", subject, words[i], words_here[i]),
            fmt::format("ALTER ROLE {} {};", name, words[i]));
    compare_texts(
        subject, "the end of its validity", wanted.valid_until, here.valid_until,
        fmt::format("ALTER ROLE {} VALID UNTIL {};", name,
                    quoted_literal(wanted.valid_until.empty() ? "infinity" : wanted.valid_until)));
    const bool known = wanted_.passwords && there_.passwords;
    if (known && wanted.password.reveal_text() != here.password.reveal_text())
      add(subject + (wanted.password.empty() ? ": no password in the backup, one here"
                     : here.password.empty() ? ": a password in the backup, none here"
                                             : ": another password in the backup"));
    compare_texts(subject, "the comment", wanted.comment, here.comment,
                  fmt::format("COMMENT ON ROLE {} IS {};", name,
                              wanted.comment.empty() ? "NULL" : quoted_literal(wanted.comment)));
    if (wanted.security_labels != here.security_labels)
      add(subject + ": other security labels in the backup");
  }

  using Settings = std::map<std::pair<std::string, std::string>, DatabaseSetting>;
  static Settings settings_of(const Globals& globals) {
    Settings settings;
    for (const DatabaseSetting& setting : globals.settings)
      settings[{setting.role, setting.name}] = setting;
    return settings;
  }

  static std::string setting_subject_of(const DatabaseSetting& setting) {
    return setting.role.empty() ? "all roles" : "role '" + setting.role + "'";
  }

  void compare_settings() {
    const Settings wanted = settings_of(wanted_), here = settings_of(there_);
    for (const auto& [key, setting] : wanted) {
      if (!setting.role.empty() && !is_here(setting.role)) continue;
      const auto other = here.find(key);
      if (other != here.end() && other->second.value == setting.value) continue;
      std::string sql;
      for (const std::string& each : setting_statements(setting_subject(setting.role, ""), setting))
        sql += (sql.empty() ? "" : " ") + each + ";";
      add(fmt::format("{}: {} = '{}' in the backup, {} here", setting_subject_of(setting),
                      setting.name, setting.value,
                      other == here.end() ? "not set" : "'" + other->second.value + "'"),
          sql);
    }
    for (const auto& [key, setting] : here)
      if (!wanted.contains(key) && (setting.role.empty() || is_wanted(setting.role)))
        add(fmt::format("{}: {} is not set in the backup, '{}' here", setting_subject_of(setting),
                        setting.name, setting.value),
            fmt::format("{} RESET {};", setting_subject(setting.role, ""),
                        quoted_name(setting.name)));
  }

  bool with_grantors() const {
    return wanted_.major >= kGrantorsMatter && there_.major >= kGrantorsMatter;
  }

  // What can be compared: grants of one role to one member are one where a side tells no more.
  using Memberships = std::map<std::vector<std::string>, GlobalMembership>;
  Memberships memberships_of(const Globals& globals) const {
    Memberships memberships;
    for (const GlobalMembership& each : globals.memberships) {
      const bool by_bootstrap = each.grantor == globals.bootstrap;
      std::vector<std::string> key = {each.role, each.member};
      if (with_grantors()) key.push_back(by_bootstrap ? "" : each.grantor);
      GlobalMembership& membership = memberships.try_emplace(key, each).first->second;
      membership.admin = membership.admin || each.admin;
    }
    return memberships;
  }

  static std::string options_of(const GlobalMembership& membership, bool all) {
    std::string text = membership.admin ? "with ADMIN" : "without ADMIN";
    if (all)
      text += fmt::format(", {} INHERIT, {} SET", membership.inherit ? "with" : "without",
                          membership.set ? "with" : "without");
    return text;
  }

  void compare_memberships() {
    const Memberships wanted = memberships_of(wanted_), here = memberships_of(there_);
    for (const auto& [key, each] : wanted) {
      if (!is_here(each.role) || !is_here(each.member)) continue;
      const auto other = here.find(key);
      const std::string options = options_of(each, with_grantors());
      const std::string subject =
          fmt::format("role '{}': a member of '{}' {}", each.member, each.role, options);
      const std::string sql =
          fmt::format("GRANT {} TO {}{};", quoted_name(each.role), quoted_name(each.member),
                      each.admin ? " WITH ADMIN OPTION" : "");
      if (other == here.end())
        add(subject + " in the backup, not here", sql);
      else if (options_of(other->second, with_grantors()) != options)
        add(subject + " in the backup, " + options_of(other->second, with_grantors()) + " here");
    }
    for (const auto& [key, each] : here)
      if (!wanted.contains(key) && is_wanted(each.role) && is_wanted(each.member))
        add(fmt::format("role '{}': a member of '{}' here, not in the backup", each.member,
                        each.role),
            fmt::format("REVOKE {} FROM {};", quoted_name(each.role), quoted_name(each.member)));
  }

  // Those of roles that are made come with them.
  void compare_parameters(const GlobalParameter& parameter) {
    const GlobalParameter* here = named(there_.parameters, parameter.name);
    for (const GlobalPrivilege& item : parameter.acl) {
      if (item.grantee == wanted_.bootstrap) continue;  // its own by nature
      if (!item.grantee.empty() && !is_here(item.grantee)) continue;
      const bool has =
          here != nullptr &&
          std::any_of(here->acl.begin(), here->acl.end(), [&](const GlobalPrivilege& each) {
            return each.grantee == item.grantee && each.privilege == item.privilege &&
                   each.grantable == item.grantable;
          });
      if (has) continue;
      const std::string grantee = item.grantee.empty() ? "PUBLIC" : quoted_name(item.grantee);
      add(fmt::format("parameter '{}': {}{} for {} in the backup, not here", parameter.name,
                      item.privilege, item.grantable ? " with grant option" : "",
                      item.grantee.empty() ? "everybody" : "role '" + item.grantee + "'"),
          fmt::format("GRANT {} ON PARAMETER {} TO {}{};", item.privilege,
                      quoted_name(parameter.name), grantee,
                      item.grantable ? " WITH GRANT OPTION" : ""));
    }
  }

  void compare_tablespaces(const GlobalTablespace& wanted, const GlobalTablespace& here) {
    const std::string subject = "tablespace '" + wanted.name + "'", name = quoted_name(wanted.name);
    if (wanted.location.starts_with('/') || here.location.starts_with('/'))
      compare_texts(subject, "the location", wanted.location, here.location, "");
    compare_texts(subject, "the owner", wanted.owner, here.owner,
                  fmt::format("ALTER TABLESPACE {} OWNER TO {};", name, quoted_name(wanted.owner)));
    compare_texts(subject, "the comment", wanted.comment, here.comment,
                  fmt::format("COMMENT ON TABLESPACE {} IS {};", name,
                              wanted.comment.empty() ? "NULL" : quoted_literal(wanted.comment)));
    if (wanted.options != here.options) add(subject + ": other options in the backup");
    if (wanted.acl != here.acl) add(subject + ": other privileges in the backup");
    if (wanted.security_labels != here.security_labels)
      add(subject + ": other security labels in the backup");
  }

  const Globals& wanted_;
  const Globals& there_;
  std::vector<GlobalsDifference> found_;
};

}  // namespace

std::vector<std::string> role_attributes(const GlobalRole& role) {
  const auto word = [](bool on, const char* name) { return (on ? "" : "NO") + std::string(name); };
  return {word(role.superuser, "SUPERUSER"),
          word(role.inherit, "INHERIT"),
          word(role.create_role, "CREATEROLE"),
          word(role.create_database, "CREATEDB"),
          word(role.login, "LOGIN"),
          word(role.replication, "REPLICATION"),
          word(role.bypass_rls, "BYPASSRLS"),
          fmt::format("CONNECTION LIMIT {}", role.connection_limit)};
}

std::vector<GlobalsDifference> globals_differences(const Globals& wanted, const Globals& there) {
  return Comparison(wanted, there).compare();
}

}  // namespace bkp
