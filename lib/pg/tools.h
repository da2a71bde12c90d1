// PostgreSQL's own programs: where those of the right major version are, and their argv.
#pragma once

#include <chrono>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "stream/process.h"

namespace bkp {

struct ToolVersion {
  int major = 0;
  std::string text;  // "15.20"
};

struct DumpArguments {
  std::string conninfo;  // with its dbname; a password in it goes by PGPASSWORD
  std::string snapshot;  // exported snapshot id, or empty
  std::string encoding;  // the database's own (SHOW server_encoding); empty: what the session has
  std::vector<std::string> exclude_schemas;
  std::vector<std::string> exclude_tables;
  std::vector<std::string> exclude_table_data;
  std::chrono::seconds lock_wait{60};
};

struct RestoreArguments {
  std::string conninfo;
  unsigned jobs = 1;                   // more need `archive`
  std::filesystem::path archive;       // empty: standard input
  std::vector<std::string> selection;  // further arguments: "--single-transaction"
};

// The directory that holds pg_dump, pg_restore and psql of `major`: `configured` if given, else
// Debian's /usr/lib/postgresql/<major>/bin, pg_config's, PATH; for lack of that major the nearest
// higher one (a pg_dump reads older servers). Throws Error(usage) with the package to install.
std::filesystem::path find_tools(int major, const std::filesystem::path& configured);
ToolVersion tool_version(const std::filesystem::path& tool);  // throws Error(failed)

// pg_dump -Fc -Z0 to standard output; LC_ALL=C; no password in argv.
ProcessOptions dump_process(const std::filesystem::path& bin_dir, const DumpArguments& arguments);
// pg_restore into an existing database, without -C; LC_ALL=C.
ProcessOptions restore_process(const std::filesystem::path& bin_dir,
                               const RestoreArguments& arguments);

// pg_restore that writes SQL for what the list file names of one section ("pre-data", "data",
// "post-data") to standard output; the archive (its table of contents is enough where the list
// names no rows) is standard input. LC_ALL=C.
ProcessOptions script_process(const std::filesystem::path& bin_dir, const std::string& section,
                              const std::filesystem::path& list, std::shared_ptr<Fd> archive);

// psql that runs what its standard input holds as one transaction, and stops at the first error;
// LC_ALL=C.
ProcessOptions psql_process(const std::filesystem::path& bin_dir, const std::string& conninfo);

// What pg_restore said on standard error, judged: errors other than a SET of a setting that the
// server does not know (transaction_timeout). With the exit status known, use the other one.
std::vector<std::string> restore_errors(std::string_view error_output);
// The same with how pg_restore ended. Empty: the restore is good. A status other than 0 is one only
// when pg_restore counted its errors and all of them are harmless: a killed pg_restore says
// nothing.
std::vector<std::string> restore_errors(int exit_status, std::string_view error_output);

// Settings that decide what COPY and the definitions of objects look like as text, and that
// ALTER DATABASE or ALTER ROLE may have set; pg_dump itself leaves them alone. dump_process and
// restore_process force these values, and table_check does so: what is compared is written alike.
struct SessionSetting {
  const char* name;
  const char* value;
};
std::span<const SessionSetting> fixed_text_settings();

}  // namespace bkp
