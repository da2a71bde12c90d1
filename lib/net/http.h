// A small HTTP/1.1 client: requests whose bodies are in memory, answers whole or as a stream.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "stream/stream.h"

namespace bkp {

struct HttpOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds stall{30'000};  // no byte in either direction for so long: given up
  std::filesystem::path ca_file;            // trusted instead of the system's, where set
};

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// Whether a request stops when the process was asked to by a signal: what cleans up goes on.
enum class OnSignal { stop, go_on };

struct HttpRequest {
  std::string method;
  std::string url;  // percent-encoded; sent as it is
  HttpHeaders headers;
  // Sent one after the other; Content-Length is their sum. Must stay valid during the call. A PUT
  // or POST without a body says "Content-Length: 0".
  std::vector<ByteView> body;
  std::optional<std::chrono::milliseconds> stall;  // this request's own
  std::optional<std::chrono::milliseconds> limit;  // of the whole exchange
  OnSignal on_signal = OnSignal::stop;
  // Counts the bytes of the body as they go out, for whoever watches from another thread. Must stay
  // valid during the call.
  std::atomic<std::uint64_t>* sent = nullptr;
  // Over a kept connection that turns out to be closed a request is sent again without a word, as
  // the server cannot have read it; but one that was cut there looks the same. Once: a new
  // connection, and so never again.
  enum class Repeat { if_connection_was_stale, never } repeat = Repeat::if_connection_was_stale;
};

struct HttpHead {
  int status = 0;
  HttpHeaders headers;  // names in lower case
  // Null: there is no such header. `name` in lower case.
  const std::string* header(std::string_view name) const;
};

struct HttpResponse : HttpHead {
  Bytes body;
};

// No answer, or only a part of one, as opposed to an answer with any status.
class HttpFailure : public Error {
 public:
  enum class Kind {
    connect,      // nothing was sent: no such host, refused
    timeout,      // nothing was sent: no connection within the timeout
    certificate,  // nothing was sent: the server's certificate is not trusted
    exchange,     // the request may have been carried out
    stopped,      // the stop token or a signal asked for it
  };
  HttpFailure(Kind kind, std::string message, std::string hint = {})
      : Error(ErrorCode::failed, std::move(message), std::move(hint)), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

// An answer whose head is there and whose body is read as it comes, holding about 256 KiB. What
// paces it is the reader: time between reads is no stall. read() throws HttpFailure where the body
// ends too soon. Not thread-safe. May outlive its client.
class HttpStream : public Source {
 public:
  virtual const HttpHead& head() const = 0;
};

// What is left of a stream's answer, whole: as HttpClient::send returns it.
HttpResponse whole_response(HttpStream& stream);

// A Date header (RFC 9110, IMF-fixdate): "Fri, 24 May 2013 00:00:00 GMT"; nullopt: no such date.
std::optional<TimePoint> parse_http_date(std::string_view text);

// Thread-safe; connections are kept and used again. No redirects, no cookies, no "Expect:".
// Cancelling takes effect at once for a stop token, within 0.2 s for a signal.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {});
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;

  // The whole answer, any status. Throws HttpFailure; Error for a body beyond 64 MiB.
  HttpResponse send(const HttpRequest& request, std::stop_token stop = {});
  // Sends the request and waits for the head of the answer. Throws HttpFailure. `request.body` is
  // needed no longer than this call.
  std::unique_ptr<HttpStream> open(const HttpRequest& request, std::stop_token stop = {});

 private:
  struct Pool;
  std::shared_ptr<Pool> pool_;
};

}  // namespace bkp
