#include <unistd.h>

#include <memory>

#include "backup/stored_manifest.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/units.h"
#include "commands.h"
#include "describe.h"
#include "foreign_file.h"
#include "options.h"
#include "session.h"

namespace bkp {
namespace {

struct CatOptions {
  std::optional<std::string> id;
  ForeignFile file;
  std::optional<std::string> database, type;
  std::vector<std::string> storages;
};

class StandardOutput final : public Sink {
 public:
  void write(ByteView data) override { write_all(STDOUT_FILENO, data, "standard output"); }
  void finish() override {}
};

int run_cat(const CatOptions& options, Session& session) {
  require_sense(options.file, options.id.has_value() || options.database.has_value() ||
                                  !options.storages.empty());
  if (!options.id && !options.file.path)
    throw Error(ErrorCode::usage, "'bkp cat' needs ID or 'latest'", "see 'bkp cat -h'");
  if (::isatty(STDOUT_FILENO) == 1)
    throw Error(ErrorCode::usage, "a backup is not written to a terminal",
                "send it to a file or a program: bkp cat " + options.id.value_or("--from-file …") +
                    " > FILE");
  if (options.file.path) {
    StandardOutput out;
    copy(*open_foreign_file(options.file), out);
    return 0;
  }
  const BackupRecord backup =
      wanted_backup(session, {*options.id, wanted_types(options.type), options.database, {}});
  for (const std::string& name : options.storages) session.config().storage(name);
  const Context context = session.context();
  std::vector<CopyCheck> bad_copies;
  const Manifest manifest = fetch_manifest(context, backup, bad_copies);
  StandardOutput out;
  const GetResult result = context.repository.get(
      manifest, options.storages.empty() ? read_order(context, bad_copies) : options.storages, out);
  for (const CopyCheck& bad : result.bad_copies)
    session.log().warning("the copy in '" + bad.storage + "' is bad: " + bad.problem);
  session.log().debug(format_size(result.bytes) + " delivered");
  return 0;
}

}  // namespace

Run declare_cat(CLI::App& app) {
  const auto options = std::make_shared<CatOptions>();
  add_text(app, "ID", options->id, "ID", "UUID, its beginning, file name, or 'latest'");
  add_text(app, "--database,--db", options->database, "DATABASE", "of which 'latest' is meant");
  add_choice(app, "--type", options->type, kBackupTypes, "of which 'latest' is meant");
  add_texts(app, "--storage", options->storages, "STORAGE",
            "read from these only, the first one first");
  add_foreign_file(app, options->file);
  return [options](Session& session) { return run_cat(*options, session); };
}

}  // namespace bkp
