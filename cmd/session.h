// What a command works with: configuration, catalog, storages, clock, log, output. Each is opened
// when it is first asked for, so that a command pays for what it uses.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "backup/context.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "catalog/catalog.h"
#include "command.h"
#include "command_line.h"
#include "config/config.h"
#include "output.h"
#include "repo/repository.h"
#include "stream/worker_pool.h"

namespace bkp {

class Session {
 public:
  struct Start {
    const Command& command;
    GlobalOptions globals;
    std::vector<std::string> words;     // as typed
    std::filesystem::path config_file;  // absolute
    std::string actor;                  // unless --actor says another
  };
  explicit Session(Start start);
  ~Session();

  // Takes the command's lock, runs it, and for a command that changes something keeps a record in
  // the catalog: begun, ended, exit code, message; what fails raises the command's alert.
  int carry_out(const Run& run);

  const std::filesystem::path& config_file() const;
  // With all secrets, or (for commands that only look) with those that can be had.
  const Config& config(Secrets secrets = Secrets::required);
  // This cluster's part of it. Throws Error(usage) when there is none yet. A command that only
  // looks gets it for looking, unless it asks to write: for what it met on its way.
  Catalog& catalog();
  Catalog& catalog(SqlAccess access);
  bool has_catalog();
  Repository& repository();
  WorkerPool& pool();
  const Clock& clock() const;
  Log& log();
  Output& output();

  // All of the above for a use case; references to what this session holds.
  Context context();
  // One failure of several, as main would tell it.
  void report(const Error& error);

  const std::string& actor() const;
  const std::string& host() const;
  const std::string& run_id() const;  // of the record
  // What came of it, for the record of a run that ends by itself.
  void set_summary(std::string summary);
  // What it did in figures, a JSON object, for the same record.
  void set_statistics(std::string json);

  // The lock NAME of this cluster on this host, held until the session ends, waiting as --wait
  // says.
  void take_lock(const std::string& name);

 private:
  // The catalog's database; for a command that must not fail because its server is away, with a
  // stand-in behind it.
  std::unique_ptr<SqlDatabase> open_database();
  void take_left_stand_ins();
  // The exit code after what a stand-in kept was handed over, or could not be: 0 is 3 then.
  int settled(int code) noexcept;
  struct State;
  std::unique_ptr<State> state_;
};

// The words as a line that a shell would read back, with passwords in conninfos and URLs hidden.
std::string recorded_words(const std::vector<std::string>& words);

}  // namespace bkp
