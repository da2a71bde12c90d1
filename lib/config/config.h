// The configuration, read from TOML, checked, with its secrets resolved. Keys are those of
// bkp.toml(5).
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "base/uuid.h"
#include "stream/codec.h"

namespace bkp {

enum class StorageType { local, s3 };
enum class VerifyAfter { read, stat, none };

// How long one kind of data is kept in a storage; whichever keeps longer decides.
struct KeepConfig {
  std::optional<std::chrono::seconds> age;  // nullopt: for ever
  unsigned last = 0;                        // that many of the newest, whatever their age
  friend bool operator==(const KeepConfig&, const KeepConfig&) = default;
};

struct StorageKeep {
  KeepConfig dump, tenant, configuration, base, wal;
};

struct StorageConfig {
  std::string name;
  StorageType type = StorageType::local;
  std::filesystem::path path;             // local
  std::optional<std::uint64_t> capacity;  // bytes, for alerts; default: the file system's
  std::string provider;                   // s3: "r2", "b2", "aws", or empty
  std::string endpoint;  // s3: "https://host[:port]", derived from provider where it can be
  std::string region;
  std::string bucket;
  std::string prefix;  // before every name in the bucket, or empty; no slash at either end
  Secret access_key;
  Secret secret_key;
  std::filesystem::path ca_file;            // s3: trusted instead of the system's
  std::optional<VerifyAfter> verify_after;  // this storage's own
  StorageKeep keep;                         // default: 30 days local, 365 elsewhere, see the manual
};

// What `bkp config-snapshot` takes beside the server's own files: paths and patterns (base/glob.h).
struct ConfigSnapshotConfig {
  std::vector<std::string> paths;
  std::vector<std::string> secrets;        // files sealed a second time
  std::filesystem::path secrets_key_file;  // under the keys in this file; empty: they are left out
};

struct Config {
  std::filesystem::path file;      // where it was read from
  std::string cluster;             // [cluster] name
  std::string conninfo;            // [postgres]
  std::filesystem::path data_dir;  // empty: ask the server
  std::filesystem::path bin_dir;   // empty: by the server's major version
  // "sqlite:/path", "postgresql://…"; empty: a secret that was not asked for
  std::string catalog_url;
  std::filesystem::path env_file;   // empty: none
  std::filesystem::path state_dir;  // locks; default: beside the SQLite catalog, /var/lib/bkp
  std::filesystem::path key_file;   // [encryption]
  std::string cipher = "aes-256-gcm";
  std::vector<Uuid> also_for;  // [encryption]: escrow keys
  Compression compress_dump{Codec::gzip, 9};
  Compression compress_tenant{Codec::gzip, 9};
  Compression compress_configuration{Codec::gzip, 9};
  Compression compress_base{Codec::zstd, 1};
  Compression compress_wal{Codec::zstd, 1};
  std::vector<std::string> exclude_schemas;  // [dump]: pg_dump patterns
  std::vector<std::string> exclude_tables;
  std::vector<std::string> exclude_table_data;
  bool digests = true;
  std::chrono::seconds lock_wait{60};            // [dump] lock_wait: pg_dump --lock-wait-timeout
  unsigned copies_minimum = 1;                   // [copies]
  std::vector<StorageConfig> storages;           // at least one, in the file's order
  VerifyAfter verify_after = VerifyAfter::read;  // [verify]
  std::vector<std::string> read_order;           // [restore]; default: the storages' order
  unsigned restore_jobs = 4;
  std::string restore_conninfo;     // default: the owner by socket, see restore
  std::filesystem::path spool_dir;  // [restore] spool_dir; default: $TMPDIR or /var/tmp
  std::chrono::seconds verified_grace = std::chrono::days(7);  // [cleanup]
  std::chrono::seconds keep_deleted = std::chrono::days(90);
  ConfigSnapshotConfig config_snapshot;

  const StorageConfig& storage(
      std::string_view name) const;  // throws Error(usage) naming those there are
};

// --config, else $BKP_CONFIG, else /etc/bkp/bkp.toml.
std::filesystem::path config_path(const std::optional<std::string>& option);

// Throws Error(usage): no such file (hint: bkp init), not TOML (line and column), an unknown key
// (nearest known key), a missing or malformed value, a secret that is not there, a file with
// secrets that others can read.
Config load_config(const std::filesystem::path& path);

// For commands that ask no storage: as load_config, but a secret that cannot be resolved is left
// empty, and no x_command is run. (`list`, `show` work while a vault is down.)
enum class Secrets { required, optional };
Config load_config(const std::filesystem::path& path, Secrets secrets);

// The same for a text that is already read; `mode` is the file's, for the check of passwords in it.
Config parse_config(std::string_view content, const std::filesystem::path& path, unsigned mode,
                    Secrets secrets);

}  // namespace bkp
