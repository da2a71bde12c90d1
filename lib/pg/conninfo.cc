#include "pg/conninfo.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/error.h"
#include "pg/connection.h"

namespace bkp {
namespace {

// What libpq quotes in its complaint can be a part of a password.
std::string without_quotes(std::string_view message) {
  std::string kept;
  bool quoted = false;
  for (const char c : message) {
    if (c == '"') {
      if (!quoted) kept += "\"…\"";
      quoted = !quoted;
    } else if (!quoted && c != '\n') {
      kept += c;
    }
  }
  return kept;
}

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Conninfo::Conninfo(const std::string& text) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(text.c_str(), &complaint), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> owned(complaint, &PQfreemem);
  if (!options)
    throw Error(
        ErrorCode::usage,
        fmt::format("the conninfo is malformed: {}", without_quotes(complaint ? complaint : "")),
        "write it as \"host=/var/run/postgresql dbname=shop\" or as a postgresql:// URI");
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option)
    if (option->val) entries_.emplace_back(option->keyword, option->val);
}

std::optional<std::string> Conninfo::get(std::string_view keyword) const {
  for (const auto& [name, value] : entries_)
    if (name == keyword) return value;
  return std::nullopt;
}

void Conninfo::set(std::string_view keyword, std::string_view value) {
  remove(keyword);
  entries_.emplace_back(keyword, value);
}

void Conninfo::remove(std::string_view keyword) {
  std::erase_if(entries_, [&](const auto& entry) { return entry.first == keyword; });
}

std::string Conninfo::text() const {
  std::string out;
  for (const auto& [keyword, value] : entries_) {
    if (!out.empty()) out += ' ';
    out += keyword + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') out += '\\';
      out += c;
    }
    out += '\'';
  }
  return out;
}

std::string with_keyword(const std::string& conninfo, std::string_view keyword,
                         std::string_view value) {
  Conninfo parsed(conninfo);
  parsed.set(keyword, value);
  return parsed.text();
}

std::string describe_conninfo(const std::string& conninfo) {
  const Conninfo parsed(conninfo);
  if (parsed.get("service") && !parsed.get("host") && !parsed.get("dbname"))
    return "service " + *parsed.get("service");
  std::string host = parsed.get("host").value_or(environment("PGHOST"));
  if (host.empty()) host = parsed.get("hostaddr").value_or("");
  std::string port = parsed.get("port").value_or(environment("PGPORT"));
  std::string database = parsed.get("dbname").value_or(environment("PGDATABASE"));
  std::string out = host.empty() ? "the local server" : host;
  if (!port.empty()) out += ":" + port;
  return database.empty() ? out : out + ", database " + database;
}

}  // namespace bkp
