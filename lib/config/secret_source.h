// Where a secret of the configuration comes from: an environment variable, a file, or a command.
#pragma once

#include <string_view>

#include "base/secret.h"
#include "config/config.h"
#include "config/env_file.h"
#include "config/toml_table.h"

namespace bkp {

class SecretSource {
 public:
  // Reads the file that the table's env_file names, if any.
  SecretSource(const TomlTable& root, Secrets secrets);

  // The secret of NAME_env, NAME_file or NAME_command in the table; empty where it has none of
  // them. A command is an argv vector, has 10 seconds, and its last newline is not part of the
  // secret. Throws Error(usage) when the table has two, or the secret is not to be had; with
  // Secrets::optional that leaves it empty, and no command is run.
  Secret resolve(const TomlTable& table, const std::string& name) const;

 private:
  Secret from_environment(const TomlTable& table, const std::string& key) const;
  Secret from_file(const TomlTable& table, const std::string& key) const;
  Secret from_command(const TomlTable& table, const std::string& key) const;

  Secrets secrets_;
  std::filesystem::path env_file_;
  EnvFile variables_;
};

}  // namespace bkp
