// The two ends of every pipeline. Everything backed up is a Source; every transformation is a Sink
// that writes to the next Sink; a pipeline is a few stack variables and one copy().
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace bkp {

class Source {
 public:
  virtual ~Source() = default;
  // Fills a part of `out` (not empty) and returns its length; 0 only at the end of a stream that
  // ended well. Throws Error when it did not.
  virtual std::size_t read(std::span<std::byte> out) = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  // Takes all of `data`, blocking while downstream is full. Throws Error.
  virtual void write(ByteView data) = 0;
  // Flushes, finishes downstream, makes durable and visible. Called once, after the last write. A
  // sink that is destroyed before leaves nothing behind.
  virtual void finish() = 0;
};

// A sink whose stored bytes can be read back while it still takes more (a local file): it serves
// as the buffer for slower ones. Thread-safe against write(), and after it failed.
class Rereadable {
 public:
  virtual ~Rereadable() = default;
  // Reads out.size() bytes at `offset`, all of which were written. Throws Error.
  virtual void read_back(std::uint64_t offset, std::span<std::byte> out) const = 0;
};

// A sink whose write() and finish() can take long and that can tell that they advance: a number
// that changes while bytes go out. It tells a slow line from a dead one. Thread-safe, never blocks.
class Advancing {
 public:
  virtual ~Advancing() = default;
  virtual std::uint64_t advanced() const = 0;
};

// Reads `from` to its end into `to`, then finishes `to`. Returns the bytes moved.
std::uint64_t copy(Source& from, Sink& to);
// The same without finish(), for a sink that takes more afterwards.
std::uint64_t copy_into(Source& from, Sink& to);

}  // namespace bkp
