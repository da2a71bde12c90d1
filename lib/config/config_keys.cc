#include "config/config_keys.h"

#include <algorithm>

namespace bkp {

namespace {

constexpr ConfigKey kKeys[] = {
    {"", "env_file"},
    {"", "state_dir"},
    {"cluster", "name"},
    {"postgres", "conninfo"},
    {"postgres", "data_dir"},
    {"postgres", "bin_dir"},
    {"catalog", "url"},
    {"catalog", "url_env"},
    {"catalog", "url_file"},
    {"catalog", "url_command"},
    {"encryption", "key_file"},
    {"encryption", "cipher"},
    {"encryption", "also_for"},
    {"compression", "dump"},
    {"compression", "tenant"},
    {"compression", "configuration"},
    {"compression", "base"},
    {"compression", "wal"},
    {"dump", "exclude_schemas"},
    {"dump", "exclude_tables"},
    {"dump", "exclude_table_data"},
    {"dump", "digests"},
    {"dump", "lock_wait"},
    {"copies", "minimum"},
    {"storage", "name"},
    {"storage", "type"},
    {"storage", "capacity"},
    {"storage", "verify_after"},
    {"storage", "keep"},
    {"storage", "keep_last"},
    {"storage", "path"},
    {"storage", "provider"},
    {"storage", "endpoint"},
    {"storage", "region"},
    {"storage", "bucket"},
    {"storage", "prefix"},
    {"storage", "access_key_env"},
    {"storage", "access_key_file"},
    {"storage", "access_key_command"},
    {"storage", "secret_key_env"},
    {"storage", "secret_key_file"},
    {"storage", "secret_key_command"},
    {"storage", "account_id_env"},
    {"storage", "account_id_file"},
    {"storage", "account_id_command"},
    {"storage", "ca_file"},
    {"verify", "after"},
    {"restore", "read_order"},
    {"restore", "jobs"},
    {"restore", "conninfo"},
    {"restore", "spool_dir"},
    {"cleanup", "verified_grace"},
    {"cleanup", "keep_deleted"},
    {"config_snapshot", "paths"},
    {"config_snapshot", "secrets"},
    {"config_snapshot", "secrets_key_file"},
};

constexpr std::string_view kSecrets[] = {"access_key", "secret_key", "account_id"};

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

std::vector<std::string_view> config_sections() {
  std::vector<std::string_view> sections;
  for (const ConfigKey& key : kKeys)
    if (!key.section.empty() &&
        std::find(sections.begin(), sections.end(), key.section) == sections.end())
      sections.push_back(key.section);
  return sections;
}

std::span<const std::string_view> secret_names() { return kSecrets; }

}  // namespace bkp
