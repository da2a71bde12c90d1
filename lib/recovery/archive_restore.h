// A backup's archive into a database by pg_restore.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "backup/context.h"
#include "stream/stream.h"

namespace bkp {

struct ArchiveRestore {
  std::vector<std::string> read_order;  // storages, best first
  std::filesystem::path tools;          // where pg_restore is
  std::string conninfo;                 // of a database that is there
  unsigned jobs = 1;                    // 1: streamed; more: by way of a private spool file
  std::vector<std::string> selection;   // further arguments of pg_restore
};

// The most connections that a restore may use: for pg_restore, and again for the proof.
inline constexpr unsigned kMostRestoreJobs = 64;

// Fetches the backup of the manifest and runs pg_restore over it; a SET that the server does not
// know is no failure. Throws Error: integrity (no copy is whole), failed (pg_restore's own words).
GetResult restore_archive(Context& context, const Manifest& manifest,
                          const ArchiveRestore& restore);

// The same for an archive that comes from elsewhere; always streamed.
void restore_archive_stream(Source& archive, const ArchiveRestore& restore);

// The file system of `directory` has room for a spool file of `plain_size`, or an Error says how to
// do without.
void require_spool_room(const std::filesystem::path& directory, std::uint64_t plain_size);

}  // namespace bkp
