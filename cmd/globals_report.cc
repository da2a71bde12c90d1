#include "globals_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "catalog/record_json.h"

namespace bkp {
namespace {

using Json = nlohmann::ordered_json;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name);
  return text;
}

std::vector<std::string> tablespaces_of(const GlobalsResult& result) {
  std::vector<std::string> names;
  for (const TablespacePlan& tablespace : result.plan.tablespaces) names.push_back(tablespace.name);
  return names;
}

std::vector<std::string> not_to_be_had(const GlobalsResult& result) {
  std::vector<std::string> all = result.plan.left_out;
  all.insert(all.end(), result.refused.begin(), result.refused.end());
  return all;
}

std::string without_password(const GlobalsResult& result) {
  if (result.plan.without_password.empty()) return {};
  return fmt::format("without a password, as the backup has {}: {}",
                     result.passwords ? "none for them" : "no passwords at all",
                     joined(result.plan.without_password));
}

// Every statement in order; what a tablespace needs is between the transactions.
template <typename Tell>
void for_each_statement(const GlobalsPlan& plan, Tell tell) {
  const auto together = [&](const GlobalsStatements& statements) {
    if (statements.empty()) return;
    tell(GlobalsStatement{"BEGIN", {}});
    for (const GlobalsStatement& statement : statements) tell(statement);
    tell(GlobalsStatement{"COMMIT", {}});
  };
  together(plan.statements);
  for (const TablespacePlan& tablespace : plan.tablespaces) {
    for (const GlobalsStatement& statement : tablespace.before) tell(statement);
    tell(tablespace.create);
    together(tablespace.then);
  }
}

Json to_json(const GlobalsResult& result) {
  Json json;
  json["dry_run"] = !result.done;
  json["restore"] = result.record ? to_json(*result.record) : Json();
  json["roles"] = result.plan.roles;
  json["tablespaces"] = tablespaces_of(result);
  json["passwords"] = result.passwords;
  json["without_password"] = result.plan.without_password;
  json["differences"] = Json::array();
  for (const GlobalsDifference& difference : result.plan.differences)
    json["differences"].push_back(
        {{"what", difference.what},
         {"sql", difference.sql.empty() ? Json() : Json(difference.sql)}});
  json["left_out"] = not_to_be_had(result);
  json["statements"] = Json::array();
  for_each_statement(result.plan, [&](const GlobalsStatement& statement) {
    json["statements"].push_back(statement.sql);
  });
  json["warnings"] = result.warnings;
  return json;
}

std::string encode(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void print_globals(const GlobalsResult& result, Output& output) {
  const std::vector<std::string> tablespaces = tablespaces_of(result);
  if (!result.plan.roles.empty()) output.line("roles made: " + joined(result.plan.roles));
  if (!tablespaces.empty()) output.line("tablespaces made: " + joined(tablespaces));
  if (result.plan.roles.empty() && tablespaces.empty())
    output.line("no role and no tablespace of the backup was missing");
  if (!result.plan.differences.empty()) output.line("there already, and left as it is:");
  for (const GlobalsDifference& difference : result.plan.differences) {
    output.line("  " + printable(difference.what));
    if (!difference.sql.empty()) output.line("      " + printable(difference.sql));
  }
  if (is_partial(result)) output.line("not to be had on this server:");
  for (const std::string& each : not_to_be_had(result)) output.line("  " + printable(each));
  const std::string bare = without_password(result);
  if (!bare.empty()) output.line(bare);
}

void print_globals_sql(const GlobalsResult& result, Output& output) {
  for_each_statement(result.plan, [&](const GlobalsStatement& statement) {
    const bool hidden = !statement.hidden.empty();
    output.line((hidden ? "-- " : "") + printable(statement.sql) + ";");
  });
  for (const GlobalsDifference& difference : result.plan.differences)
    output.line("-- " + printable(difference.what));
  for (const std::string& each : not_to_be_had(result))
    output.line("-- not to be had on this server: " + printable(each));
  const std::string bare = without_password(result);
  if (!bare.empty()) output.line("-- " + bare);
}

std::string globals_json(const GlobalsResult& result) { return encode(to_json(result)); }

std::string with_globals(const std::string& document, const GlobalsResult& result) {
  Json json = Json::parse(document);
  json["globals"] = to_json(result);
  return encode(json);
}

bool is_partial(const GlobalsResult& result) {
  return !result.plan.left_out.empty() || !result.refused.empty();
}

}  // namespace bkp
