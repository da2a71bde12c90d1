#include "pg/name.h"

#include <algorithm>

namespace bkp {
namespace {

// All but the unreserved ones (pg_get_keywords), of PostgreSQL 14 to 18; each between blanks.
constexpr std::string_view kKeyWords =
    " all analyse analyze and any array as asc asymmetric authorization between bigint binary bit"
    " boolean both case cast char character check coalesce collate collation column concurrently"
    " constraint create cross current_catalog current_date current_role current_schema"
    " current_time current_timestamp current_user dec decimal default deferrable desc distinct do"
    " else end except exists extract false fetch float for foreign freeze from full grant greatest"
    " group grouping having ilike in initially inner inout int integer intersect interval into is"
    " isnull join json json_array json_arrayagg json_exists json_object json_objectagg json_query"
    " json_scalar json_serialize json_table json_value lateral leading least left like limit"
    " localtime localtimestamp merge_action national natural nchar none normalize not notnull null"
    " nullif numeric offset on only or order out outer overlaps overlay placing position precision"
    " primary real references returning right row select session_user setof similar smallint some"
    " substring symmetric system_user table tablesample then time timestamp to trailing treat trim"
    " true union unique user using values varchar variadic verbose when where window with"
    " xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot"
    " xmlserialize xmltable ";

bool is_plain(std::string_view name) {
  constexpr std::string_view kFirst = "abcdefghijklmnopqrstuvwxyz_";
  constexpr std::string_view kRest = "abcdefghijklmnopqrstuvwxyz_0123456789";
  return !name.empty() && kFirst.find(name[0]) != kFirst.npos &&
         name.find_first_not_of(kRest) == name.npos &&
         kKeyWords.find(" " + std::string(name) + " ") == kKeyWords.npos;
}

}  // namespace

std::string quoted_name(std::string_view name) {
  if (is_plain(name)) return std::string(name);
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string qualified_name(std::string_view schema, std::string_view name) {
  return quoted_name(schema) + "." + quoted_name(name);
}

std::string quoted_literal(std::string_view text) {
  std::string quoted = text.find('\\') == text.npos ? "'" : "E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += c;
    quoted += c;
  }
  return quoted + '\'';
}

std::string array_text(const std::vector<std::string>& elements) {
  std::string text = "{";
  for (const std::string& element : elements) {
    text += text.size() > 1 ? ",\"" : "\"";
    for (const char c : element) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  return text + "}";
}

}  // namespace bkp
