// One run at a time on a PostgreSQL server, whatever host it runs on: a session's advisory lock,
// given back by the server however the run ends.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "pg/connection.h"

namespace bkp {

class ServerLock {
 public:
  // Takes the lock NAME. `server`: in database postgres (a database's advisory locks are its own),
  // alive at least as long as this object. Throws Error(locked, message) when another session keeps
  // it for `wait` and some seconds more, naming that session where the role may see it.
  ServerLock(PgConnection& server, std::string_view name, const std::string& message,
             std::chrono::seconds wait = std::chrono::seconds(0));
  ~ServerLock();
  ServerLock(const ServerLock&) = delete;
  ServerLock& operator=(const ServerLock&) = delete;

 private:
  [[noreturn]] void refuse(const std::string& message);

  PgConnection& server_;
  std::string key_;
};

// The lock of the database that a restore makes, replaces or writes to: one restore a target.
class TargetLock {
 public:
  // Throws Error(locked, "another restore to 'x' is running").
  TargetLock(PgConnection& server, const std::string& target, std::chrono::seconds wait);

 private:
  ServerLock lock_;
};

}  // namespace bkp
