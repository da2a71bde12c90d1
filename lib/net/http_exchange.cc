#include "net/http_exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/interrupt.h"

namespace bkp {
namespace {

constexpr std::size_t kReceiveBuffer = std::size_t{128} << 10;
constexpr int kPollMilliseconds = 200;  // how soon a signal is seen

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

std::string trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())))
    text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

CurlHandles::CurlHandles() : multi(curl_multi_init()), easy(curl_easy_init()) {
  if (multi == nullptr || easy == nullptr) {
    curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
    throw Error(ErrorCode::failed, "cannot make a libcurl handle: out of memory");
  }
}

CurlHandles::~CurlHandles() {
  curl_easy_cleanup(easy);
  curl_multi_cleanup(multi);
}

HttpExchange::HttpExchange(std::unique_ptr<CurlHandles> handles, const HttpRequest& request,
                           const HttpOptions& options, std::stop_token stop)
    : handles_(std::move(handles)),
      stop_(std::move(stop)),
      on_signal_(request.on_signal),
      stall_(request.stall.value_or(options.stall)),
      body_(request.body),
      sent_(request.sent) {
  if (request.limit) deadline_ = Clock::now() + *request.limit;
  configure(request, options);
  curl_multi_add_handle(handles_->multi, handles_->easy);
}

HttpExchange::~HttpExchange() {
  if (handles_) release();
  curl_slist_free_all(header_list_);
}

std::unique_ptr<CurlHandles> HttpExchange::release() {
  curl_multi_remove_handle(handles_->multi, handles_->easy);
  curl_easy_reset(handles_->easy);
  return std::move(handles_);
}

void HttpExchange::configure(const HttpRequest& request, const HttpOptions& options) {
  CURL* easy = handles_->easy;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  if (request.repeat == HttpRequest::Repeat::never)
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);  // or a hung resolver would hold up a stop
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                   static_cast<long>(options.connect_timeout.count()));
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message_.data());
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, static_cast<long>(kReceiveBuffer));
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "bkp/" BKP_VERSION);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &HttpExchange::on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &HttpExchange::on_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  if (!options.ca_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  std::size_t size = 0;
  for (const ByteView view : body_) size += view.size();
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.method == "PUT" || request.method == "POST" || size > 0) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &HttpExchange::on_send);
    curl_easy_setopt(easy, CURLOPT_READDATA, this);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, &HttpExchange::on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, this);
  }
  header_list_ = curl_slist_append(header_list_, "Expect:");
  for (const auto& [name, value] : request.headers)
    header_list_ = curl_slist_append(header_list_, fmt::format("{}: {}", name, value).c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, header_list_);
}

std::size_t HttpExchange::on_header(char* data, std::size_t size, std::size_t count, void* self) {
  auto& exchange = *static_cast<HttpExchange*>(self);
  const std::string_view line(data, size * count);
  exchange.moved_ += line.size();
  if (line.starts_with("HTTP/")) {  // also after "100 Continue": only the last head counts
    exchange.head_ = {};
    const std::size_t blank = line.find(' ');
    if (blank != std::string_view::npos)
      exchange.head_.status = std::atoi(std::string(line.substr(blank + 1, 3)).c_str());
  } else if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
    exchange.head_.headers.emplace_back(lower(trimmed(line.substr(0, colon))),
                                        trimmed(line.substr(colon + 1)));
  } else if (trimmed(line).empty() && exchange.head_.status >= 200) {
    exchange.head_complete_ = true;
  }
  return size * count;
}

std::size_t HttpExchange::on_body(char* data, std::size_t size, std::size_t count, void* self) {
  auto& exchange = *static_cast<HttpExchange*>(self);
  const std::string_view text(data, size * count);
  if (exchange.received_.size() - exchange.received_at_ >= kReceiveBuffer) {
    exchange.paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  exchange.moved_ += text.size();
  append(exchange.received_, as_bytes(text));
  return text.size();
}

std::size_t HttpExchange::on_send(char* data, std::size_t size, std::size_t count, void* self) {
  auto& exchange = *static_cast<HttpExchange*>(self);
  std::size_t given = 0;
  while (given < size * count && exchange.body_index_ < exchange.body_.size()) {
    const ByteView rest = exchange.body_[exchange.body_index_].subspan(exchange.body_offset_);
    const std::size_t part = std::min(rest.size(), size * count - given);
    std::copy_n(reinterpret_cast<const char*>(rest.data()), part, data + given);
    given += part;
    exchange.body_offset_ += part;
    if (part < rest.size()) break;
    ++exchange.body_index_;
    exchange.body_offset_ = 0;
  }
  exchange.moved_ += given;
  if (exchange.sent_ != nullptr) *exchange.sent_ += given;
  return given;
}

// Asked for offset 0 only, when a kept connection turns out to be closed.
int HttpExchange::on_seek(void* self, curl_off_t offset, int origin) {
  auto& exchange = *static_cast<HttpExchange*>(self);
  if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  exchange.body_index_ = 0;
  exchange.body_offset_ = 0;
  return CURL_SEEKFUNC_OK;
}

void HttpExchange::advance() {
  int running = 0;
  if (const CURLMcode code = curl_multi_perform(handles_->multi, &running); code != CURLM_OK)
    throw Error(ErrorCode::failed, fmt::format("libcurl: {}", curl_multi_strerror(code)));
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(handles_->multi, &left))
    if (message->msg == CURLMSG_DONE) result_ = message->data.result;
}

void HttpExchange::check_patience() {
  if (stop_.stop_requested()) throw HttpFailure(HttpFailure::Kind::stopped, "stopped");
  if (on_signal_ == OnSignal::stop) check_interrupt();
  const auto kind = sent_nothing() ? HttpFailure::Kind::timeout : HttpFailure::Kind::exchange;
  if (deadline_ && Clock::now() >= *deadline_)
    throw HttpFailure(kind, "no answer within the time that is left");
  if (idle_ >= stall_)
    throw HttpFailure(
        kind, fmt::format("nothing moved for {} s",
                          std::chrono::duration_cast<std::chrono::seconds>(stall_).count()));
}

// Goes on until something happened: bytes, the end, or a while without.
void HttpExchange::pump() {
  const std::stop_callback wake(stop_, [this] { curl_multi_wakeup(handles_->multi); });
  check_patience();
  advance();
  const bool moved = moved_ != moved_before_;
  moved_before_ = moved_;
  if (moved || result_) {
    idle_ = {};
    if (result_ || head_complete_) return;
  }
  const Clock::time_point before = Clock::now();
  curl_multi_poll(handles_->multi, nullptr, 0, kPollMilliseconds, nullptr);
  idle_ += Clock::now() - before;
}

void HttpExchange::wait_for_head() {
  while (!head_complete_ && !result_) pump();
  // An answer of a sender that is still busy is no final one: libcurl ends the sending first.
  while (!result_ && body_index_ < body_.size() && received_.empty()) pump();
  if (!head_complete_) fail(result_.value_or(CURLE_OK));
  body_.clear();
  body_index_ = 0;
}

std::size_t HttpExchange::read(std::span<std::byte> out) {
  while (received_at_ == received_.size() && !result_) {
    if (paused_) {
      paused_ = false;
      curl_easy_pause(handles_->easy, CURLPAUSE_CONT);
    }
    pump();
  }
  const std::size_t count = std::min(out.size(), received_.size() - received_at_);
  if (count == 0 && *result_ != CURLE_OK) fail(*result_);
  std::copy_n(received_.begin() + static_cast<std::ptrdiff_t>(received_at_), count, out.begin());
  received_at_ += count;
  if (received_at_ == received_.size()) {
    received_.clear();
    received_at_ = 0;
  }
  return count;
}

bool HttpExchange::sent_nothing() const {
  long request_size = 0;
  curl_easy_getinfo(handles_->easy, CURLINFO_REQUEST_SIZE, &request_size);
  return request_size == 0 && moved_ == 0;
}

void HttpExchange::fail(CURLcode code) const {
  using Kind = HttpFailure::Kind;
  std::string why = message_[0] != '\0' ? message_.data() : curl_easy_strerror(code);
  if (code == CURLE_OK) why = "the answer has no head";
  if (!why.empty()) why[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(why[0])));
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
      throw HttpFailure(
          Kind::certificate, why,
          "name the certificate of the authority that signed the server's as ca_file");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_URL_MALFORMAT:
      throw HttpFailure(Kind::connect, why);
    case CURLE_OPERATION_TIMEDOUT:
      throw HttpFailure(sent_nothing() ? Kind::timeout : Kind::exchange, why);
    default:
      throw HttpFailure(Kind::exchange, why);
  }
}

}  // namespace bkp
