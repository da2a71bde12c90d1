// A storage in a bucket of any S3-compatible store: Cloudflare R2, Backblaze B2, AWS, Ceph, Swift.
#pragma once

#include "config/config.h"
#include "storage/leftovers.h"
#include "storage/s3_options.h"
#include "storage/storage.h"

namespace bkp {

struct S3Bucket;

// Path style, signature version 4. What a store lacks (conditional writes, batch deletes, versions,
// lists of uploads) is found out as it refuses, and remembered. Where a store has no conditional
// writes, two writers that finish one name at the same moment may both succeed, and the later
// stays. Its sinks and sources may outlive it.
class S3Storage final : public Storage, public KeepsLeftovers {
 public:
  // Throws Error(usage) for an endpoint that is no URL.
  explicit S3Storage(const StorageConfig& config, S3Options options = {});

  std::unique_ptr<Sink> create(std::string_view name, CreateOptions options) override;
  std::unique_ptr<Source> open(std::string_view name, Range range = {}) override;
  std::vector<Object> list(std::string_view prefix) override;
  std::vector<Outcome> remove(std::span<const std::string> names) override;
  StorageInfo info() override;
  std::vector<Leftover> leftovers(std::string_view prefix) override;
  std::optional<Error> discard(const Leftover& leftover) override;

 private:
  std::shared_ptr<S3Bucket> bucket_;
};

}  // namespace bkp
