#include "backup/config_snapshot.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backup/selection.h"
#include "backup/stored_manifest.h"
#include "backup/verify.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "base/utf8.h"

namespace bkp {
namespace {

constexpr int kTries = 4;  // for large files that change while they are in the stream
constexpr std::string_view kSqlite = "sqlite:";

void never(ScanRequest& request, const std::filesystem::path& path, std::string reason) {
  if (!path.empty()) request.never.push_back({path, std::move(reason)});
}

ScanRequest scan_request(const Config& config, const ServerState& server) {
  ScanRequest request;
  for (const std::string& path : config.config_snapshot.paths) request.paths.push_back({path});
  request.paths.push_back({config.file.string(), true});
  if (!config.env_file.empty()) request.paths.push_back({config.env_file.string(), true, true});
  for (const std::string& path : server.configuration_files)
    if (server.on_this_host) request.paths.push_back({path, true});
  if (server.on_this_host && !server.private_key.empty())
    request.paths.push_back({server.private_key, true, true});
  request.secrets = config.config_snapshot.secrets;
  never(request, config.key_file,
        "it is bkp's key file: a backup that holds its own key protects nothing");
  never(request, config.config_snapshot.secrets_key_file,
        "it is the key file of sealed files: a backup that holds its own key protects nothing");
  for (const StorageConfig& storage : config.storages)
    if (storage.type == StorageType::local)
      never(request, storage.path, fmt::format("it is the storage '{}'", storage.name));
  if (config.catalog_url.starts_with(kSqlite))
    for (const char* ending : {"", "-wal", "-shm"})
      never(request, config.catalog_url.substr(kSqlite.size()) + ending,
            "it is bkp's catalog, which the storages can rebuild");
  return request;
}

// As they stand in key files and recovery kits.
void add_secrets(const KeyRing& keys, std::vector<Secret>& texts) {
  for (const MasterKey& key : keys.keys()) texts.emplace_back(to_base64(key.secret.reveal()));
}

std::optional<BackupRecord> newest_snapshot(const Context& context) {
  BackupFilter filter;
  filter.type = BackupType::configuration;
  for (BackupRecord& backup : context.catalog.backups(filter))
    if (is_whole(backup) && backup.cluster == context.config.cluster) return std::move(backup);
  return std::nullopt;
}

bool has_digest(const BackupRecord& backup, const Digest256& digest) {
  const auto metadata = nlohmann::json::parse(backup.metadata, nullptr, false);
  return metadata.is_object() && metadata.value("content_digest", "") == to_hex(digest);
}

// Good in the catalog in every storage, and still there with the right size as far as storages
// answer. (One that does not answer says nothing of what it holds: a warning.)
bool is_still_whole(Context& context, StoredBackup& stored) {
  for (const std::string& storage : context.repository.storage_names()) {
    const auto good = [&storage](const CopyRecord& copy) {
      return copy.storage == storage && copy.state == CopyState::good;
    };
    if (std::none_of(stored.backup.copies.begin(), stored.backup.copies.end(), good)) return false;
  }
  try {
    std::vector<CopyCheck> bad;
    const Manifest manifest = fetch_manifest(context, stored.backup, bad);
    std::vector<StorageDepth> depths;
    for (const std::string& storage : context.repository.storage_names())
      depths.push_back({storage, CheckDepth::stat});
    VerifyResult checked = verify_backup(context, stored.backup, manifest, depths);
    stored.backup = std::move(checked.backup);
    for (const CopyCheck& copy : checked.copies) {
      if (copy.state == CopyState::failed)
        stored.warnings.push_back(
            fmt::format("the copy in '{}' was not looked at: {}", copy.storage, copy.problem));
      else if (copy.state != CopyState::good)
        return false;
    }
    return true;
  } catch (const Error& error) {
    check_interrupt();
    context.log.warning("the snapshot before cannot be looked at: " + error.message());
    return false;
  }
}

// On record beside the backup: it is the configuration of this moment too.
void record_seen(Context& context, BackupRecord& backup) {
  auto metadata = nlohmann::ordered_json::parse(backup.metadata);
  metadata["last_seen_same"] = format_utc(context.clock.now());
  backup.metadata = metadata.dump();
  context.catalog.put_backup(backup);
}

BackupSubject subject_of(const Context& context, const std::string& note) {
  BackupSubject subject;
  subject.type = BackupType::configuration;
  subject.compression = context.config.compress_configuration;
  subject.note = note;
  subject.title = "the configuration";
  subject.work = "configuration";
  return subject;
}

}  // namespace

ConfigurationPlan plan_configuration(const Config& config, const KeyRing& keys, Log& log) {
  ConfigurationPlan plan;
  add_secrets(keys, plan.forbidden);
  const std::filesystem::path& secret_file = config.config_snapshot.secrets_key_file;
  if (!secret_file.empty()) {
    try {
      plan.secret_keys = load_key_file(secret_file);
    } catch (const Error& error) {
      check_interrupt();
      throw Error(ErrorCode::usage, "secrets_key_file: " + error.message(),
                  std::filesystem::exists(secret_file)
                      ? error.hint()
                      : "make it: bkp key generate --key-file " + secret_file.string());
    }
    add_secrets(*plan.secret_keys, plan.forbidden);
  }
  plan.server = read_server_state(config.conninfo);
  if (plan.server.version != 0 && !plan.server.on_this_host)
    log.warning("the server is on another host: its configuration files are not in the snapshot");
  plan.scan = scan_files(scan_request(config, plan.server));
  return plan;
}

SnapshotResult config_snapshot(Context& context, WorkerPool& pool, const std::string& note) {
  ConfigurationPlan plan =
      plan_configuration(context.config, context.repository.keys(), context.log);
  begin_run(context, BackupType::configuration);
  SnapshotResult result;
  result.configuration = survey(plan, context.clock.now());
  if (const std::optional<BackupRecord> newest = newest_snapshot(context);
      newest && has_digest(*newest, result.configuration.digest())) {
    result.stored.backup = *newest;
    if (is_still_whole(context, result.stored)) {
      result.unchanged = true;
      record_seen(context, result.stored.backup);
      return result;
    }
    result.stored = {};
  }
  for (int i = 0; i < kTries; ++i) {
    ConfigurationOutcome outcome;
    result.stored = store_backup(context, subject_of(context, note), [&](const Manifest& begun) {
      return std::make_unique<ConfigurationSource>(plan, begun, parse_suite(context.config.cipher),
                                                   pool, outcome);
    });
    if (!result.stored.error) result.configuration = std::move(outcome.configuration);
    if (!result.stored.error || !outcome.changed) break;
    plan.unsteady.push_back(*outcome.changed);
  }
  end_run(context, BackupType::configuration, {result.stored});
  return result;
}

int snapshot_exit_code(const SnapshotResult& result) {
  const int code = stored_exit_code({result.stored});
  return code == 0 && result.configuration.problems() > 0 ? 3 : code;
}

}  // namespace bkp
