// A database that is there for one restore: built under a name of its own, proved, and then given
// its real name or dropped.
#pragma once

#include <string>
#include <string_view>

#include "pg/connection.h"
#include "pg/database_properties.h"
#include "recovery/server_lock.h"

namespace bkp {

// What every scratch database's name begins with: one that nobody holds the lock of, a killed run
// left.
inline constexpr std::string_view kScratchPrefix = "bkp_restore_";

// The name that runs of one purpose ("restore", "merge", …) and target, and no others, build under.
std::string scratch_name(std::string_view purpose, std::string_view target);

class ScratchDatabase {
 public:
  // Takes the lock of the name on the server, drops what a killed run left under it, and creates
  // it as create_database does. `server`: in database postgres; outlives this object.
  // Throws Error(locked) when another run has it, on this host or another.
  ScratchDatabase(PgConnection& server, std::string name, const DatabaseProperties& properties);
  // Drops it, unless it was given away.
  ~ScratchDatabase();
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;

  const std::string& name() const { return name_; }
  void rename_to(const std::string& name);
  // It has another name now, or another owner: not to be dropped.
  void give_away() noexcept { kept_ = true; }

 private:
  PgConnection& server_;
  std::string name_;
  ServerLock lock_;
  bool kept_ = false;
};

}  // namespace bkp
