// A libpq connection string taken apart: keyword/value pairs or a URI.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bkp {

class Conninfo {
 public:
  // Throws Error(usage) for what libpq does not take; the message quotes nothing of `text`, which
  // may hold a password.
  explicit Conninfo(const std::string& text);

  std::optional<std::string> get(std::string_view keyword) const;
  void set(std::string_view keyword, std::string_view value);
  void remove(std::string_view keyword);
  // The pairs that were given, in libpq's order.
  const std::vector<std::pair<std::string, std::string>>& entries() const { return entries_; }
  // "host='/run' dbname='it\'s'": what libpq reads back to the same pairs.
  std::string text() const;

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

}  // namespace bkp
