// The keys of bkp.toml, as one list: the parser knows these and no others, and bkp.toml(5) has each
// of them.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace bkp {

struct ConfigKey {
  std::string_view section;  // "" above all sections
  std::string_view name;
};

std::span<const ConfigKey> config_keys();
std::vector<std::string_view> config_sections();  // without ""

// Keys of [[storage]] whose values are secrets: each is given as NAME_env, NAME_file or
// NAME_command, and never plain.
std::span<const std::string_view> secret_names();

}  // namespace bkp
