#include "config/conninfo.h"

#include <libpq-fe.h>

#include <memory>
#include <string_view>

#include "base/error.h"

namespace bkp {

namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

std::unique_ptr<PQconninfoOption, FreeOptions> parse(const std::string& conninfo) {
  char* message = nullptr;
  std::unique_ptr<PQconninfoOption, FreeOptions> options(
      PQconninfoParse(conninfo.c_str(), &message));
  if (options) return options;
  // libpq quotes the string's own words here and there: never with a password in it.
  std::string cause = message ? message : "out of memory";
  PQfreemem(message);
  while (!cause.empty() && cause.back() == '\n') cause.pop_back();
  if (conninfo.find("password") != std::string::npos || conninfo.find('@') != std::string::npos)
    cause = "libpq cannot read it";
  throw Error(ErrorCode::usage, "not a connection string: " + cause,
              "write host=… dbname=… user=…, or postgresql://user@host/dbname");
}

}  // namespace

void check_conninfo(const std::string& conninfo) { parse(conninfo); }

bool is_postgresql_url(std::string_view url) {
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) return true;
  const std::size_t equals = url.find('=');
  return equals != std::string_view::npos && url.find(':') > equals;
}

std::string shown_conninfo(const std::string& conninfo) {
  const auto options = parse(conninfo);
  std::string words;
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option) {
    if (!option->val || std::string_view(option->keyword).ends_with("password")) continue;
    words += (words.empty() ? "" : " ") + std::string(option->keyword) + '=';
    const std::string_view value(option->val);
    const bool plain = !value.empty() && value.find_first_of(" '\\\t\n") == std::string_view::npos;
    if (!plain) words += '\'';
    for (const char c : value)
      words += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    if (!plain) words += '\'';
  }
  return words;
}

bool has_password(const std::string& conninfo) {
  const auto options = parse(conninfo);
  for (const PQconninfoOption* option = options.get(); option->keyword; ++option) {
    const std::string_view keyword(option->keyword);
    if ((keyword == "password" || keyword == "sslpassword") && option->val && *option->val)
      return true;
  }
  return false;
}

}  // namespace bkp
