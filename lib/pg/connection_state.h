// What a PgConnection is inside: for those that move rows through one.
#pragma once

#include <libpq-fe.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "pg/connection.h"

namespace bkp {

using PgResult = std::unique_ptr<PGresult, decltype(&PQclear)>;

struct PgConnection::State {
  struct Closer {
    void operator()(PGconn* connection) const { PQfinish(connection); }
  };
  std::unique_ptr<PGconn, Closer> connection;
  std::optional<std::chrono::seconds> patience;  // for an answer

  // Waits until the socket can be read, giving up when the process was asked to stop.
  void wait_readable();
  void cancel() noexcept;
  PgResult next_result();
  void require_sent(int sent);
  // Reads every result of the statement; keeps the last one. Throws the first error after all of
  // them are read, so that the connection can be used again.
  PgResult last_result();
  // Sends a COPY statement and waits until rows may flow in the expected direction.
  void begin_copy(std::string_view statement, ExecStatusType expected);
  PgError to_error(const PGresult* result);
};

}  // namespace bkp
