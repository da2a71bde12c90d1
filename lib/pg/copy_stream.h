// Rows out of a server one by one, and rows into it. Each holds its connection until it is
// finished or destroyed; a connection does one of them at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "pg/connection.h"
#include "stream/stream.h"

namespace bkp {

// COPY … TO STDOUT. Destroyed before its end, it cancels the statement; the connection can be used
// again.
class CopyOut {
 public:
  CopyOut(PgConnection& connection, std::string_view statement);
  ~CopyOut();
  CopyOut(const CopyOut&) = delete;
  CopyOut& operator=(const CopyOut&) = delete;

  // The next line without its line end, valid until the next call; false at the end.
  bool next(ByteView& row);

 private:
  PgConnection::State& state_;
  std::unique_ptr<char, void (*)(void*)> line_;
  bool ended_ = false;
};

// COPY … FROM STDIN: write() takes lines of COPY text with their line ends. Destroyed before
// finish(), it makes the statement fail, and nothing is stored.
class CopyIn final : public Sink {
 public:
  CopyIn(PgConnection& connection, std::string_view statement);
  ~CopyIn() override;
  CopyIn(const CopyIn&) = delete;
  CopyIn& operator=(const CopyIn&) = delete;

  void write(ByteView data) override;
  void finish() override;

 private:
  PgConnection::State& state_;
  bool ended_ = false;
};

}  // namespace bkp
