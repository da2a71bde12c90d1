#include <string>

#include "pg/archive_parser.h"

namespace bkp {
namespace {

constexpr std::string_view kStart = "COPY ";
constexpr std::string_view kEnd = " FROM stdin;\n";

// Takes one name, "so" or so, from the front of `text`; nullopt where there is none.
std::optional<std::string> take_name(std::string_view& text) {
  std::string name;
  if (!text.starts_with('"')) {
    const auto end = text.find_first_of(". (\"");
    if (end == 0 || end == text.npos) return std::nullopt;
    name = text.substr(0, end);
    text.remove_prefix(end);
    return name;
  }
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '"') {
      if (text.substr(at + 1, 1) != "\"") {
        text.remove_prefix(at + 1);
        return name;
      }
      ++at;
    }
    name += text[at];
  }
  return std::nullopt;
}

}  // namespace

std::optional<TableData> parse_copy_statement(std::string_view statement) {
  if (!statement.starts_with(kStart) || !statement.ends_with(kEnd) ||
      statement.size() < kStart.size() + kEnd.size())
    return std::nullopt;
  statement.remove_prefix(kStart.size());
  statement.remove_suffix(kEnd.size());
  const auto schema = take_name(statement);
  if (!schema || !statement.starts_with('.')) return std::nullopt;
  statement.remove_prefix(1);
  const auto name = take_name(statement);
  if (!name || !statement.starts_with(' ')) return std::nullopt;
  statement.remove_prefix(1);
  // A table without columns has " " for a list.
  if (!statement.empty() && (!statement.starts_with('(') || !statement.ends_with(')')))
    return std::nullopt;
  TableData table;
  table.schema = *schema;
  table.name = *name;
  table.copy_columns = statement;
  return table;
}

}  // namespace bkp
