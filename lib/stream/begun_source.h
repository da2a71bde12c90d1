// A source whose first bytes can be looked at before they are read.
#pragma once

#include <algorithm>

#include "stream/stream.h"

namespace bkp {

class BegunSource final : public Source {
 public:
  // Reads the first `size` bytes of `from`, or all there are.
  BegunSource(Source& from, std::size_t size) : from_(from), begin_(size) {
    while (size_ < begin_.size()) {
      const std::size_t count = from.read(std::span(begin_).subspan(size_));
      if (count == 0) break;
      size_ += count;
    }
  }
  ByteView beginning() const { return ByteView(begin_).first(size_); }
  std::size_t read(std::span<std::byte> out) override {
    if (at_ == size_) return from_.read(out);
    const std::size_t count = std::min(out.size(), size_ - at_);
    std::copy_n(begin_.begin() + static_cast<std::ptrdiff_t>(at_), count, out.begin());
    at_ += count;
    return count;
  }

 private:
  Source& from_;
  Bytes begin_;
  std::size_t size_ = 0;
  std::size_t at_ = 0;
};

}  // namespace bkp
