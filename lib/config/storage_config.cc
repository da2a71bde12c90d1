#include "config/storage_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/error.h"
#include "base/units.h"
#include "config/config_keys.h"
#include "config/keep_config.h"

namespace bkp {

namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";

bool consists_of(std::string_view text, std::initializer_list<std::string_view> sets) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return std::any_of(sets.begin(), sets.end(),
                       [c](std::string_view set) { return set.find(c) != std::string_view::npos; });
  });
}

std::string parse_name(const std::string& text) {
  if (consists_of(text, {kLower, kDigits, "_-"}) && text.size() <= 63) return text;
  throw Error(ErrorCode::usage, "'" + text + "' is not a storage's name",
              "use a to z, 0 to 9, '_' and '-', 63 of them at most");
}

StorageType parse_type(const std::string& text) {
  if (text == "local") return StorageType::local;
  if (text == "s3") return StorageType::s3;
  throw Error(ErrorCode::usage, "'" + text + "' is not a type of storage",
              "known are local, s3 (any S3-compatible bucket)");
}

std::string parse_provider(const std::string& text) {
  if (text == "r2" || text == "b2" || text == "aws") return text;
  throw Error(ErrorCode::usage, "'" + text + "' is not a known provider",
              "known are r2, b2, aws; for any other leave provider out and write endpoint = "
              "\"https://…\"");
}

std::string parse_region(const std::string& text) {
  if (consists_of(text, {kLower, kUpper, kDigits, "-_"})) return text;
  throw Error(ErrorCode::usage, "'" + text + "' is not a region");
}

std::string parse_bucket(const std::string& text) {
  if (consists_of(text, {kLower, kUpper, kDigits, ".-_"}) && text != "." && text != "..")
    return text;
  throw Error(ErrorCode::usage, "'" + text + "' is not a bucket's name",
              "a folder inside of the bucket is its prefix");
}

bool is_port(std::string_view text) {
  return consists_of(text, {kDigits}) && text.size() <= 5 && std::stoul(std::string(text)) != 0 &&
         std::stoul(std::string(text)) < 65536;
}

bool is_host(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']'))
    return consists_of(text.substr(1, text.size() - 2), {kDigits, "abcdefABCDEF:."});
  return consists_of(text, {kLower, kUpper, kDigits, ".-_"});
}

// "https://host[:port]", one slash behind it forgiven.
std::string parse_endpoint(const std::string& text) {
  std::string_view rest(text);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const std::string plain(rest);
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!rest.starts_with(scheme)) continue;
    rest.remove_prefix(scheme.size());
    const std::size_t bracket = rest.rfind(']');
    const std::size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
    const bool port = colon != std::string_view::npos;
    if (is_host(rest.substr(0, colon)) && (!port || is_port(rest.substr(colon + 1)))) return plain;
    break;
  }
  throw Error(ErrorCode::usage, "'" + text + "' is not an endpoint",
              "write https://host or https://host:port; bucket and folder have keys of their own");
}

// Without slashes at its ends, as one way to write it.
std::string parse_prefix(const std::string& text) {
  std::string_view rest(text);
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const std::string padded = "/" + std::string(rest) + "/";
  const bool odd =
      padded.find("/./") != std::string::npos || padded.find("/../") != std::string::npos ||
      std::any_of(rest.begin(), rest.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (!odd && (rest.empty() || padded.find("//") == std::string::npos)) return std::string(rest);
  throw Error(ErrorCode::usage, "'" + text + "' is not a prefix", "write it like a/b");
}

template <typename T>
void read(const TomlTable& table, std::string_view key,
          const std::function<T(const std::string&)>& parse, T& into) {
  if (auto value = table.parsed<T>(key, parse)) into = std::move(*value);
}

Error lacks(const TomlTable& table, const StorageConfig& storage, std::string_view what,
            std::string hint) {
  return table.error_at("", fmt::format("storage '{}' has no {}", storage.name, what),
                        std::move(hint));
}

// Keys of the other type would be read by nobody.
void refuse_keys_of_other_type(const TomlTable& table, StorageType type) {
  constexpr std::string_view kCommon[] = {"name",         "type", "capacity",
                                          "verify_after", "keep", "keep_last"};
  for (const ConfigKey& key : config_keys()) {
    if (key.section != "storage" || !table.has(key.name)) continue;
    if (std::find(std::begin(kCommon), std::end(kCommon), key.name) != std::end(kCommon)) continue;
    const bool local_key = key.name == "path";
    if (local_key == (type == StorageType::local)) continue;
    throw table.error_at(key.name, fmt::format("'{}' is not for a storage of type {}", key.name,
                                               type == StorageType::local ? "local" : "s3"));
  }
}

void read_local(const TomlTable& table, StorageConfig& storage) {
  read<std::filesystem::path>(table, "path", parse_absolute_path, storage.path);
  if (storage.path.empty()) throw lacks(table, storage, "path", "add path = \"/…\"");
}

std::string derived_endpoint(const TomlTable& table, const StorageConfig& storage,
                             const SecretSource& secrets, Secrets required) {
  if (storage.provider == "b2") return "https://s3." + storage.region + ".backblazeb2.com";
  if (storage.provider == "aws") return "https://s3." + storage.region + ".amazonaws.com";
  if (storage.provider != "r2")
    throw lacks(table, storage, "endpoint",
                "add endpoint = \"https://…\", or provider = \"r2\", \"b2\" or \"aws\"");
  const Secret account = secrets.resolve(table, "account_id");
  if (account.empty()) {
    if (required == Secrets::optional) return {};
    throw lacks(table, storage, "account_id",
                "add account_id_env, account_id_file or account_id_command, or endpoint = "
                "\"https://…\"");
  }
  if (!consists_of(account.reveal_text(), {kLower, kUpper, kDigits, "-"}))
    throw table.error_at("", fmt::format("the account_id of storage '{}' holds more than letters "
                                         "and digits",
                                         storage.name));
  return "https://" + std::string(account.reveal_text()) + ".r2.cloudflarestorage.com";
}

void read_place(const TomlTable& table, StorageConfig& storage, const SecretSource& secrets,
                Secrets required) {
  read<std::string>(table, "provider", parse_provider, storage.provider);
  read<std::string>(table, "endpoint", parse_endpoint, storage.endpoint);
  read<std::string>(table, "region", parse_region, storage.region);
  read<std::string>(table, "bucket", parse_bucket, storage.bucket);
  read<std::string>(table, "prefix", parse_prefix, storage.prefix);
  read<std::filesystem::path>(table, "ca_file", parse_absolute_path, storage.ca_file);
  if (storage.bucket.empty()) throw lacks(table, storage, "bucket", "add bucket = \"…\"");
  if (storage.region.empty()) {
    if (storage.provider == "b2" || storage.provider == "aws")
      throw lacks(table, storage, "region",
                  storage.provider == "b2" ? "add the region of the bucket's endpoint, such as "
                                             "region = \"us-east-005\""
                                           : "add region = \"eu-central-1\" or the bucket's own");
    storage.region = storage.provider == "r2" ? "auto" : "us-east-1";
  }
  if (storage.endpoint.empty())
    storage.endpoint = derived_endpoint(table, storage, secrets, required);
}

void read_s3(const TomlTable& table, StorageConfig& storage, const SecretSource& secrets,
             Secrets required) {
  read_place(table, storage, secrets, required);
  storage.access_key = secrets.resolve(table, "access_key");
  storage.secret_key = secrets.resolve(table, "secret_key");
  if (required == Secrets::optional) return;
  for (const auto& [name, secret] :
       {std::pair<std::string, const Secret&>("access_key", storage.access_key),
        {"secret_key", storage.secret_key}})
    if (secret.empty())
      throw lacks(table, storage, name, fmt::format("add {0}_env, {0}_file or {0}_command", name));
}

StorageConfig read_storage(const TomlTable& table, const SecretSource& secrets, Secrets required) {
  StorageConfig storage;
  read<std::string>(table, "name", parse_name, storage.name);
  if (storage.name.empty())
    throw table.error_at("", "a storage has no name", "add name = \"…\" to [[storage]]");
  const auto type = table.parsed<StorageType>("type", parse_type);
  if (!type) throw lacks(table, storage, "type", "add type = \"local\" or type = \"s3\"");
  storage.type = *type;
  refuse_keys_of_other_type(table, storage.type);
  storage.capacity = table.parsed<std::uint64_t>(
      "capacity", [](const std::string& text) { return parse_size(text); });
  storage.verify_after = table.parsed<VerifyAfter>("verify_after", parse_verify_after);
  storage.keep = read_keep(table, storage.type);
  if (storage.type == StorageType::local)
    read_local(table, storage);
  else
    read_s3(table, storage, secrets, required);
  return storage;
}

bool same_place(const StorageConfig& a, const StorageConfig& b) {
  if (a.type != b.type) return false;
  if (a.type == StorageType::local) {
    std::error_code not_there;  // a link or a bind mount is the same place by another name
    return a.path == b.path || std::filesystem::equivalent(a.path, b.path, not_there);
  }
  return !a.endpoint.empty() && a.endpoint == b.endpoint && a.bucket == b.bucket &&
         a.prefix == b.prefix;
}

}  // namespace

VerifyAfter parse_verify_after(const std::string& text) {
  if (text == "read") return VerifyAfter::read;
  if (text == "stat") return VerifyAfter::stat;
  if (text == "none") return VerifyAfter::none;
  throw Error(ErrorCode::usage, "'" + text + "' is no way to verify",
              "write read (every byte), stat (size only) or none");
}

std::filesystem::path parse_absolute_path(const std::string& text) {
  std::filesystem::path path = std::filesystem::path(text).lexically_normal();
  if (!path.is_absolute())
    throw Error(ErrorCode::usage, "'" + text + "' is not a path from the root",
                "begin it with '/'");
  if (!path.has_filename() && path.has_relative_path()) path = path.parent_path();
  return path;
}

std::vector<StorageConfig> read_storages(const TomlTable& root, const SecretSource& secrets,
                                         Secrets required) {
  std::vector<StorageConfig> storages;
  for (const TomlTable& table : root.sections("storage")) {
    StorageConfig storage = read_storage(table, secrets, required);
    for (const StorageConfig& other : storages) {
      if (other.name == storage.name)
        throw table.error_at("name", fmt::format("two storages have the name '{}'", storage.name),
                             "give each [[storage]] a name of its own");
      if (same_place(other, storage))
        throw table.error_at(
            "", fmt::format("storages '{}' and '{}' are one place", other.name, storage.name),
            "a copy protects only somewhere else: change path, bucket or prefix of one");
    }
    storages.push_back(std::move(storage));
  }
  if (storages.empty())
    throw root.error_at(
        "", "there is no storage",
        "add [[storage]] with name = \"local\", type = \"local\" and path = \"/…\"");
  return storages;
}

}  // namespace bkp
