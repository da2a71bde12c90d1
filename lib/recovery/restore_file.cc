#include "recovery/restore_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/interrupt.h"
#include "crypto/measured.h"
#include "pg/connection.h"
#include "pg/database_properties.h"
#include "pg/tools.h"
#include "recovery/archive_restore.h"
#include "recovery/restore_log.h"
#include "recovery/restore_server.h"
#include "recovery/scratch_database.h"
#include "stream/begun_source.h"
#include "stream/process.h"

namespace bkp {
namespace {

constexpr std::string_view kArchive = "PGDMP";

// psql obeys lines that begin with a backslash: those that could leave the new database, or run
// something on this host, are no part of a dump. (Within rows of COPY a line begins with a
// backslash only for what an empty or NULL first column, or the end of the data, is written as.)
class ScriptGuard final : public Sink {
 public:
  explicit ScriptGuard(Sink& to) : to_(to) {}

  void write(ByteView data) override {
    for (const char c : as_text(data)) {
      if (c == '\n') {
        ++line_;
        begin_.clear();
        watching_ = true;
      } else if (watching_) {
        look_at(c);
      }
    }
    to_.write(data);
  }
  void finish() override { to_.finish(); }

 private:
  void look_at(char c) {
    constexpr std::string_view kEscapes = "N.\\bfnrtv";
    constexpr std::string_view kAllowed = "\\unrestrict";
    begin_ += c;
    if (begin_ == "\\") return;
    watching_ = begin_.front() == '\\' && begin_[1] == 'u' && begin_.size() < kAllowed.size();
    if (begin_.front() != '\\' ||
        (begin_.size() == 2 && kEscapes.find(c) != std::string_view::npos))
      return;
    if (!kAllowed.starts_with(begin_))
      throw Error(
          ErrorCode::failed,
          fmt::format("line {} of the SQL begins with a command of psql, '{}…'", line_, begin_),
          "it could leave the new database: look at it with 'bkp cat --from-file', and run "
          "what you want of it by psql");
  }

  Sink& to_;
  std::string begin_;
  std::uint64_t line_ = 1;
  bool watching_ = true;
};

void run_script(Source& script, const std::filesystem::path& tools, const std::string& conninfo) {
  Process process(psql_process(tools, conninfo));
  ScriptGuard guarded(process.input());
  copy(script, guarded);
  process.wait();
}

// Nothing is known of the original: as the server's own database is.
DatabaseProperties plain_properties(PgConnection& server) {
  const DatabaseProperties known = read_properties(server);
  DatabaseProperties properties;
  properties.owner = server.query_value("SELECT current_user");
  properties.encoding = known.encoding;
  properties.collate = known.collate;
  properties.ctype = known.ctype;
  properties.locale_provider = known.locale_provider;
  properties.locale = known.locale;
  properties.icu_rules = known.icu_rules;
  properties.tablespace = known.tablespace;
  return properties;
}

void carry_out(Context& context, const FileRestoreRequest& request, RestoreRecord& record) {
  PgConnection server(restore_conninfo(context.config, "postgres"));
  const TargetLock lock(server, request.into, context.wait);
  require_database_name(request.into);
  if (database_exists(server, request.into))
    throw Error(ErrorCode::usage, fmt::format("database '{}' exists already", request.into),
                "choose another name for --into: a restore never overwrites a database");
  context.log.info(fmt::format("proving '{}'", request.file));
  const std::unique_ptr<Source> opened = request.open();
  BegunSource begun(*opened, kArchive.size());
  const bool archive = as_text(begun.beginning()) == kArchive;
  MeasuredSource plain(begun);
  nlohmann::ordered_json details = {
      {"file", request.file}, {"form", archive ? "archive" : "sql"}, {"rows_proved", false}};
  record.details = details.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);

  const DatabaseProperties properties = plain_properties(server);
  ScratchDatabase scratch(server, scratch_name("restore", request.into), properties);
  const std::filesystem::path tools = find_tools(server.major(), context.config.bin_dir);
  const std::string conninfo = restore_conninfo(context.config, scratch.name());
  context.log.info(fmt::format("restoring it by {}", archive ? "pg_restore" : "psql"));
  if (archive)
    restore_archive_stream(plain, {{}, tools, conninfo, 1, {}});
  else
    run_script(plain, tools, conninfo);
  record.bytes = plain.size();
  apply_properties(server, scratch.name(), properties);
  check_interrupt();
  scratch.rename_to(request.into);
}

}  // namespace

RestoreRecord restore_file(Context& context, const FileRestoreRequest& request) {
  const std::string name = request.file.substr(request.file.rfind('/') + 1);
  return logged_restore(context, {name, "file", request.into, request.reason},
                        [&](RestoreRecord& record) { carry_out(context, request, record); });
}

}  // namespace bkp
