#include "config/secret_source.h"

#include <fmt/format.h>

#include "base/error.h"
#include "config/private_file.h"
#include "stream/process.h"

namespace bkp {

namespace {

constexpr std::chrono::seconds kCommandLimit{10};
constexpr std::size_t kSecretLimit = std::size_t{1} << 16;

Secret without_last_newline(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return Secret(text);
}

std::filesystem::path absolute_path(const TomlTable& table, const std::string& key) {
  std::filesystem::path path(table.text(key).value_or(""));
  if (!path.is_absolute())
    throw table.error_at(key, "'" + key + "' must be a path from the root",
                         "write " + key + " = \"/…\"");
  return path;
}

}  // namespace

SecretSource::SecretSource(const TomlTable& root, Secrets secrets) : secrets_(secrets) {
  if (!root.has("env_file")) return;
  env_file_ = absolute_path(root, "env_file");
  try {
    variables_ = parse_env_file(read_private_file(env_file_, "env_file"), env_file_);
  } catch (const Error&) {
    if (secrets_ == Secrets::required) throw;
  }
}

Secret SecretSource::resolve(const TomlTable& table, const std::string& name) const {
  std::string key;
  for (const char* suffix : {"_env", "_file", "_command"}) {
    if (!table.has(name + suffix)) continue;
    if (!key.empty())
      throw table.error_at(name + suffix,
                           fmt::format("'{}' and '{}{}' name the same secret", key, name, suffix),
                           "keep one of them");
    key = name + suffix;
  }
  if (key.empty()) return {};
  try {
    Secret secret = key.ends_with("_env")    ? from_environment(table, key)
                    : key.ends_with("_file") ? from_file(table, key)
                                             : from_command(table, key);
    if (secret.empty() && secrets_ == Secrets::required)
      throw table.error_at(key, fmt::format("the secret of '{}' is empty", key));
    return secret;
  } catch (const Error&) {
    if (secrets_ == Secrets::required) throw;
    return {};
  }
}

Secret SecretSource::from_environment(const TomlTable& table, const std::string& key) const {
  const std::string variable = table.text(key).value_or("");
  if (auto value = environment_variable(variable, variables_)) return *value;
  throw table.error_at(
      key, fmt::format("environment variable '{}' of '{}' is not set", variable, key),
      env_file_.empty()
          ? fmt::format("set it, or write a line {}=… into a file and name that as env_file",
                        variable)
          : fmt::format("set it, or write a line {}=… into '{}'", variable, env_file_.string()));
}

Secret SecretSource::from_file(const TomlTable& table, const std::string& key) const {
  const std::filesystem::path path = absolute_path(table, key);
  try {
    return without_last_newline(read_private_file(path, key));
  } catch (const Error& error) {
    throw table.error_at(key, error.message(), error.hint());
  }
}

Secret SecretSource::from_command(const TomlTable& table, const std::string& key) const {
  ProcessOptions options;
  options.argv = table.texts(key).value_or(std::vector<std::string>{});
  options.time_limit = kCommandLimit;
  if (options.argv.empty() || options.argv.front().empty())
    throw table.error_at(key, fmt::format("'{}' names no program", key),
                         fmt::format("write {} = [\"program\", \"argument\"]", key));
  if (secrets_ == Secrets::optional) return {};
  try {
    return without_last_newline(run_for_output(std::move(options), kSecretLimit));
  } catch (const Error& error) {
    throw table.error_at(key, key + ": " + error.message(),
                         "run the command as this user and see that it prints the secret");
  }
}

}  // namespace bkp
