// What one bucket's sinks, sources and removals share. Internal to the s3 driver.
#pragma once

#include <atomic>

#include "storage/s3_client.h"
#include "storage/storage.h"

namespace bkp {

struct S3Bucket : std::enable_shared_from_this<S3Bucket> {
  S3Bucket(const StorageConfig& config, S3Options options) : client(config, std::move(options)) {}

  S3Client client;

  // What the store was found to have.
  std::atomic<bool> conditional_puts = true;
  std::atomic<bool> batch_deletes = true;
  std::atomic<bool> lists_uploads = true;
  enum class Versions { unknown, none, kept };
  std::atomic<Versions> versions = Versions::unknown;
};

// The size and ETag of an object; nullopt: there is none.
struct S3Head {
  std::uint64_t size = 0;
  std::string etag;
};
std::optional<S3Head> head_object(const S3Client& client, const std::string& key,
                                  const S3Patience& patience);

// The Content-Length; throws Error where there is none.
std::uint64_t content_length(const S3Client& client, const HttpHead& head, std::string_view key);

// Unfinished multipart uploads of keys that begin with `prefix`; nothing where the store does not
// list them.
std::vector<S3Upload> list_uploads(S3Bucket& bucket, const std::string& prefix,
                                   const S3Patience& patience);
void abort_upload(const S3Client& client, const S3Upload& upload, const S3Patience& patience);

// Null: there is no such object.
std::unique_ptr<Source> open_s3_source(std::shared_ptr<S3Bucket> bucket, std::string_view name,
                                       Range range);
std::unique_ptr<Sink> make_s3_sink(std::shared_ptr<S3Bucket> bucket, std::string_view name,
                                   CreateOptions options);
std::vector<Outcome> remove_s3_objects(S3Bucket& bucket, std::span<const std::string> names);

}  // namespace bkp
