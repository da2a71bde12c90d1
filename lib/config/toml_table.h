// A table of a TOML file, read with types, whose errors name file, line and column. (toml++ takes
// seconds to compile: it stays inside of toml_table.cc.)
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace bkp {

class TomlTable {
 public:
  // The table above all sections. Throws Error(usage) where `content` is not TOML.
  static TomlTable parse(std::string_view content, const std::filesystem::path& file);

  // Throws Error(usage) for a key that config_keys() does not have, here and in every section.
  void check_keys() const;

  bool has(std::string_view key) const;
  // Absent: nullopt, or none. All throw Error(usage) for a value of another type.
  std::optional<std::string> text(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  std::optional<std::int64_t> integer(std::string_view key) const;
  std::optional<std::vector<std::string>> texts(std::string_view key) const;
  // A section that is not there reads as an empty one.
  TomlTable section(std::string_view name) const;
  std::vector<TomlTable> sections(std::string_view name) const;  // [[name]]
  // { … } as a value, with no keys but these; nullopt: absent.
  std::optional<TomlTable> table(std::string_view key,
                                 std::span<const std::string_view> known) const;

  // A text in a form of its own; what `parse` throws is told with its place.
  template <typename T>
  std::optional<T> parsed(std::string_view key,
                          const std::function<T(const std::string&)>& parse) const {
    const auto value = text(key);
    if (!value) return std::nullopt;
    try {
      return parse(*value);
    } catch (const Error& error) {
      throw error_at(key, std::string(key) + ": " + error.message(), error.hint());
    }
  }

  // "FILE:LINE:COLUMN: MESSAGE" of the key's value; of the table, where it has no such key.
  Error error_at(std::string_view key, const std::string& message, std::string hint = {}) const;
  const std::string& title() const { return title_; }  // "[cluster]"

 private:
  struct Node;
  TomlTable(std::shared_ptr<const Node> node, std::string section, std::string title);
  void check_keys_of_section() const;
  Error unknown_key(std::string_view key) const;
  Error wrong_type(std::string_view key, std::string_view wanted, std::string example) const;

  std::shared_ptr<const Node> node_;
  std::string section_;  // "cluster"; "" above all
  std::string title_;
};

}  // namespace bkp
