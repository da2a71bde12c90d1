// Patterns of pg_dump (and psql's \d) for names, as regular expressions for the server.
#pragma once

#include <string>
#include <string_view>

namespace bkp {

struct NamePattern {
  std::string schema;  // "^(…)$"; empty: the pattern has no schema
  std::string name;
};

// Outside of double quotes * is any text, ? any character, letters fold to lower case, and what
// else means something in a regular expression still does, but $; inside everything is itself. Dots
// outside of quotes part the schema from the name (PostgreSQL's processSQLNamePattern).
NamePattern parse_pattern(std::string_view pattern);

}  // namespace bkp
