#include "recovery/restore_file.h"

#include <fmt/format.h>

#include "base/units.h"
#include "json.h"
#include "restore.h"

namespace bkp {

int run_file_restore(const RestoreOptions& options, Session& session) {
  require_sense(options.file, options.id.has_value() || options.database.has_value());
  if (options.swap || options.merges() || options.jobs)
    throw Error(ErrorCode::usage,
                options.swap || options.merges()
                    ? "'--swap' and '--mode merge' take a backup, not a file"
                    : "a file is restored by one connection",
                "leave the option out");
  if (!options.into)
    throw Error(ErrorCode::usage, "'bkp restore' needs --into",
                "name a database that does not exist yet");
  Context context = session.context();
  const std::string path = *options.file.path;
  const RestoreRecord record =
      restore_file(context, {path, [&options] { return open_foreign_file(options.file); },
                             *options.into, options.reason});
  session.set_summary("'" + path + "' into '" + *options.into + "'");
  session.log().warning(
      "rows are not proved: there is no manifest to compare them with, only the file's HMAC and "
      "that "
      "all of it was restored without an error");
  if (session.output().json())
    session.output().document(restore_json({record, 0, {}, {{}, false}}));
  else
    session.output().line(
        fmt::format("restored '{}' into '{}': {}, in {}", path, printable(*options.into),
                    format_size(record.bytes),
                    format_duration(std::chrono::duration<double>(record.duration_seconds))));
  return 0;
}

}  // namespace bkp
