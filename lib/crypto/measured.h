// Streams that count and hash what passes through them: SHA-256 and length of plain and stored
// bytes.
#pragma once

#include <cstdint>

#include "crypto/digest.h"
#include "stream/stream.h"

namespace bkp {

class MeasuredSource final : public Source {
 public:
  explicit MeasuredSource(Source& from) : from_(from) {}
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t count = from_.read(out);
    hash_.update(out.first(count));
    size_ += count;
    return count;
  }
  std::uint64_t size() const { return size_; }
  Digest256 digest() { return hash_.finish(); }  // once, at the end

 private:
  Source& from_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

class MeasuredSink final : public Sink {
 public:
  explicit MeasuredSink(Sink& to) : to_(to) {}
  void write(ByteView data) override {
    hash_.update(data);
    size_ += data.size();
    to_.write(data);
  }
  void finish() override { to_.finish(); }
  std::uint64_t size() const { return size_; }
  Digest256 digest() { return hash_.finish(); }  // once, at the end

 private:
  Sink& to_;
  Sha256 hash_;
  std::uint64_t size_ = 0;
};

}  // namespace bkp
