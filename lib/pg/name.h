// Names in SQL text, written without a connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bkp {

// As an identifier: in double quotes unless it is plain lower case and no key word of any known
// PostgreSQL.
std::string quoted_name(std::string_view name);
// "schema.name", each quoted as needed: how bkp writes a table's name everywhere.
std::string qualified_name(std::string_view schema, std::string_view name);
// As a text: 'it''s', with a backslash E'a\\b'.
std::string quoted_literal(std::string_view text);
// The text of a PostgreSQL array of texts, for a parameter: {"a","b \" c"}.
std::string array_text(const std::vector<std::string>& elements);

}  // namespace bkp
