#include "backup/history_snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "catalog/history.h"
#include "crypto/digest.h"
#include "repo/heartbeat.h"
#include "repo/sealed_object.h"
#include "stream/fan_out.h"

namespace bkp {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStart = "catalog_";
constexpr std::string_view kEnd = ".jsonl.gz.enc";
constexpr std::size_t kStamp = sizeof "20261120_020000.123456" - 1;
constexpr std::size_t kShortId = 8;
constexpr std::size_t kMaxStored = std::size_t{64} << 20;
constexpr std::size_t kMaxPlain = std::size_t{512} << 20;
constexpr std::chrono::hours kEvery{24};

// A host's name as a part of an object's name.
std::string plain_host(std::string_view host) {
  std::string plain;
  for (const unsigned char c : host.substr(0, 64))
    plain += std::isalnum(c) != 0 ? static_cast<char>(c) : '-';
  return plain.empty() ? "-" : plain;
}

fs::path state_file(const Context& context) {
  return context.config.state_dir / (context.config.cluster + "-history");
}

// Which backups there are, whole or not, held or not, and the key that is active: what a history is
// worth writing for.
std::string state_digest(const Context& context) {
  Sha256 digest;
  digest.update(as_bytes(context.repository.keys().active().id.text()));
  for (const BackupRecord& backup : context.catalog.backups({})) {
    // Checks come and go: they are in the copies themselves.
    const BackupStatus status =
        backup.status == BackupStatus::verified ? BackupStatus::completed : backup.status;
    digest.update(as_bytes(fmt::format("{} {} {}\n", backup.id, to_text(status), backup.held)));
  }
  return to_hex(digest.finish());
}

bool is_due(const Context& context, const std::string& digest) {
  try {
    const std::string last = read_file(state_file(context));
    const std::size_t blank = last.find(' ');
    const TimePoint when = parse_rfc3339(last.substr(0, blank));
    const auto age = context.clock.now() - when;
    return last.substr(blank + 1) != digest || age >= kEvery || age < age.zero();
  } catch (const std::exception&) {
    return true;  // there was none
  }
}

std::vector<std::string> write_everywhere(const Context& context, const std::string& name,
                                          ByteView stored) {
  const std::vector<std::string> names = context.repository.storage_names();  // outlives the legs
  std::vector<Leg> legs;
  for (const std::string& storage : names)
    legs.push_back({storage, [&context, &storage, &name](std::stop_token stop) {
                      // An unmounted disk is no place for a history either.
                      if (!context.repository.read_cluster_file(storage))
                        throw Error(ErrorCode::failed,
                                    fmt::format("storage '{}' has no cluster.json", storage));
                      CreateOptions create;
                      create.stop = std::move(stop);
                      return context.repository.storage(storage).create(name, create);
                    }});
  FanOut all(std::move(legs), {});
  all.write(stored);
  all.finish();
  std::vector<std::string> written;
  for (const LegResult& leg : all.wait()) {
    if (leg.ok())
      written.push_back(leg.name);
    else
      context.log.info(
          fmt::format("no history of the catalog in '{}': {}", leg.name, describe(leg.error)));
  }
  return written;
}

void remove_older(const Context& context, const std::string& storage, const std::string& host) {
  Storage& from = context.repository.storage(storage);
  std::vector<std::string> mine;
  for (const Object& object : from.list(history_prefix(context.config.cluster)))
    if (history_host(object.name) == host) mine.push_back(object.name);
  if (mine.size() <= kHistorySnapshots) return;
  mine.resize(mine.size() - kHistorySnapshots);  // names sort by time
  for (const Outcome& outcome : from.remove(mine))
    if (outcome.error) throw *outcome.error;
}

void write_history(Context& context) {
  const Uuid id = Uuid::random();
  History history = collect_history(context.catalog, context.clock.now());
  history.cluster = context.config.cluster;
  history.host = host_name();
  ContainerHeader header;
  header.suite = parse_suite(context.config.cipher);
  header.cluster = context.repository.cluster_uuid();
  header.backup = id;
  header.name = history_name(history.cluster, history.taken_at, history.host, id);
  WorkerPool pool(1);
  const Bytes stored = seal_object(header, {Codec::gzip, 9}, context.repository.keys(), pool,
                                   as_bytes(encode_history(history)));
  for (const std::string& storage : write_everywhere(context, header.name, stored))
    remove_older(context, storage, plain_host(history.host));
}

// One host's, newest first, each with the storages that have it.
using Snapshots = std::map<std::string, std::vector<std::string>, std::greater<>>;

void take_newest(Context& context, const Snapshots& snapshots, std::vector<History>& found,
                 HistoryTaken& result) {
  for (const auto& [name, storages] : snapshots)
    for (const std::string& storage : storages) try {
        const auto stored = read_object(context.repository.storage(storage), name, kMaxStored);
        if (!stored) continue;
        found.push_back(
            decode_history(as_text(open_object(*stored, name, context.repository.cluster_uuid(),
                                               context.repository.keys(), kMaxPlain))));
        return;
      } catch (const Error& error) {
        check_interrupt();
        result.problems.push_back(
            fmt::format("history '{}' in storage '{}': {}", name, storage, error.message()));
      }
}

}  // namespace

std::string history_prefix(std::string_view cluster) { return fmt::format("{}/catalog/", cluster); }

std::string history_name(std::string_view cluster, TimePoint taken, std::string_view host,
                         const Uuid& id) {
  // Two commands may end within a second, and the newest must sort last.
  const auto micros = (taken - std::chrono::floor<std::chrono::seconds>(taken)).count();
  return fmt::format("{}{}{}.{:06}_{}_{}{}", history_prefix(cluster), kStart,
                     format_file_stamp(taken), micros, plain_host(host), id.short_text(), kEnd);
}

std::string history_host(std::string_view name) {
  name.remove_prefix(name.rfind('/') + 1);
  if (!name.starts_with(kStart) || !name.ends_with(kEnd)) return {};
  name.remove_prefix(kStart.size());
  name.remove_suffix(kEnd.size());
  if (name.size() < kStamp + kShortId + 3) return {};
  const std::string_view host = name.substr(kStamp + 1, name.size() - kStamp - kShortId - 2);
  if (name[kStamp] != '_' || name[name.size() - kShortId - 1] != '_') return {};
  return plain_host(host) == host ? std::string(host) : "";
}

void keep_history(Context& context) {
  try {
    const std::string digest = state_digest(context);
    if (!is_due(context, digest)) return;
    write_history(context);
    write_file_atomically(state_file(context), format_utc(context.clock.now()) + " " + digest,
                          0600);
  } catch (const Error& error) {
    check_interrupt();
    context.log.warning("the catalog's history was not written to the storages: " +
                        error.message());
  }
}

HistoryTaken take_history(Context& context, const std::vector<std::string>& storages) {
  HistoryTaken result;
  std::map<std::string, Snapshots> hosts;
  for (const std::string& storage :
       storages.empty() ? context.repository.storage_names() : storages)
    try {
      for (const Object& object :
           context.repository.storage(storage).list(history_prefix(context.config.cluster)))
        if (const std::string host = history_host(object.name); !host.empty())
          hosts[host][object.name].push_back(storage);
    } catch (const Error& error) {
      check_interrupt();
      result.problems.push_back(error.message());
    }
  std::vector<History> found;
  for (const auto& [host, snapshots] : hosts) take_newest(context, snapshots, found, result);
  std::sort(found.begin(), found.end(),
            [](const History& a, const History& b) { return a.taken_at < b.taken_at; });
  for (const History& history : found) result.records += merge_history(context.catalog, history);
  return result;
}

}  // namespace bkp
