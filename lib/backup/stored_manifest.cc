#include "backup/stored_manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/record.h"
#include "backup/selection.h"
#include "base/error.h"

namespace bkp {

std::vector<std::string> read_order(const Context& context, const std::vector<CopyCheck>& bad) {
  std::vector<std::string> order = context.config.read_order;
  for (const std::string& name : context.repository.storage_names())
    if (std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  std::stable_partition(order.begin(), order.end(), [&bad](const std::string& name) {
    return std::none_of(bad.begin(), bad.end(),
                        [&name](const CopyCheck& copy) { return copy.storage == name; });
  });
  return order;
}

Manifest fetch_manifest(const Context& context, const BackupRecord& backup,
                        std::vector<CopyCheck>& bad) {
  const std::string stem = is_whole(backup) ? stem_of(backup) : std::string();
  if (stem.empty())
    throw Error(ErrorCode::usage, fmt::format("backup '{}' has no copy in any storage", backup.id),
                "'bkp show " + backup.id.substr(0, 8) + "' tells what became of it");
  std::optional<Manifest> manifest = context.repository.manifest(stem, read_order(context), &bad);
  if (manifest) return std::move(*manifest);
  std::string message = fmt::format("no storage gives the manifest of backup '{}'", backup.id);
  std::string hint;
  ErrorCode code = ErrorCode::failed;
  for (const CopyCheck& copy : bad) {
    message += fmt::format("; in '{}': {}", copy.storage, copy.problem);
    if (copy.state != CopyState::failed) code = ErrorCode::integrity;
    if (hint.empty()) hint = copy.hint;
  }
  throw Error(code, message, hint);
}

}  // namespace bkp
