#include "config/toml_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>

#include "base/units.h"
#include "config/config_keys.h"

namespace bkp {

struct TomlTable::Node {
  std::shared_ptr<const toml::table> root;  // owns the table
  const toml::table* table;
  std::filesystem::path file;

  std::string place(const toml::source_region& region) const {
    if (region.begin.line == 0) return file.string();
    return fmt::format("{}:{}:{}", file.string(), region.begin.line, region.begin.column);
  }
};

namespace {

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  return nearest_word(word, known.data(), known.size());
}

std::vector<std::string> keys_of(std::string_view section) {
  std::vector<std::string> names;
  for (const ConfigKey& key : config_keys())
    if (key.section == section) names.emplace_back(key.name);
  return names;
}

bool is_secret_name(std::string_view key) {
  const auto names = secret_names();
  return std::find(names.begin(), names.end(), key) != names.end();
}

std::string title_of(std::string_view section) {
  return section == "storage" ? "[[storage]]" : fmt::format("[{}]", section);
}

}  // namespace

TomlTable::TomlTable(std::shared_ptr<const Node> node, std::string section, std::string title)
    : node_(std::move(node)), section_(std::move(section)), title_(std::move(title)) {}

TomlTable TomlTable::parse(std::string_view content, const std::filesystem::path& file) {
  auto node = std::make_shared<Node>();
  node->file = file;
  try {
    node->root = std::make_shared<const toml::table>(toml::parse(content, file.string()));
  } catch (const toml::parse_error& error) {
    std::string cause(error.description());
    while (cause.ends_with('.')) cause.pop_back();
    constexpr std::string_view kLead = "Error while parsing ";
    if (cause.starts_with(kLead)) cause = "while reading " + cause.substr(kLead.size());
    throw Error(ErrorCode::usage,
                fmt::format("{}: not TOML: {}", node->place(error.source()), cause),
                "texts stand in quotes, a section's name in [brackets]: see 'man 5 bkp.toml'");
  }
  node->table = node->root.get();
  return {std::move(node), "", "the configuration"};
}

bool TomlTable::has(std::string_view key) const { return node_->table->contains(key); }

Error TomlTable::error_at(std::string_view key, const std::string& message,
                          std::string hint) const {
  const toml::node* value = node_->table->get(key);
  const toml::source_region& region = value ? value->source() : node_->table->source();
  return {ErrorCode::usage, node_->place(region) + ": " + message, std::move(hint)};
}

Error TomlTable::wrong_type(std::string_view key, std::string_view wanted,
                            std::string example) const {
  return error_at(key, fmt::format("'{}' in {} must be {}", key, title_, wanted),
                  fmt::format("write {} = {}", key, example));
}

std::optional<std::string> TomlTable::text(std::string_view key) const {
  const toml::node* node = node_->table->get(key);
  if (!node) return std::nullopt;
  if (const auto* value = node->as_string()) return value->get();
  throw wrong_type(key, "a text", "\"…\"");
}

std::optional<bool> TomlTable::flag(std::string_view key) const {
  const toml::node* node = node_->table->get(key);
  if (!node) return std::nullopt;
  if (const auto* value = node->as_boolean()) return value->get();
  throw wrong_type(key, "true or false", "true");
}

std::optional<std::int64_t> TomlTable::integer(std::string_view key) const {
  const toml::node* node = node_->table->get(key);
  if (!node) return std::nullopt;
  if (const auto* value = node->as_integer()) return value->get();
  throw wrong_type(key, "a whole number", "1, without quotes");
}

std::optional<std::vector<std::string>> TomlTable::texts(std::string_view key) const {
  const toml::node* node = node_->table->get(key);
  if (!node) return std::nullopt;
  std::vector<std::string> result;
  const toml::array* values = node->as_array();
  for (std::size_t i = 0; values && i < values->size(); ++i) {
    const auto* value = values->get(i)->as_string();
    if (!value) values = nullptr;
    if (value) result.push_back(value->get());
  }
  if (!values) throw wrong_type(key, "a list of texts", "[\"…\", \"…\"]");
  return result;
}

TomlTable TomlTable::section(std::string_view name) const {
  auto node = std::make_shared<Node>(*node_);
  static const toml::table kEmpty;
  const toml::node* found = node_->table->get(name);
  node->table = found ? found->as_table() : &kEmpty;
  if (!node->table)
    throw error_at(name, fmt::format("'{}' must be a section", name),
                   fmt::format("write [{}] on a line of its own", name));
  return {std::move(node), std::string(name), title_of(name)};
}

std::vector<TomlTable> TomlTable::sections(std::string_view name) const {
  std::vector<TomlTable> result;
  const toml::node* found = node_->table->get(name);
  if (!found) return result;
  const Error wrong = error_at(name, fmt::format("each {} is a section in double brackets", name),
                               fmt::format("write [[{}]] instead of [{}]", name, name));
  const toml::array* values = found->as_array();
  if (!values) throw wrong;
  for (const toml::node& value : *values) {
    auto node = std::make_shared<Node>(*node_);
    node->table = value.as_table();
    if (!node->table) throw wrong;
    result.push_back({std::move(node), std::string(name), title_of(name)});
  }
  return result;
}

std::optional<TomlTable> TomlTable::table(std::string_view key,
                                          std::span<const std::string_view> known) const {
  const toml::node* found = node_->table->get(key);
  if (!found) return std::nullopt;
  auto node = std::make_shared<Node>(*node_);
  node->table = found->as_table();
  const std::vector<std::string> names(known.begin(), known.end());
  if (!node->table) throw wrong_type(key, "a table", fmt::format("{{ {} = … }}", names.front()));
  for (const auto& [name, value] : *node->table) {
    if (std::find(names.begin(), names.end(), name.str()) != names.end()) continue;
    const std::string meant = nearest(name.str(), names);
    throw Error(ErrorCode::usage,
                fmt::format("{}: unknown key '{}' in '{}' of {}", node_->place(name.source()),
                            name.str(), key, title_),
                meant.empty() ? fmt::format("known are {}", fmt::join(names, ", "))
                              : fmt::format("did you mean '{}'?", meant));
  }
  return TomlTable{std::move(node), std::string(key), fmt::format("'{}' of {}", key, title_)};
}

void TomlTable::check_keys() const {
  check_keys_of_section();
  for (const std::string_view name : config_sections()) {
    if (name == "storage")
      for (const TomlTable& table : sections(name)) table.check_keys_of_section();
    else
      section(name).check_keys_of_section();
  }
}

void TomlTable::check_keys_of_section() const {
  const std::vector<std::string> known = keys_of(section_);
  const auto names = config_sections();
  for (const auto& [key, value] : *node_->table) {
    const std::string_view name = key.str();
    const bool is_section =
        section_.empty() && std::find(names.begin(), names.end(), name) != names.end();
    if (!is_section && std::find(known.begin(), known.end(), name) == known.end())
      throw unknown_key(name);
  }
}

Error TomlTable::unknown_key(std::string_view key) const {
  const auto found = node_->table->find(key);
  const std::string place = node_->place(found->first.source());
  const bool section =
      section_.empty() && (found->second.is_table() || found->second.is_array_of_tables());
  if (section_ == "storage" && is_secret_name(key))
    return {ErrorCode::usage,
            fmt::format("{}: '{}' must not stand in the configuration", place, key),
            fmt::format("write {0}_env, {0}_file or {0}_command instead", key)};
  std::vector<std::string> known = keys_of(section_);
  if (section) {
    known.clear();
    for (const std::string_view name : config_sections()) known.emplace_back(name);
  }
  std::string message = section ? fmt::format("{}: unknown section [{}]", place, key)
                                : fmt::format("{}: unknown key '{}' in {}", place, key, title_);
  if (const std::string meant = nearest(key, known); !meant.empty())
    return {ErrorCode::usage, message,
            section ? fmt::format("did you mean {}?", title_of(meant))
                    : fmt::format("did you mean '{}'?", meant)};
  for (const ConfigKey& other : config_keys())
    if (!section && other.name == key && other.section != section_)
      return {ErrorCode::usage, message,
              other.section.empty()
                  ? fmt::format("'{}' stands above the first section", key)
                  : fmt::format("'{}' belongs to {}", key, title_of(other.section))};
  std::sort(known.begin(), known.end());
  return {ErrorCode::usage, message, fmt::format("known are {}", fmt::join(known, ", "))};
}

}  // namespace bkp
