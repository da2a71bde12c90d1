// Sources and sinks over memory: for small objects (manifests) and tests.
#pragma once

#include "stream/stream.h"

namespace bkp {

class MemorySource final : public Source {
 public:
  explicit MemorySource(Bytes data) : data_(std::move(data)) {}
  std::size_t read(std::span<std::byte> out) override;

 private:
  Bytes data_;
  std::size_t at_ = 0;
};

class MemorySink final : public Sink {
 public:
  void write(ByteView data) override { append(data_, data); }
  void finish() override { finished_ = true; }
  const Bytes& data() const { return data_; }
  bool finished() const { return finished_; }

 private:
  Bytes data_;
  bool finished_ = false;
};

// Takes everything, keeps nothing.
class NullSink final : public Sink {
 public:
  void write(ByteView) override {}
  void finish() override {}
};

// Reads all of a source that is known to be small. Throws Error(failed) past `limit` bytes.
Bytes read_all(Source& from, std::size_t limit);

}  // namespace bkp
