// One request and its answer on libcurl's multi interface, which lets a reader set the pace and a
// stop request end a blocked call at once. Internal to net.
#pragma once

#include <curl/curl.h>

#include <array>
#include <functional>

#include "net/http.h"

namespace bkp {

// A transfer handle and the connection cache that serves it. Used by one exchange at a time.
struct CurlHandles {
  CurlHandles();
  ~CurlHandles();
  CurlHandles(const CurlHandles&) = delete;
  CurlHandles& operator=(const CurlHandles&) = delete;

  CURLM* multi;
  CURL* easy;
};

class HttpExchange {
 public:
  // Starts nothing yet. `request` must stay valid until wait_for_head() has returned.
  HttpExchange(std::unique_ptr<CurlHandles> handles, const HttpRequest& request,
               const HttpOptions& options, std::stop_token stop);
  ~HttpExchange();
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

  void wait_for_head();
  const HttpHead& head() const { return head_; }
  std::size_t read(std::span<std::byte> out);
  // Ends the exchange, whole or not, and hands its handles to the next one.
  std::unique_ptr<CurlHandles> release();

 private:
  using Clock = std::chrono::steady_clock;

  void configure(const HttpRequest& request, const HttpOptions& options);
  void pump();
  void advance();
  void check_patience();
  [[noreturn]] void fail(CURLcode code) const;
  bool sent_nothing() const;

  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t on_send(char* data, std::size_t size, std::size_t count, void* self);
  static int on_seek(void* self, curl_off_t offset, int origin);

  std::unique_ptr<CurlHandles> handles_;
  curl_slist* header_list_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> message_{};
  std::stop_token stop_;
  OnSignal on_signal_;
  std::chrono::milliseconds stall_;
  std::optional<Clock::time_point> deadline_;

  std::vector<ByteView> body_;
  std::atomic<std::uint64_t>* sent_;
  std::size_t body_index_ = 0;   // the view that is being sent
  std::size_t body_offset_ = 0;  // bytes of it that were

  HttpHead head_;
  bool head_complete_ = false;
  Bytes received_;
  std::size_t received_at_ = 0;
  bool paused_ = false;
  std::optional<CURLcode> result_;

  std::uint64_t moved_ = 0;  // bytes in either direction, as far as we saw
  std::uint64_t moved_before_ = 0;
  Clock::duration idle_{};
};

}  // namespace bkp
