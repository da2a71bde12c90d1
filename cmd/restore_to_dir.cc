#include <fmt/format.h>

#include "base/units.h"
#include "describe.h"
#include "json.h"
#include "recovery/restore_files.h"
#include "restore.h"

namespace bkp {
namespace {

constexpr std::size_t kNamed = 20;

void tell_sealed(const std::vector<std::string>& sealed, Log& log) {
  if (sealed.empty()) return;
  for (std::size_t i = 0; i < sealed.size() && i < kNamed; ++i)
    log.warning(fmt::format("not restored: '{}' is sealed under a key that is not here",
                            printable(sealed[i])));
  if (sealed.size() > kNamed)
    log.warning(fmt::format("and {} more sealed files", sealed.size() - kNamed));
  log.info("set secrets_key_file in [config_snapshot] to the file that has the key");
}

}  // namespace

int run_restore_to_dir(const RestoreOptions& options, Session& session) {
  const BackupRecord backup =
      wanted_backup(session, {*options.id, {BackupType::configuration}, {}, {}});
  Context context = session.context();
  const RestoreFilesResult result =
      restore_files(context, {backup, *options.to_dir, options.only, options.reason});
  session.set_summary(backup.id + " to '" + *options.to_dir + "'");
  for (const std::string& warning : result.warnings) session.log().warning(warning);
  tell_sealed(result.sealed, session.log());
  const int code = result.sealed.empty() ? 0 : static_cast<int>(ErrorCode::partial);
  Output& output = session.output();
  if (output.json()) {
    output.document(files_json(result));
    return code;
  }
  if (!result.owners)
    session.log().info(
        "owners are not as they were, only root can give files away: all belongs "
        "to the user that ran this");
  output.line(
      fmt::format("restored {} into '{}': {} entries, {}, every one as in the backup, from "
                  "{}, in {}",
                  printable(backup_title(backup)), printable(*options.to_dir), result.files,
                  format_size(result.record.bytes), result.record.source_storage,
                  format_duration(std::chrono::duration<double>(result.record.duration_seconds))));
  return code;
}

}  // namespace bkp
