#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "crypto/key.h"
#include "monitor/doctor.h"
#include "monitor/doctor_findings.h"
#include "repo/layout.h"
#include "repo/manifest.h"
#include "repo/rewrap_manifest.h"
#include "storage/storage.h"

namespace bkp {
namespace {

constexpr BackupType kTypes[] = {BackupType::full_database, BackupType::tenant_backup,
                                 BackupType::base, BackupType::configuration};

// The newest manifest of a type; names sort by time, whatever directory they are in. Empty: none.
std::string newest_manifest(Storage& storage, const std::string& prefix) {
  const auto base = [](std::string_view name) { return name.substr(name.rfind('/') + 1); };
  std::string newest;
  for (const Object& object : storage.list(prefix))
    if (role_of(object.name) == ObjectRole::manifest &&
        (newest.empty() || base(newest) < base(object.name)))
      newest = object.name;
  return newest;
}

}  // namespace

Findings check_keys(const Config& config, const Clock& clock) {
  return examined("key file", [&](Findings& found) {
    const KeyRing keys = load_key_file(config.key_file).with_escrow(config.also_for);
    found.push_back(all_is_well(
        "key file", fmt::format("'{}' holds {} key{}, active is {}", config.key_file.string(),
                                keys.keys().size(), keys.keys().size() == 1 ? "" : "s",
                                keys.active().id.text())));
    const auto age = clock.now() - keys.active().created_at;
    if (age > kOldKey)
      found.push_back(warning(
          "key file",
          fmt::format("the active key {} is {} old", keys.active().id.text(), format_duration(age)),
          "bkp key rotate --rewrap"));
    const std::vector<Uuid> recipients = keys.recipients();
    if (recipients.size() > 1)
      found.push_back(all_is_well(
          "key file", fmt::format("backups open by {} escrow key{} as well", recipients.size() - 1,
                                  recipients.size() == 2 ? "" : "s")));
  });
}

void check_newest_opens(const Config& config, Storage& storage, const std::string& subject,
                        Findings& found) {
  KeyRing keys;
  try {
    keys = load_key_file(config.key_file);
  } catch (const Error&) {
    return;  // the key file's own check tells
  }
  for (const BackupType type : kTypes) {
    const std::string name = newest_manifest(storage, type_prefix(config.cluster, type));
    if (name.empty()) continue;
    const std::string what = fmt::format("the newest backup of type {}", to_text(type));
    try {
      const auto text = read_object(storage, name, kMaxManifest);
      if (!text) continue;  // removed meanwhile
      prove_manifest_opens(as_text(*text), keys);
      found.push_back(all_is_well(subject, what + " opens by the key file"));
    } catch (const StorageUnreachable&) {
      throw;
    } catch (const Error& error) {
      found.push_back(failure(subject, fmt::format("{} does not open: {}", what, error.message()),
                              error.hint().empty() ? "bkp verify" : error.hint()));
    }
  }
}

}  // namespace bkp
