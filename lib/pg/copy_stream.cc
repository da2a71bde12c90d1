#include "pg/copy_stream.h"

#include <algorithm>

#include "base/interrupt.h"
#include "pg/connection_state.h"

namespace bkp {

CopyOut::CopyOut(PgConnection& connection, std::string_view statement)
    : state_(*connection.state_), line_(nullptr, &PQfreemem) {
  state_.begin_copy(statement, PGRES_COPY_OUT);
}

CopyOut::~CopyOut() {
  if (ended_) return;
  const InterruptShield shield;
  try {
    state_.cancel();
    line_.reset();
    for (char* raw = nullptr; PQgetCopyData(state_.connection.get(), &raw, 0) > 0;) PQfreemem(raw);
    while (state_.next_result()) {
    }
  } catch (const std::exception&) {
    // The connection is gone.
  }
}

bool CopyOut::next(ByteView& row) {
  if (ended_) return false;
  while (true) {
    char* raw = nullptr;
    const int length = PQgetCopyData(state_.connection.get(), &raw, 1);
    if (length == 0) {
      state_.wait_readable();
      state_.require_sent(PQconsumeInput(state_.connection.get()));
      continue;
    }
    if (length < 0) break;
    line_.reset(raw);
    std::string_view line(raw, static_cast<std::size_t>(length));
    if (line.ends_with('\n')) line.remove_suffix(1);
    row = as_bytes(line);
    return true;
  }
  ended_ = true;
  state_.last_result();
  return false;
}

CopyIn::CopyIn(PgConnection& connection, std::string_view statement) : state_(*connection.state_) {
  state_.begin_copy(statement, PGRES_COPY_IN);
}

CopyIn::~CopyIn() {
  if (ended_) return;
  const InterruptShield shield;
  try {
    PQputCopyEnd(state_.connection.get(), "given up");
    while (state_.next_result()) {
    }
  } catch (const std::exception&) {
    // The connection is gone.
  }
}

void CopyIn::write(ByteView data) {
  check_interrupt();
  constexpr std::size_t kPiece = std::size_t{1} << 20;  // libpq counts in int
  for (; !data.empty(); data = data.subspan(std::min(kPiece, data.size())))
    state_.require_sent(PQputCopyData(state_.connection.get(),
                                      reinterpret_cast<const char*>(data.data()),
                                      static_cast<int>(std::min(kPiece, data.size()))) == 1);
}

void CopyIn::finish() {
  ended_ = true;
  state_.require_sent(PQputCopyEnd(state_.connection.get(), nullptr) == 1);
  state_.last_result();
}

}  // namespace bkp
