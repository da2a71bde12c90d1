#include "backup/setup.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/error.h"
#include "catalog/catalog.h"
#include "config/conninfo.h"
#include "crypto/key.h"
#include "repo/layout.h"
#include "repo/repository.h"
#include "storage/open_storage.h"

namespace bkp {
namespace {

namespace fs = std::filesystem;
using Step = SetupStep;

constexpr std::string_view kSqlite = "sqlite:";

// One storage before anything is changed.
struct Found {
  const StorageConfig& config;
  std::shared_ptr<Storage> storage;
  std::optional<ClusterFile> file;
  std::optional<Error> failure;
  bool directory_missing = false;

  std::string where() const {
    return config.type == StorageType::local ? config.path.string()
                                             : config.endpoint + "/" + config.bucket;
  }
};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

Found look_at(const Config& config, const StorageConfig& storage) {
  Found found{storage, nullptr, {}, {}, false};
  if (storage.type == StorageType::local && !is_there(storage.path)) {
    found.directory_missing = true;
    return found;
  }
  try {
    found.storage = open_storage(storage);
    if (const auto text = read_object(*found.storage, cluster_file_name(config.cluster), 1 << 20))
      found.file = decode_cluster_file(as_text(*text));
  } catch (const Error& error) {
    if (error.code() == ErrorCode::integrity) throw;
    found.failure = error;
  }
  return found;
}

void refuse_two_clusters(const Config& config, const std::vector<Found>& all) {
  const Found* first = nullptr;
  for (const Found& found : all) {
    if (!found.file) continue;
    if (first != nullptr && first->file->uuid != found.file->uuid)
      throw Error(ErrorCode::usage,
                  "storages '" + first->config.name + "' and '" + found.config.name +
                      "' hold different clusters named '" + config.cluster + "' (" +
                      first->file->uuid.short_text() + " and " + found.file->uuid.short_text() +
                      ")",
                  "give this cluster another [cluster] name, or one of the storages another place");
    if (first == nullptr) first = &found;
  }
}

void refuse_unopenable(const Config& config, const std::vector<Found>& all) {
  if (is_there(config.key_file)) return;
  for (const Found& found : all)
    if (found.file)
      throw Error(ErrorCode::usage,
                  "storage '" + found.config.name + "' already holds a cluster named '" +
                      config.cluster + "', and its key file is not at '" +
                      config.key_file.string() + "'",
                  "put the key file there (the recovery kit has it), or choose another name");
}

// One that never took a copy, such as those of a storage that was configured, but not yet set up,
// is no sign of anything.
bool ever_held(const BackupRecord& backup, const std::string& storage) {
  return std::any_of(backup.copies.begin(), backup.copies.end(), [&](const CopyRecord& copy) {
    return copy.storage == storage && copy.state != CopyState::failed;
  });
}

// A directory that lost its mark while the catalog knows copies in it is a disk that is not there.
void refuse_unmounted(const Config& config, const std::vector<Found>& all) {
  if (config.catalog_url.starts_with(kSqlite) &&
      !is_there(config.catalog_url.substr(kSqlite.size())))
    return;
  if (!config.catalog_url.starts_with(kSqlite) && catalog_version(config.catalog_url) == 0) return;
  const Catalog catalog = open_catalog(config.catalog_url, SqlAccess::read, config.cluster);
  for (const Found& found : all) {
    if (found.file || found.failure) continue;
    BackupFilter filter;
    filter.storage = found.config.name;
    const std::vector<BackupRecord> backups = catalog.backups(filter);
    if (std::any_of(backups.begin(), backups.end(), [&](const BackupRecord& backup) {
          return ever_held(backup, found.config.name);
        }))
      throw Error(ErrorCode::usage,
                  "storage '" + found.config.name + "' at '" + found.where() + "' has no '" +
                      cluster_file_name(config.cluster) +
                      "', but the catalog knows backups in it: is the disk mounted?",
                  "mount it; for a new, empty place give the storage a new name");
  }
}

void refuse_unknown_identity(const Config& config, const std::vector<Found>& all) {
  for (const Found& found : all)
    if (found.file) return;
  for (const Found& found : all)
    if (found.failure)
      throw Error(ErrorCode::usage,
                  "storage '" + found.config.name +
                      "' did not answer, and no other knows cluster '" + config.cluster +
                      "': " + found.failure->message(),
                  "it may hold this cluster already: run again when it answers; for a cluster that "
                  "is new: bkp init --new-cluster");
}

Step make_key_file(const Config& config, TimePoint now) {
  const std::string where = config.key_file.string();
  if (is_there(config.key_file)) {
    load_key_file(config.key_file);
    return {"key file", where, Step::Outcome::kept, ""};
  }
  fs::create_directories(config.key_file.parent_path());
  save_key_file(config.key_file, KeyRing({generate_master_key(KeyState::active, now)}),
                KeyFileMode::create_new);
  return {"key file", where, Step::Outcome::made, ""};
}

Step make_catalog(const Config& config) {
  Step step{"catalog", "", Step::Outcome::made, ""};
  if (config.catalog_url.starts_with(kSqlite)) {
    const fs::path path = config.catalog_url.substr(kSqlite.size());
    step.where = path.string();
    if (is_there(path)) step.outcome = Step::Outcome::kept;
    fs::create_directories(path.parent_path());
  }
  if (!config.state_dir.empty()) fs::create_directories(config.state_dir);
  std::unique_ptr<SqlDatabase> database = open_sql_database(config.catalog_url);
  if (step.where.empty()) {
    step.where = shown_conninfo(config.catalog_url);
    if (database->has_table("catalog_version")) step.outcome = Step::Outcome::kept;
  }
  const Catalog made(std::move(database));  // opening brings it up to date
  return step;
}

void make_storage_directory(const fs::path& path) {
  fs::create_directories(path.parent_path());
  std::error_code failure;
  fs::create_directory(path, failure);
  if (failure)
    throw Error(ErrorCode::failed,
                "cannot create directory '" + path.string() + "': " + failure.message());
  fs::permissions(path, fs::perms::owner_all);
}

Step mark_storage(const Config& config, Found& found, const ClusterFile& file) {
  Step step{"storage '" + found.config.name + "'", found.where(), Step::Outcome::kept, ""};
  try {
    if (found.failure) throw *found.failure;
    if (found.file) return step;
    step.outcome = Step::Outcome::made;
    if (found.directory_missing) {
      make_storage_directory(found.config.path);
      found.storage = open_storage(found.config);
    }
    write_object(*found.storage, cluster_file_name(config.cluster),
                 as_bytes(encode_cluster_file(file)));
  } catch (const Error& error) {
    step.outcome = Step::Outcome::failed;
    step.problem = error.message();
  }
  return step;
}

ClusterFile mark_of(const Config& config, const std::vector<Found>& all,
                    const std::string& system_identifier, const std::string& host) {
  for (const Found& found : all)
    if (found.file) return *found.file;
  ClusterFile file;
  file.name = config.cluster;
  file.uuid = Uuid::random();
  if (!system_identifier.empty()) file.system_identifiers.push_back(system_identifier);
  file.hosts.push_back(host);
  return file;
}

}  // namespace

SetupResult set_up(const Config& config, const Clock& clock, const std::string& system_identifier,
                   const std::string& host, Identity identity) {
  std::vector<Found> all;
  for (const StorageConfig& storage : config.storages) all.push_back(look_at(config, storage));
  refuse_two_clusters(config, all);
  refuse_unopenable(config, all);
  refuse_unmounted(config, all);
  if (identity == Identity::existing) refuse_unknown_identity(config, all);

  const ClusterFile file = mark_of(config, all, system_identifier, host);
  SetupResult result;
  result.cluster = file.uuid;
  result.system_identifiers = file.system_identifiers;
  result.steps.push_back(make_key_file(config, clock.now()));
  const Step catalog = make_catalog(config);
  for (const Found& found : all)
    result.found_backups |= found.file && catalog.outcome == Step::Outcome::made;
  result.steps.push_back(catalog);
  for (Found& found : all) result.steps.push_back(mark_storage(config, found, file));
  return result;
}

}  // namespace bkp
