// The s3 driver over a real server, each case under a prefix of its own.
#pragma once

#include "base/uuid.h"
#include "storage/s3.h"
#include "storage/s3_bucket.h"
#include "support/s3_server.h"

namespace bkp::test {

inline S3Options quick_options() {
  S3Options options;
  options.first_wait = std::chrono::milliseconds(5);
  options.longest_wait = std::chrono::milliseconds(50);
  options.list_page = 100;
  return options;
}

// Unfinished multipart uploads under a storage's prefix.
inline std::size_t unfinished_uploads(const StorageConfig& config) {
  const auto bucket = std::make_shared<S3Bucket>(config, quick_options());
  return list_uploads(*bucket, bucket->client.key_of(""), {}).size();
}

class S3Driver {
 public:
  explicit S3Driver(S3Server& server)
      : config_(server.config("case-" + Uuid::random().short_text())),
        storage_(config_, quick_options()) {}
  Storage& storage() { return storage_; }
  const StorageConfig& config() const { return config_; }
  std::size_t leftovers() { return unfinished_uploads(config_); }

 private:
  StorageConfig config_;
  S3Storage storage_;
};

class RgwDriver : public S3Driver {
 public:
  RgwDriver() : S3Driver(S3Server::rgw()) {}
  std::size_t many() const { return 1050; }
  static constexpr bool kExclusive = true;
};

class SwiftDriver : public S3Driver {
 public:
  SwiftDriver() : S3Driver(S3Server::swift()) {}
  std::size_t many() const { return 120; }
  static constexpr bool kExclusive = false;  // no conditional writes
};

}  // namespace bkp::test
