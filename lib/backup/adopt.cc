#include "backup/adopt.h"

#include <fmt/format.h>

#include <map>

#include "backup/record.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "repo/layout.h"

namespace bkp {
namespace {

constexpr BackupType kTypes[] = {BackupType::full_database, BackupType::tenant_backup,
                                 BackupType::base, BackupType::configuration};

// Stem of each manifest → storages that have it.
using Stems = std::map<std::string, std::vector<std::string>>;

void find_manifests(const Context& context, const std::string& storage, Stems& stems) {
  for (const BackupType type : kTypes) {
    const std::string prefix = type_prefix(context.repository.cluster(), type);
    for (const Object& object : context.repository.storage(storage).list(prefix))
      if (role_of(object.name) == ObjectRole::manifest)
        stems[stem_of(object.name)].push_back(storage);
  }
}

void adopt(Context& context, const std::string& stem, const std::vector<std::string>& storages,
           AdoptResult& result) {
  std::vector<CopyCheck> bad;
  const std::optional<Manifest> manifest = context.repository.manifest(stem, storages, &bad);
  for (const CopyCheck& copy : bad)
    result.problems.push_back(
        fmt::format("'{}' in storage '{}': {}", stem, copy.storage, copy.problem));
  if (!manifest || context.catalog.backup(manifest->id.text())) return;
  BackupRecord record = record_of(*manifest);
  for (const std::string& storage : storages) {
    CopyRecord copy;
    copy.storage = storage;
    copy.path = manifest->objects.front().name;
    copy.state = CopyState::good;
    copy.size_bytes = manifest->stored_size();
    for (const CopyCheck& check : bad)
      if (check.storage == storage) copy.state = check.state;
    record.copies.push_back(std::move(copy));
  }
  context.catalog.put_backup(record);
  ++result.adopted;
}

}  // namespace

AdoptResult adopt_backups(Context& context) {
  AdoptResult result;
  Stems stems;
  for (const std::string& storage : context.repository.storage_names()) {
    try {
      find_manifests(context, storage, stems);
    } catch (const Error& error) {
      result.problems.push_back(error.message());
    }
  }
  for (const auto& [stem, storages] : stems) {
    check_interrupt();
    adopt(context, stem, storages, result);
  }
  return result;
}

}  // namespace bkp
