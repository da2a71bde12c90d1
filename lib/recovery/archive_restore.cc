#include "recovery/archive_restore.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "pg/tools.h"
#include "stream/file_stream.h"
#include "stream/process.h"

namespace bkp {
namespace {

constexpr std::size_t kNamedErrors = 10;
constexpr std::uint64_t kSpoolMargin = std::uint64_t{64} << 20;

void require_success(Process& process) {
  const int status = process.wait_status();
  const std::vector<std::string> errors = restore_errors(status, process.error_output());
  if (errors.empty()) return;
  // Its workers tend to fail alike: each reason once, and no more than fit on a screen.
  std::vector<std::string> reasons;
  for (const std::string& error : errors)
    if (reasons.size() < kNamedErrors &&
        std::find(reasons.begin(), reasons.end(), error) == reasons.end())
      reasons.push_back(error);
  throw Error(ErrorCode::failed, fmt::format("pg_restore failed with exit status {}: {}", status,
                                             fmt::join(reasons, "; ")));
}

ProcessOptions pg_restore(const ArchiveRestore& restore, const char* archive) {
  RestoreArguments arguments;
  arguments.conninfo = restore.conninfo;
  arguments.jobs = restore.jobs;
  arguments.archive = archive;
  arguments.selection = restore.selection;
  return restore_process(restore.tools, arguments);
}

GetResult streamed(Context& context, const Manifest& manifest, const ArchiveRestore& restore) {
  ProcessOptions options = pg_restore(restore, "");
  options.input = ProcessOptions::Input::pipe;
  Process process(std::move(options));
  GetResult result = context.repository.get(manifest, restore.read_order, process.input());
  require_success(process);
  return result;
}

GetResult spooled(Context& context, const Manifest& manifest, const ArchiveRestore& restore) {
  SpoolFile spool(context.config.spool_dir);
  GetResult result = context.repository.get(manifest, restore.read_order, spool);
  ProcessOptions options = pg_restore(restore, "/dev/stdin");
  options.input = ProcessOptions::Input::file;
  options.input_file = spool.take();
  Process process(std::move(options));
  require_success(process);
  return result;
}

}  // namespace

GetResult restore_archive(Context& context, const Manifest& manifest,
                          const ArchiveRestore& restore) {
  return restore.jobs > 1 ? spooled(context, manifest, restore)
                          : streamed(context, manifest, restore);
}

void restore_archive_stream(Source& archive, const ArchiveRestore& restore) {
  ProcessOptions options = pg_restore(restore, "");
  options.input = ProcessOptions::Input::pipe;
  Process process(std::move(options));
  copy(archive, process.input());
  require_success(process);
}

void require_spool_room(const std::filesystem::path& directory, std::uint64_t plain_size) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(directory, error);
  if (error)
    throw Error(
        ErrorCode::usage,
        fmt::format("cannot use spool directory '{}': {}", directory.string(), error.message()),
        "set spool_dir in [restore] of the configuration");
  const std::uint64_t needed = plain_size + kSpoolMargin;
  if (space.available < needed)
    throw Error(ErrorCode::failed,
                fmt::format("a parallel restore needs {} in '{}', which has {} free",
                            format_size(needed), directory.string(), format_size(space.available)),
                "use --jobs 1, which streams, or set spool_dir in [restore] of the configuration");
}

}  // namespace bkp
