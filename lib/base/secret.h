// A password or key: prints as ****, is wiped on destruction, and has to be asked for by name.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace bkp {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text) : bytes_(to_bytes(text)) {}
  explicit Secret(ByteView bytes) : bytes_(to_bytes(bytes)) {}
  ~Secret() { wipe(); }
  Secret(const Secret& other) = default;
  Secret& operator=(const Secret& other) {
    if (this != &other) {
      wipe();
      bytes_ = other.bytes_;
    }
    return *this;
  }
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) {}
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      wipe();
      bytes_ = std::move(other.bytes_);
    }
    return *this;
  }

  bool empty() const { return bytes_.empty(); }
  // The value itself; the view lives as long as the Secret. Never log it, never pass it in argv.
  ByteView reveal() const { return bytes_; }
  std::string_view reveal_text() const { return as_text(bytes_); }

 private:
  void wipe() noexcept;
  Bytes bytes_;
};

// Always "****": what a log or a message shows of a secret.
std::string to_string(const Secret&);

}  // namespace bkp
