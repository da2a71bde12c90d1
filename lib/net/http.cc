#include "net/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <functional>
#include <mutex>

#include "net/http_exchange.h"
#include "stream/memory_stream.h"

namespace bkp {
namespace {

constexpr std::size_t kIdleConnections = 8;
constexpr std::size_t kWholeBody = std::size_t{64} << 20;

}  // namespace

const std::string* HttpHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return &value;
  return nullptr;
}

struct HttpClient::Pool {
  HttpOptions options;
  std::mutex mutex;
  std::vector<std::unique_ptr<CurlHandles>> idle;

  std::unique_ptr<CurlHandles> take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        std::unique_ptr<CurlHandles> handles = std::move(idle.back());
        idle.pop_back();
        return handles;
      }
    }
    return std::make_unique<CurlHandles>();
  }

  void give_back(std::unique_ptr<CurlHandles> handles) {
    const std::lock_guard lock(mutex);
    if (idle.size() < kIdleConnections) idle.push_back(std::move(handles));
  }
};

namespace {

// An exchange that gives its handles, and the connection in them, back when it is over.
class PooledStream final : public HttpStream {
 public:
  using Return = std::function<void(std::unique_ptr<CurlHandles>)>;
  PooledStream(std::unique_ptr<CurlHandles> handles, const HttpRequest& request,
               const HttpOptions& options, std::stop_token stop, Return give_back)
      : exchange_(std::in_place, std::move(handles), request, options, std::move(stop)),
        give_back_(std::move(give_back)) {}

  ~PooledStream() override {
    std::unique_ptr<CurlHandles> handles = exchange_->release();
    exchange_.reset();
    give_back_(std::move(handles));
  }

  void wait_for_head() { exchange_->wait_for_head(); }
  const HttpHead& head() const override { return exchange_->head(); }
  std::size_t read(std::span<std::byte> out) override { return exchange_->read(out); }

 private:
  std::optional<HttpExchange> exchange_;
  Return give_back_;
};

}  // namespace

HttpClient::HttpClient(HttpOptions options) : pool_(std::make_shared<Pool>()) {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (initialised != CURLE_OK) throw Error(ErrorCode::failed, "cannot initialise libcurl");
  pool_->options = std::move(options);
}

HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

std::unique_ptr<HttpStream> HttpClient::open(const HttpRequest& request, std::stop_token stop) {
  auto stream =
      std::make_unique<PooledStream>(pool_->take(), request, pool_->options, std::move(stop),
                                     [pool = pool_](std::unique_ptr<CurlHandles> handles) {
                                       pool->give_back(std::move(handles));
                                     });
  stream->wait_for_head();
  return stream;
}

HttpResponse HttpClient::send(const HttpRequest& request, std::stop_token stop) {
  return whole_response(*open(request, std::move(stop)));
}

HttpResponse whole_response(HttpStream& stream) {
  HttpResponse response;
  try {
    response.body = read_all(stream, kWholeBody);
  } catch (const HttpFailure& failure) {
    // A server that refuses a request often hangs up on the rest of it: its status still counts.
    if (failure.kind() != HttpFailure::Kind::exchange || stream.head().status < 400) throw;
  }
  static_cast<HttpHead&>(response) = stream.head();
  return response;
}

std::optional<TimePoint> parse_http_date(std::string_view text) {
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || text.substr(25) != " GMT") return std::nullopt;
  const std::size_t month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  try {
    return parse_rfc3339(fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month / 3 + 1,
                                     text.substr(5, 2), text.substr(17, 8)));
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace bkp
