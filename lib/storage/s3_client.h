// Signed requests to one bucket, tried again where that can help. Internal to the s3 driver.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <string>

#include "config/config.h"
#include "crypto/digest.h"
#include "net/http.h"
#include "storage/s3_error.h"
#include "storage/s3_options.h"

namespace bkp {

using S3Query = std::vector<std::pair<std::string, std::string>>;

struct S3Digests {
  std::array<std::byte, 16> md5{};
  Digest256 sha256{};
};
S3Digests digests_of(ByteView body);

// Who asks, and for how long.
struct S3Patience {
  unsigned tries = 0;  // 0: as the options say
  std::stop_token stop;
  std::optional<std::chrono::milliseconds> stall;
  std::optional<std::chrono::milliseconds> limit;  // of each try
  OnSignal on_signal = OnSignal::stop;
};

struct S3Request {
  std::string method;
  std::string key;  // the whole key in the bucket; empty: the bucket itself
  S3Query query;
  HttpHeaders headers;
  ByteView body;                     // of a PUT or POST, sent with its MD5 and SHA-256
  std::optional<S3Digests> digests;  // of the body, where they are known
  std::vector<int> accept;           // statuses that the caller takes as an answer, besides 2xx
  // Asked after a try whose outcome is unknown: true where the request is seen to have done its
  // work, and then send() returns status 0 instead of trying again.
  std::function<bool()> settled;
  S3Patience patience;
  std::atomic<std::uint64_t>* sent = nullptr;  // counts the bytes of the body as they go out
  HttpRequest::Repeat repeat = HttpRequest::Repeat::if_connection_was_stale;
};

// Thread-safe. Everything that it throws names the storage.
class S3Client {
 public:
  S3Client(const StorageConfig& config, S3Options options);

  // `doing` continues "cannot": "write 'a/b'". Throws Error for a status that is neither 2xx nor
  // accepted, StorageUnreachable where no answer came or only ones that ask to come back.
  HttpResponse send(const S3Request& request, std::string_view doing) const;
  // The same with the body as a stream; `settled` is not asked.
  std::unique_ptr<HttpStream> open(const S3Request& request, std::string_view doing) const;
  // The error that an accepted status turned out to be.
  [[noreturn]] void refuse(const HttpResponse& response, std::string_view doing) const;

  // Of an answer's body; what it throws names the storage.
  template <typename Parsed>
  Parsed parse(Parsed (*parser)(ByteView), const HttpResponse& response,
               std::string_view doing) const {
    try {
      return parser(response.body);
    } catch (const Error& error) {
      throw error.within(within(doing));
    }
  }

  const S3Place& place() const { return place_; }
  const S3Options& options() const { return options_; }
  // From an object's name to its key in the bucket; empty to the prefix of all keys.
  std::string key_of(std::string_view name) const { return prefix_ + std::string(name); }
  // The reverse; nullopt for a key that is no object of this storage.
  std::optional<std::string> name_of(std::string_view key) const;

 private:
  HttpRequest signed_request(const S3Request& request, const S3Digests& digests) const;
  std::string within(std::string_view doing) const;  // "storage 'r2': cannot write 'a'"
  // Whether a cheap request is refused: where the answer to a large one was lost in a reset.
  std::optional<HttpResponse> refusal_of_all(const S3Patience& patience) const;

  friend class S3Retry;

  S3Place place_;
  std::string origin_;     // "https://host:port"
  std::string host_;       // as the Host header has it
  std::string base_path_;  // the endpoint's own path and the bucket
  std::string prefix_;     // empty, or ends in '/'
  Secret access_key_;
  Secret secret_key_;
  S3Options options_;
  mutable HttpClient http_;
};

}  // namespace bkp
