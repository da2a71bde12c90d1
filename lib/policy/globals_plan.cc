#include "policy/globals_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "pg/name.h"
#include "pg/setting_statement.h"
#include "policy/globals_differences.h"

namespace bkp {
namespace {

class Planner {
 public:
  Planner(const Globals& wanted, const Globals& there) : wanted_(wanted), there_(there) {
    for (const GlobalRole& role : there.roles) existing_.insert(role.name);
    for (const GlobalRole& role : wanted.roles)
      if (!existing_.contains(role.name)) made_.insert(role.name);
  }

  GlobalsPlan plan() {
    plan_.differences = globals_differences(wanted_, there_);
    for (const GlobalRole& role : wanted_.roles)
      if (made_.contains(role.name)) make_role(role);
    make_memberships();
    for (const DatabaseSetting& setting : wanted_.settings)
      if (made_.contains(setting.role)) make_setting(setting);
    for (const GlobalParameter& parameter : wanted_.parameters) make_privileges(parameter);
    for (const GlobalRole& role : wanted_.roles)
      if (made_.contains(role.name)) make_password(role);
    for (const GlobalTablespace& tablespace : wanted_.tablespaces) make_tablespace(tablespace);
    return std::move(plan_);
  }

 private:
  void add(std::string sql) { plan_.statements.push_back({std::move(sql), {}}); }

  void make_role(const GlobalRole& role) {
    plan_.roles.push_back(role.name);
    std::string words;
    for (const std::string& word : role_attributes(role)) words += " " + word;
    if (!role.valid_until.empty()) words += " VALID UNTIL " + quoted_literal(role.valid_until);
    add(fmt::format("CREATE ROLE {} WITH{}", quoted_name(role.name), words));
    if (!role.comment.empty())
      add(fmt::format("COMMENT ON ROLE {} IS {}", quoted_name(role.name),
                      quoted_literal(role.comment)));
    add_labels(plan_.statements, role.security_labels, "ROLE", role.name);
  }

  static void add_labels(GlobalsStatements& to, const std::vector<std::string>& labels,
                         const char* kind, const std::string& name) {
    for (const std::string& label : labels) {
      const auto equals = std::min(label.find('='), label.size());
      const std::string provider = label.substr(0, equals);
      to.push_back({fmt::format("SECURITY LABEL FOR {} ON {} {} IS {}", quoted_name(provider), kind,
                                quoted_name(name),
                                quoted_literal(label.substr(std::min(equals + 1, label.size())))),
                    {},
                    true,
                    fmt::format("security label of provider '{}' on '{}'", provider, name)});
    }
  }

  void make_password(const GlobalRole& role) {
    if (role.password.empty()) {
      if (role.login) plan_.without_password.push_back(role.name);
      return;
    }
    const std::string start = "ALTER ROLE " + quoted_name(role.name) + " PASSWORD ";
    plan_.statements.push_back(
        {start + "'****'", Secret(start + quoted_literal(role.password.reveal_text()))});
  }

  void make_setting(const DatabaseSetting& setting) {
    for (std::string& sql : setting_statements(setting_subject(setting.role, ""), setting))
      plan_.statements.push_back(
          {std::move(sql),
           {},
           true,
           fmt::format("setting '{}' of role '{}'", setting.name, setting.role)});
  }

  bool knows(const std::string& role) const {
    return role.starts_with("pg_") || existing_.contains(role) || made_.contains(role);
  }

  // The grantor to be named: none where that is the superuser whose grants all others make.
  std::string grantor_of(const GlobalMembership& membership) const {
    const bool both = wanted_.major >= kGrantorsMatter && there_.major >= kGrantorsMatter;
    const bool neither = wanted_.major < kGrantorsMatter && there_.major < kGrantorsMatter;
    if (both && membership.grantor != wanted_.bootstrap) return membership.grantor;
    return neither && knows(membership.grantor) ? membership.grantor : "";
  }

  void make_memberships() {
    std::set<std::pair<std::string, std::string>> admins;  // role, who may grant it
    for (const GlobalMembership& membership : there_.memberships)
      if (membership.admin) admins.insert({membership.role, membership.member});
    std::vector<GlobalMembership> waiting;
    for (const GlobalMembership& membership : wanted_.memberships)
      if (made_.contains(membership.role) || made_.contains(membership.member))
        waiting.push_back(membership);
    // One that was granted on has to wait for the admin option it stands on.
    while (!waiting.empty()) {
      const auto ready = std::stable_partition(
          waiting.begin(), waiting.end(), [&](const GlobalMembership& membership) {
            const std::string grantor = grantor_of(membership);
            return there_.major >= kGrantorsMatter && !grantor.empty() &&
                   !admins.contains({membership.role, grantor});
          });
      if (ready == waiting.end()) break;
      for (auto it = ready; it != waiting.end(); ++it)
        if (grant(*it) && it->admin) admins.insert({it->role, it->member});
      waiting.erase(ready, waiting.end());
    }
    for (const GlobalMembership& membership : waiting)
      leave_out(membership,
                fmt::format("its grantor '{}' has no admin option here", membership.grantor));
  }

  void leave_out(const GlobalMembership& membership, const std::string& why) {
    plan_.left_out.push_back(
        fmt::format("membership of '{}' in '{}': {}", membership.member, membership.role, why));
  }

  bool inherits(const std::string& role) const {
    for (const Globals* globals : {&wanted_, &there_})
      for (const GlobalRole& each : globals->roles)
        if (each.name == role) return each.inherit;
    return true;
  }

  // False: a membership that this server cannot have was left out.
  bool grant(const GlobalMembership& membership) {
    std::string sql =
        fmt::format("GRANT {} TO {}", quoted_name(membership.role), quoted_name(membership.member));
    if (!knows(membership.role)) {
      leave_out(membership, fmt::format("PostgreSQL {} has no such role", there_.major));
      return false;
    }
    if (wanted_.major >= kGrantorsMatter && there_.major >= kGrantorsMatter) {
      sql += fmt::format(" WITH ADMIN {}, INHERIT {}, SET {}", membership.admin ? "TRUE" : "FALSE",
                         membership.inherit ? "TRUE" : "FALSE", membership.set ? "TRUE" : "FALSE");
    } else if (wanted_.major >= kGrantorsMatter &&
               (!membership.set || membership.inherit != inherits(membership.member))) {
      leave_out(membership, fmt::format("PostgreSQL {} knows no INHERIT and SET of a membership",
                                        there_.major));
      return false;
    } else if (membership.admin) {
      sql += " WITH ADMIN OPTION";
    }
    const std::string grantor = grantor_of(membership);
    add(sql + (grantor.empty() ? "" : " GRANTED BY " + quoted_name(grantor)));
    return true;
  }

  // As the grantor, whose name the entry then bears.
  static void add_grant(GlobalsStatements& to, const GlobalPrivilege& item,
                        const std::string& object, const std::string& owner) {
    const bool by_other = item.grantor != owner;
    if (by_other) to.push_back({"SET LOCAL ROLE " + quoted_name(item.grantor), {}});
    to.push_back({fmt::format("GRANT {} ON {} TO {}{}", item.privilege, object,
                              item.grantee.empty() ? "PUBLIC" : quoted_name(item.grantee),
                              item.grantable ? " WITH GRANT OPTION" : ""),
                  {}});
    if (by_other) to.push_back({"RESET ROLE", {}});
  }

  void make_privileges(const GlobalParameter& parameter) {
    for (const GlobalPrivilege& item : parameter.acl) {
      if (!made_.contains(item.grantee)) continue;
      if (there_.major < 15)
        plan_.left_out.push_back(
            fmt::format("privilege {} on parameter '{}' of role '{}': PostgreSQL {} has none",
                        item.privilege, parameter.name, item.grantee, there_.major));
      else
        add_grant(plan_.statements, item, "PARAMETER " + quoted_name(parameter.name),
                  wanted_.bootstrap);
    }
  }

  void make_tablespace(const GlobalTablespace& tablespace) {
    if (std::any_of(there_.tablespaces.begin(), there_.tablespaces.end(),
                    [&](const GlobalTablespace& each) { return each.name == tablespace.name; }))
      return;
    TablespacePlan made{tablespace.name, tablespace.location, {}, {}, {}};
    const std::string name = quoted_name(tablespace.name);
    if (!made.location.starts_with('/')) {
      made.location.clear();
      made.before.push_back({"SET allow_in_place_tablespaces = on", {}});
    }
    made.create.sql = fmt::format("CREATE TABLESPACE {} OWNER {} LOCATION {}{}", name,
                                  quoted_name(tablespace.owner), quoted_literal(made.location),
                                  options_of(tablespace));
    add_access(made.then, tablespace, "TABLESPACE " + name);
    if (!tablespace.comment.empty())
      made.then.push_back(
          {fmt::format("COMMENT ON TABLESPACE {} IS {}", name, quoted_literal(tablespace.comment)),
           {}});
    add_labels(made.then, tablespace.security_labels, "TABLESPACE", tablespace.name);
    plan_.tablespaces.push_back(std::move(made));
  }

  static void add_access(GlobalsStatements& to, const GlobalTablespace& tablespace,
                         const std::string& object) {
    if (tablespace.default_acl) return;
    const bool owner_has_it =
        std::any_of(tablespace.acl.begin(), tablespace.acl.end(), [&](const GlobalPrivilege& item) {
          return item.grantee == tablespace.owner && item.grantor == tablespace.owner;
        });
    if (!owner_has_it)
      to.push_back(
          {fmt::format("REVOKE ALL ON {} FROM {}", object, quoted_name(tablespace.owner)), {}});
    for (const GlobalPrivilege& item : tablespace.acl)
      add_grant(to, item, object, tablespace.owner);
  }

  static std::string options_of(const GlobalTablespace& tablespace) {
    std::string options;
    for (const std::string& option : tablespace.options) {
      const auto equals = std::min(option.find('='), option.size());
      options += fmt::format("{}{} = {}", options.empty() ? "" : ", ",
                             quoted_name(option.substr(0, equals)),
                             quoted_literal(option.substr(std::min(equals + 1, option.size()))));
    }
    return options.empty() ? "" : " WITH (" + options + ")";
  }

  const Globals& wanted_;
  const Globals& there_;
  std::set<std::string> existing_, made_;
  GlobalsPlan plan_;
};

}  // namespace

GlobalsPlan plan_globals(const Globals& wanted, const Globals& there) {
  return Planner(wanted, there).plan();
}

}  // namespace bkp
