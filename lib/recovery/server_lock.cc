#include "recovery/server_lock.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/error.h"
#include "base/interrupt.h"
#include "crypto/digest.h"
#include "repo/heartbeat.h"

namespace bkp {
namespace {

// The server ends what it does for a killed run (making or dropping a database) before it gives the
// lock back.
constexpr auto kPatience = std::chrono::seconds(5);

// The 64 bits that PostgreSQL names an advisory lock by.
std::string lock_key(std::string_view name) {
  const Digest256 digest = sha256(as_bytes("bkp lock " + std::string(name)));
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < 8; ++i) key = key << 8 | std::to_integer<std::uint64_t>(digest[i]);
  return std::to_string(static_cast<std::int64_t>(key));
}

// The session that waits for nothing must not be ended for it, and one whose host is gone must not
// hold the lock for the two hours that TCP waits by default.
void hold_on(PgConnection& server) {
  const std::string who = fmt::format("bkp on {}, process {}", host_name(), ::getpid());
  server.execute("SET application_name = " + server.quote_literal(who));
  server.execute(
      "SET idle_session_timeout = 0; SET tcp_keepalives_idle = 60;"
      "SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 6");
}

std::string holder(PgConnection& server, const std::string& key) {
  const auto rows = server.query(
      R"(
SELECT application_name, to_char(backend_start, 'YYYY-MM-DD HH24:MI:SSOF')
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND backend_start IS NOT NULL
  AND (classid::bigint << 32 | objid::bigint) = $1::bigint)",
      {key});
  if (rows.empty()) return {};
  return fmt::format(": {}, since {}", rows.front().at(0).value(), rows.front().at(1).value());
}

}  // namespace

ServerLock::ServerLock(PgConnection& server, std::string_view name, const std::string& message,
                       std::chrono::seconds wait)
    : server_(server), key_(lock_key(name)) {
  hold_on(server_);
  const auto deadline = std::chrono::steady_clock::now() + kPatience + wait;
  while (server_.query_value("SELECT pg_try_advisory_lock($1::bigint)", {key_}) != "t") {
    if (std::chrono::steady_clock::now() >= deadline) refuse(message);
    check_interrupt();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void ServerLock::refuse(const std::string& message) {
  throw Error(ErrorCode::locked, message + holder(server_, key_),
              "wait until it has ended: 'bkp list' and pg_stat_activity show what runs");
}

ServerLock::~ServerLock() {
  const InterruptShield shield;
  try {
    server_.query("SELECT pg_advisory_unlock($1::bigint)", {key_});
  } catch (const std::exception&) {
    // The connection is gone, and the lock with it.
  }
}

TargetLock::TargetLock(PgConnection& server, const std::string& target, std::chrono::seconds wait)
    : lock_(server, "restore to " + target,
            fmt::format("another restore to '{}' is running", target), wait) {}

}  // namespace bkp
