#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <future>

#include "base/units.h"
#include "base/uuid.h"
#include "catalog/catalog.h"
#include "monitor/doctor.h"
#include "monitor/doctor_findings.h"
#include "repo/cluster_file.h"
#include "repo/layout.h"
#include "storage/open_storage.h"
#include "storage/storage.h"

namespace bkp {
namespace {

constexpr std::chrono::minutes kClockSkew{5};

std::string subject_of(const StorageConfig& config) { return "storage '" + config.name + "'"; }

void check_cluster_file(const Config& config, Storage& storage, const std::string& subject,
                        Findings& found) {
  const auto content = read_object(storage, cluster_file_name(config.cluster), 1 << 20);
  if (!content)
    throw Error(ErrorCode::failed,
                "there is no '" + cluster_file_name(config.cluster) + "': is the disk mounted?",
                "for a new storage: bkp init");
  const ClusterFile file = decode_cluster_file(as_text(*content));
  found.push_back(all_is_well(
      subject, "belongs to cluster '" + file.name + "' (" + file.uuid.short_text() + ")"));
}

// Removes the probe however the check ends.
class Probe {
 public:
  Probe(Storage& storage, std::string name) : storage_(storage), names_{std::move(name)} {}
  ~Probe() {
    if (gone_) return;
    try {
      storage_.remove(names_);
    } catch (const std::exception&) {
      // the check has already failed with the storage's own words
    }
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  const std::string& name() const { return names_[0]; }
  void remove() {
    for (const Outcome& outcome : storage_.remove(names_))
      if (outcome.error) throw *outcome.error;
    gone_ = true;
  }

 private:
  Storage& storage_;
  std::array<std::string, 1> names_;
  bool gone_ = false;
};

bool refuses_overwriting(Storage& storage, const std::string& name) {
  try {
    write_object(storage, name, as_bytes("other bytes"), IfExists::fail);
    return false;
  } catch (const StorageUnreachable&) {
    throw;
  } catch (const Error&) {
    return true;
  }
}

void check_objects(const Config& config, Storage& storage, const std::string& subject,
                   Findings& found) {
  const std::string content = "bkp doctor " + Uuid::random().text();
  Probe probe(storage, config.cluster + "/doctor-" + Uuid::random().text());
  write_object(storage, probe.name(), as_bytes(content));
  const auto back = read_object(storage, probe.name(), 4096);
  if (!back || as_text(*back) != content)
    throw Error(ErrorCode::failed, "it does not return what was written");
  const bool refuses = refuses_overwriting(storage, probe.name());
  probe.remove();
  if (stat_object(storage, probe.name()))
    throw Error(ErrorCode::failed, "an object that was removed is still there");
  found.push_back(all_is_well(subject, "takes, returns and removes objects"));
  if (!refuses)
    found.push_back(warning(subject, "lets an object be overwritten",
                            "let no other cluster or program write under this name"));
}

void check_clock(const StorageInfo& info, TimePoint now, const std::string& subject,
                 Findings& found) {
  if (!info.clock) return;
  const auto skew = std::chrono::abs(now - *info.clock);
  if (skew > kClockSkew)
    found.push_back(failure(subject, "its clock and this host's differ by " + format_duration(skew),
                            "set this host's clock: timedatectl set-ntp true"));
}

void check_room(const StorageConfig& config, const StorageInfo& info, std::uint64_t last_size,
                const std::string& subject, Findings& found) {
  if (!info.available) return;
  const std::string free = format_size(*info.available) + " free";
  if (*info.available < last_size + last_size / 5)
    found.push_back(warning(subject, free + ", the last backup took " + format_size(last_size),
                            config.type == StorageType::local
                                ? "make room on the disk of '" + config.path.string() + "'"
                                : "raise the bucket's quota"));
  else
    found.push_back(all_is_well(subject, free));
}

Findings check_storage(const Config& config, const StorageConfig& storage_config,
                       std::uint64_t last_size, const Clock& clock) {
  const std::string subject = subject_of(storage_config);
  return examined(subject, [&](Findings& found) {
    const std::shared_ptr<Storage> storage = open_storage(storage_config);
    const StorageInfo info = storage->info();
    const TimePoint now = clock.now();
    found.push_back(all_is_well(subject, "answers at " + info.location));
    check_clock(info, now, subject, found);
    check_cluster_file(config, *storage, subject, found);
    check_objects(config, *storage, subject, found);
    check_newest_opens(config, *storage, subject, found);
    check_room(storage_config, info, last_size, subject, found);
  });
}

std::uint64_t last_stored_size(const Config& config) {
  try {
    BackupFilter filter;
    filter.type = BackupType::full_database;
    for (const BackupRecord& backup :
         open_catalog(config.catalog_url, SqlAccess::read, config.cluster).backups(filter))
      if (backup.size_bytes > 0) return backup.size_bytes;
  } catch (const Error&) {
    // the catalog's own check tells
  }
  return 0;
}

}  // namespace

Findings check_storages(const Config& config, const Clock& clock) {
  const std::uint64_t last_size = last_stored_size(config);
  std::vector<std::future<Findings>> answers;
  for (const StorageConfig& storage : config.storages)
    answers.push_back(std::async(std::launch::async, [&config, &storage, last_size, &clock] {
      return check_storage(config, storage, last_size, clock);
    }));
  Findings all;
  for (std::future<Findings>& answer : answers)
    for (Finding& finding : answer.get()) all.push_back(std::move(finding));
  return all;
}

}  // namespace bkp
