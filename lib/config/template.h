// The configuration that `bkp init` writes: every section, with what it is for.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "config/config.h"

namespace bkp {

// A storage as it is to be written down.
struct StorageSection {
  StorageConfig where;  // no secrets
  std::string access_key_env, secret_key_env;
  std::string left_out;  // why it is only a comment yet; empty: it is not
};
std::string storage_section(const StorageSection& section);

struct InitAnswers {
  std::string cluster;
  std::string conninfo;
  std::filesystem::path local;  // directory of the storage "local"
  std::string catalog_url;      // "sqlite:/…"
  std::filesystem::path key_file;
  std::filesystem::path env_file;        // empty: none is named
  std::filesystem::path state_dir;       // empty: beside the catalog
  std::vector<StorageSection> storages;  // instead of `local` and examples
};

// The text of bkp.toml; load_config reads it without complaint.
std::string configuration_template(const InitAnswers& answers);

// A TOML text in double quotes.
std::string toml_quoted(std::string_view text);

}  // namespace bkp
