#include "recovery/restore_globals.h"

#include <memory>

#include "describe.h"
#include "globals_report.h"
#include "restore.h"

namespace bkp {
namespace {

GlobalsResult carry_out(const RestoreOptions& options, Session& session, const std::string& into) {
  Context context = session.context();
  GlobalsRequest request;
  request.backup = backup_to_restore(options, session);
  request.into = into;
  request.tablespaces = options.no_tablespaces ? Tablespaces::left_out : Tablespaces::wanted;
  request.dry_run = options.dry_run;
  request.reason = options.reason;
  GlobalsResult result = restore_globals(context, request);
  session.set_summary("globals of " + request.backup.id);
  for (const std::string& warning : result.warnings) session.log().warning(warning);
  return result;
}

}  // namespace

int run_globals_only(const RestoreOptions& options, Session& session) {
  const GlobalsResult result = carry_out(options, session, "");
  Output& output = session.output();
  if (output.json())
    output.document(globals_json(result));
  else if (options.dry_run)
    print_globals_sql(result, output);
  else
    print_globals(result, output);
  return is_partial(result) ? static_cast<int>(ErrorCode::partial) : 0;
}

std::shared_ptr<const GlobalsResult> make_globals(const RestoreOptions& options, Session& session) {
  auto result = std::make_shared<GlobalsResult>(
      carry_out(options, session, options.swap ? "" : *options.into));
  if (!session.output().json()) print_globals(*result, session.output());
  return result;
}

std::string document_with_globals(const std::string& document, const RestoreOptions& options) {
  return options.made_globals ? with_globals(document, *options.made_globals) : document;
}

int code_of_globals(const RestoreOptions& options) {
  const bool partial = options.made_globals && is_partial(*options.made_globals);
  return partial ? static_cast<int>(ErrorCode::partial) : 0;
}

}  // namespace bkp
