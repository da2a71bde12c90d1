// Digests: SHA-256 and MD5 of stored bytes, HMAC-SHA256, and the order-free digest of a table.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/secret.h"

namespace bkp {

using Digest256 = std::array<std::byte, 32>;

// Incremental SHA-256. Not thread-safe. finish() once.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(ByteView data);
  Digest256 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digest256 sha256(ByteView data);
std::array<std::byte, 16> md5(ByteView data);
Digest256 hmac_sha256(ByteView key, ByteView data);
// Constant time.
bool equal_digests(ByteView a, ByteView b);

// The sum modulo 2^128 of XXH3-128 (seed 0) over the rows' COPY text without the line's end: the
// same for the same rows in any order.
class RowDigest {
 public:
  void add(ByteView row);
  void add(const RowDigest& other);  // of another part of the same table
  std::string hex() const;           // 32 digits, most significant first
  friend bool operator==(const RowDigest&, const RowDigest&) = default;

 private:
  friend class RowHasher;
  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
};

// One row that comes in pieces, for rows longer than any buffer. Not thread-safe.
class RowHasher {
 public:
  RowHasher();
  ~RowHasher();
  void update(ByteView piece);
  void finish(RowDigest& into);  // adds the row; the next update() begins another

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bkp
