// Bytes into one object, by a single PUT or a multipart upload, so that a lost answer, a second
// writer or a store without conditional writes end as storage.h promises. Internal to the s3
// driver.
#pragma once

#include "storage/s3_bucket.h"

namespace bkp {

// Not thread-safe. put(), or send_part() as often as needed and then complete().
class S3Writer {
 public:
  S3Writer(S3Bucket& bucket, std::string_view name, std::stop_token stop);

  // The whole object. `body` stays with the caller.
  void put(ByteView body, IfExists if_exists);
  // The next part; the first one begins the upload.
  void send_part(ByteView body);
  bool begun() const { return !upload_id_.empty(); }
  // Makes the object of the parts.
  void complete(IfExists if_exists);
  // Bytes that went out so far, those of vain tries too. Thread-safe.
  std::uint64_t sent() const { return sent_; }
  // Aborts an upload that is not completed, and what lost answers left of others.
  void discard() noexcept;

 private:
  struct Part {
    std::string etag;  // the store's
    S3Digests digests;
    std::uint64_t size = 0;
  };
  enum class Existing { none, same, other };

  void begin();
  HttpResponse try_put(ByteView body, const S3Digests& digests, bool conditional);
  HttpResponse try_complete(const std::string& body, bool conditional);
  bool completion_succeeded(const HttpResponse& response);
  // What is under the name now, against what was sent.
  Existing examine(unsigned tries);
  bool same_content();
  std::string expected_etag() const;
  bool require_free();
  // Throws where another writer's object took the name.
  void require_ours();
  void abort_strays(const S3Patience& patience);
  S3Request request(std::string_view method);
  std::string etag_of(const HttpResponse& response) const;
  [[noreturn]] void fail_existing() const;
  [[noreturn]] void fail_unconfirmed() const;

  S3Bucket& bucket_;
  std::string name_;
  std::string key_;
  std::stop_token stop_;
  std::string doing_;
  std::string upload_id_;
  std::vector<Part> parts_;  // of a single PUT: the one
  std::string stored_etag_;  // as the store told it of our own object
  std::uint64_t size_ = 0;
  std::atomic<std::uint64_t> sent_ = 0;
  bool multipart_ = false;
  bool strays_ = false;  // an answer that named an upload was lost
};

}  // namespace bkp
