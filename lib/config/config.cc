#include "config/config.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <tuple>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/units.h"
#include "config/conninfo.h"
#include "config/secret_source.h"
#include "config/storage_config.h"
#include "config/toml_table.h"
#include "crypto/container.h"

namespace bkp {

namespace {

constexpr const char* kDefaultCatalog = "sqlite:/var/lib/bkp/catalog.db";
constexpr std::size_t kMostEscrowKeys = 15;  // a container has 16 slots
constexpr const char* kDefaultState = "/var/lib/bkp";
constexpr std::string_view kSqlite = "sqlite:";
constexpr std::string_view kNameCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

// Files whose names say that they hold secrets.
constexpr const char* kSecretFiles[] = {".env",           ".env.*", "*.env",    "*.key",
                                        "*.pem",          "*.p12",  "*.pfx",    "*.jks",
                                        "*.kdbx",         ".netrc", ".pgpass",  "*.keytab",
                                        "ssh_host_*_key", "id_rsa", "id_ecdsa", "id_ed25519"};

std::string parse_cluster_name(const std::string& text) {
  if (!text.empty() && text.size() <= 63 &&
      text.find_first_not_of(kNameCharacters) == std::string::npos)
    return text;
  throw Error(ErrorCode::usage, "'" + text + "' is not a cluster's name",
              "use A to Z, a to z, 0 to 9, '_' and '-', 63 of them at most");
}

std::string parse_catalog_url(const std::string& text) {
  if (is_postgresql_url(text)) {
    check_conninfo(text);
    return text;
  }
  const bool sqlite = text.starts_with(kSqlite);
  const std::filesystem::path path(sqlite ? text.substr(kSqlite.size()) : "");
  if (sqlite && path.is_absolute() && path.has_filename()) return text;
  // Not shown: another kind of url may hold a password.
  throw Error(ErrorCode::usage, "not a catalog that bkp knows",
              "write sqlite:/path, such as " + std::string(kDefaultCatalog) +
                  ", or postgresql://user@host/database");
}

std::string parse_cipher(const std::string& text) {
  parse_suite(text);
  return text;
}

std::string parse_conninfo(const std::string& text) {
  check_conninfo(text);
  return text;
}

// Reads sections of one file into a Config.
class Reader {
 public:
  Reader(const TomlTable& root, const SecretSource& secrets, Config& config)
      : root_(root), secrets_(secrets), config_(config) {}

  void read() {
    read_server();
    read_keeping();
    read_dump();
    read_cleanup();
    read_config_snapshot();
    config_.copies_minimum = number(root_.section("copies"), "minimum", config_.copies_minimum);
    read_value<VerifyAfter>(root_.section("verify"), "after", parse_verify_after,
                            config_.verify_after);
    const TomlTable restore = root_.section("restore");
    config_.read_order = list(restore, "read_order");
    config_.restore_jobs = number(restore, "jobs", config_.restore_jobs);
    read_value<std::string>(restore, "conninfo", parse_conninfo, config_.restore_conninfo);
    const char* temporary = std::getenv("TMPDIR");
    config_.spool_dir = temporary != nullptr && *temporary == '/' ? temporary : "/var/tmp";
    read_path(restore, "spool_dir", config_.spool_dir);
  }

 private:
  template <typename T>
  static void read_value(const TomlTable& table, std::string_view key,
                         const std::function<T(const std::string&)>& parse, T& into) {
    if (auto value = table.parsed<T>(key, parse)) into = std::move(*value);
  }
  static void read_path(const TomlTable& table, std::string_view key, std::filesystem::path& into) {
    read_value<std::filesystem::path>(table, key, parse_absolute_path, into);
  }
  static std::vector<std::string> list(const TomlTable& table, std::string_view key) {
    return table.texts(key).value_or(std::vector<std::string>{});
  }
  static unsigned number(const TomlTable& table, std::string_view key, unsigned standard) {
    const auto value = table.integer(key);
    if (!value) return standard;
    if (*value >= 1 && *value <= 1000) return static_cast<unsigned>(*value);
    throw table.error_at(key, fmt::format("'{}' must be from 1 to 1000, not {}", key, *value));
  }
  static void require(const TomlTable& table, std::string_view key, std::string_view example) {
    if (table.has(key)) return;
    throw table.error_at("", fmt::format("'{}' in {} is missing", key, table.title()),
                         fmt::format("add {} = \"{}\" under {}", key, example, table.title()));
  }

  void read_server() {
    const TomlTable cluster = root_.section("cluster");
    require(cluster, "name", "shop");
    read_value<std::string>(cluster, "name", parse_cluster_name, config_.cluster);
    const TomlTable postgres = root_.section("postgres");
    require(postgres, "conninfo", "host=/var/run/postgresql dbname=shop user=bkp");
    read_value<std::string>(postgres, "conninfo", parse_conninfo, config_.conninfo);
    read_path(postgres, "data_dir", config_.data_dir);
    read_path(postgres, "bin_dir", config_.bin_dir);
  }

  void read_catalog() {
    const TomlTable catalog = root_.section("catalog");
    config_.catalog_url = kDefaultCatalog;
    read_value<std::string>(catalog, "url", parse_catalog_url, config_.catalog_url);
    for (const char* key : {"url_env", "url_file", "url_command"}) {
      if (!catalog.has(key)) continue;
      if (catalog.has("url"))
        throw catalog.error_at(key, fmt::format("'url' and '{}' name the same thing", key),
                               "keep one of them");
      const Secret secret = secrets_.resolve(catalog, "url");
      config_.catalog_url.clear();
      if (secret.empty()) return;  // not to be had now, and not asked for
      try {
        config_.catalog_url = parse_catalog_url(std::string(secret.reveal_text()));
      } catch (const Error& error) {
        throw catalog.error_at(key, fmt::format("{}: {}", key, error.message()), error.hint());
      }
      return;
    }
  }

  void read_keeping() {
    read_catalog();
    config_.state_dir =
        config_.catalog_url.starts_with(kSqlite)
            ? std::filesystem::path(config_.catalog_url.substr(kSqlite.size())).parent_path()
            : std::filesystem::path(kDefaultState);
    read_path(root_, "state_dir", config_.state_dir);
    const TomlTable encryption = root_.section("encryption");
    require(encryption, "key_file", "/etc/bkp/keys.toml");
    read_path(encryption, "key_file", config_.key_file);
    read_value<std::string>(encryption, "cipher", parse_cipher, config_.cipher);
    read_escrow(encryption);
    const TomlTable compression = root_.section("compression");
    const std::pair<const char*, Compression&> codecs[] = {
        {"dump", config_.compress_dump},
        {"tenant", config_.compress_tenant},
        {"configuration", config_.compress_configuration},
        {"base", config_.compress_base},
        {"wal", config_.compress_wal}};
    for (const auto& [key, into] : codecs)
      read_value<Compression>(
          compression, key, [](const std::string& text) { return parse_compression(text); }, into);
  }

  void read_escrow(const TomlTable& encryption) {
    for (const std::string& text : list(encryption, "also_for")) {
      const std::optional<Uuid> id = Uuid::parse(text);
      if (!id)
        throw encryption.error_at("also_for", "also_for: '" + text + "' is not the id of a key",
                                  "'bkp key list' shows the ids");
      config_.also_for.push_back(*id);
    }
    if (config_.also_for.size() > kMostEscrowKeys)
      throw encryption.error_at("also_for", fmt::format("also_for names {} keys, {} are the most",
                                                        config_.also_for.size(), kMostEscrowKeys));
  }

  void read_dump() {
    const TomlTable dump = root_.section("dump");
    config_.exclude_schemas = list(dump, "exclude_schemas");
    config_.exclude_tables = list(dump, "exclude_tables");
    config_.exclude_table_data = list(dump, "exclude_table_data");
    config_.digests = dump.flag("digests").value_or(config_.digests);
    read_value<std::chrono::seconds>(
        dump, "lock_wait", [](const std::string& text) { return parse_duration(text); },
        config_.lock_wait);
  }

  void read_cleanup() {
    const TomlTable cleanup = root_.section("cleanup");
    const auto duration = [](const std::string& text) { return parse_duration(text); };
    read_value<std::chrono::seconds>(cleanup, "verified_grace", duration, config_.verified_grace);
    read_value<std::chrono::seconds>(cleanup, "keep_deleted", duration, config_.keep_deleted);
  }

  void read_config_snapshot() {
    const TomlTable table = root_.section("config_snapshot");
    ConfigSnapshotConfig& snapshot = config_.config_snapshot;
    snapshot.paths = list(table, "paths");
    for (const std::string& path : snapshot.paths)
      if (!path.starts_with('/'))
        throw table.error_at("paths", fmt::format("paths: '{}' does not begin with '/'", path),
                             "name files, directories and patterns from the root");
    const std::vector<std::string> standard(std::begin(kSecretFiles), std::end(kSecretFiles));
    snapshot.secrets = table.texts("secrets").value_or(standard);
    read_path(table, "secrets_key_file", snapshot.secrets_key_file);
    if (!snapshot.secrets_key_file.empty() && snapshot.secrets_key_file == config_.key_file)
      throw table.error_at("secrets_key_file",
                           "secrets_key_file is the file that all backups are sealed with",
                           "a second seal needs keys of its own: bkp key generate --key-file FILE");
    read_path(root_, "env_file", config_.env_file);
  }

  const TomlTable& root_;
  const SecretSource& secrets_;
  Config& config_;
};

std::string names_of(const std::vector<StorageConfig>& storages) {
  std::string names;
  for (const StorageConfig& storage : storages) names += (names.empty() ? "" : ", ") + storage.name;
  return names;
}

// What only the storages together tell.
void check_against_storages(const TomlTable& root, Config& config) {
  if (config.copies_minimum > config.storages.size())
    throw root.section("copies").error_at(
        "minimum",
        fmt::format("minimum = {}, but there {} only {} storage{}", config.copies_minimum,
                    config.storages.size() == 1 ? "is" : "are", config.storages.size(),
                    config.storages.size() == 1 ? "" : "s"),
        "add a [[storage]], or lower minimum");
  std::vector<std::string> seen;
  for (const std::string& name : config.read_order) {
    const bool known =
        std::any_of(config.storages.begin(), config.storages.end(),
                    [&](const StorageConfig& storage) { return storage.name == name; });
    const TomlTable restore = root.section("restore");
    if (!known)
      throw restore.error_at("read_order",
                             fmt::format("read_order: there is no storage '{}'", name),
                             "there are " + names_of(config.storages));
    if (std::find(seen.begin(), seen.end(), name) != seen.end())
      throw restore.error_at("read_order", fmt::format("read_order names '{}' twice", name));
    seen.push_back(name);
  }
  if (config.read_order.empty())
    for (const StorageConfig& storage : config.storages) config.read_order.push_back(storage.name);
}

void refuse_open_passwords(const TomlTable& root, const Config& config, unsigned mode) {
  if ((mode & 077) == 0) return;
  for (const auto& [section, key, conninfo] :
       {std::tuple<const char*, const char*, const std::string&>("postgres", "conninfo",
                                                                 config.conninfo),
        {"restore", "conninfo", config.restore_conninfo},
        {"catalog", "url", config.catalog_url}})
    if (root.section(section).has(key) && !conninfo.starts_with(kSqlite) && has_password(conninfo))
      throw root.section(section).error_at(
          key, fmt::format("{} holds a password, and others can read this file", key),
          "move the password to ~/.pgpass of the user that runs bkp");
}

}  // namespace

const StorageConfig& Config::storage(std::string_view name) const {
  for (const StorageConfig& known : storages)
    if (known.name == name) return known;
  throw Error(ErrorCode::usage, fmt::format("there is no storage '{}'", name),
              "there are " + names_of(storages));
}

std::filesystem::path config_path(const std::optional<std::string>& option) {
  if (option) return *option;
  const char* variable = std::getenv("BKP_CONFIG");
  return variable && *variable ? variable : "/etc/bkp/bkp.toml";
}

Config parse_config(std::string_view content, const std::filesystem::path& path, unsigned mode,
                    Secrets secrets) {
  const TomlTable root = TomlTable::parse(content, path);
  root.check_keys();
  Config config;
  config.file = path;
  const SecretSource source(root, secrets);
  Reader(root, source, config).read();
  refuse_open_passwords(root, config, mode);
  config.storages = read_storages(root, source, secrets);
  check_against_storages(root, config);
  return config;
}

Config load_config(const std::filesystem::path& path) {
  return load_config(path, Secrets::required);
}

Config load_config(const std::filesystem::path& path, Secrets secrets) {
  struct stat status {};
  std::string content;
  const bool absent = ::stat(path.c_str(), &status) != 0 && errno == ENOENT;
  try {
    content = read_file(path);
  } catch (const Error& error) {
    check_interrupt();
    throw Error(ErrorCode::usage, "cannot read the configuration: " + error.message(),
                absent ? "make one with 'bkp init', or name another with --config or BKP_CONFIG"
                       : "run bkp as the user that owns the file");
  }
  return parse_config(content, path, status.st_mode, secrets);
}

}  // namespace bkp
