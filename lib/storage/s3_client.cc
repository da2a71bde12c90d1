#include "storage/s3_client.h"

#include <fmt/format.h>

#include <algorithm>

#include "net/sigv4.h"
#include "storage/s3_retry.h"
#include "storage/storage.h"

namespace bkp {
namespace {

struct Endpoint {
  std::string origin;
  std::string host;
  std::string path;
};

Endpoint parse_endpoint(const StorageConfig& config) {
  std::string_view rest = config.endpoint;
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const bool tls = rest.starts_with("https://");
  if (!tls && !rest.starts_with("http://"))
    throw Error(ErrorCode::usage,
                fmt::format("storage '{}': endpoint '{}' is no URL", config.name, config.endpoint),
                "write it as endpoint = \"https://host[:port]\"");
  rest.remove_prefix(tls ? 8 : 7);
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view host = rest.substr(0, slash);
  const std::string_view usual_port = tls ? ":443" : ":80";
  if (host.ends_with(usual_port)) host.remove_suffix(usual_port.size());
  return {fmt::format("{}://{}", tls ? "https" : "http", host), std::string(host),
          std::string(rest.substr(slash))};
}

std::string normal_prefix(std::string_view prefix) {
  while (prefix.starts_with('/')) prefix.remove_prefix(1);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  return prefix.empty() ? std::string() : std::string(prefix) + "/";
}

bool is_answer(const HttpHead& head, const S3Request& request) {
  return (head.status >= 200 && head.status < 300) ||
         std::find(request.accept.begin(), request.accept.end(), head.status) !=
             request.accept.end();
}

HttpOptions with_ca_file(HttpOptions options, const std::filesystem::path& ca_file) {
  options.ca_file = ca_file;
  return options;
}

}  // namespace

S3Digests digests_of(ByteView body) { return {md5(body), sha256(body)}; }

S3Client::S3Client(const StorageConfig& config, S3Options options)
    : prefix_(normal_prefix(config.prefix)),
      access_key_(config.access_key),
      secret_key_(config.secret_key),
      options_(std::move(options)),
      http_(with_ca_file(options_.http, config.ca_file)) {
  Endpoint endpoint = parse_endpoint(config);
  origin_ = std::move(endpoint.origin);
  host_ = std::move(endpoint.host);
  base_path_ = endpoint.path + "/" + percent_encode(config.bucket, Slash::encode);
  place_ = {config.name, origin_, config.bucket, config.region,
            fmt::format("{}{}/{}", origin_, base_path_, prefix_)};
}

std::optional<std::string> S3Client::name_of(std::string_view key) const {
  if (!key.starts_with(prefix_)) return std::nullopt;
  key.remove_prefix(prefix_.size());
  if (!is_object_name(key)) return std::nullopt;
  return std::string(key);
}

HttpRequest S3Client::signed_request(const S3Request& request, const S3Digests& digests) const {
  const TimePoint now = options_.clock->now();
  SigV4Request to_sign;
  to_sign.method = request.method;
  to_sign.path = base_path_;
  if (!request.key.empty()) to_sign.path += "/" + percent_encode(request.key, Slash::keep);
  to_sign.query = request.query;
  to_sign.payload_sha256 = to_hex(digests.sha256);
  to_sign.headers = request.headers;
  to_sign.headers.emplace_back("Host", host_);
  to_sign.headers.emplace_back("x-amz-content-sha256", to_sign.payload_sha256);
  to_sign.headers.emplace_back("x-amz-date", amz_date(now));
  if (request.method == "PUT" || request.method == "POST")
    to_sign.headers.emplace_back("Content-MD5", to_base64(digests.md5));
  const SigV4Signature signature =
      sign_v4(to_sign, {access_key_.reveal_text(), secret_key_, place_.region, "s3"}, now);

  HttpRequest out;
  out.method = request.method;
  out.url = origin_ + to_sign.path;
  if (!request.query.empty()) out.url += "?" + canonical_query(request.query);
  out.headers = std::move(to_sign.headers);
  out.headers.emplace_back("Authorization", signature.authorization);
  if (!request.body.empty()) out.body.push_back(request.body);
  out.stall = request.patience.stall;
  out.limit = request.patience.limit;
  out.on_signal = request.patience.on_signal;
  out.repeat = request.repeat;
  out.sent = request.sent;
  return out;
}

HttpResponse S3Client::send(const S3Request& request, std::string_view doing) const {
  const S3Digests digests = request.digests.value_or(digests_of(request.body));
  S3Retry retry(*this, request, doing);
  for (;;) {
    try {
      HttpResponse response = http_.send(signed_request(request, digests), request.patience.stop);
      if (is_answer(response, request)) return response;
      if (retry.after_refusal(response) == S3Retry::Next::settled) return {};
    } catch (const HttpFailure& failure) {
      if (retry.after_failure(failure) == S3Retry::Next::settled) return {};
    }
  }
}

std::unique_ptr<HttpStream> S3Client::open(const S3Request& request, std::string_view doing) const {
  S3Retry retry(*this, request, doing);
  const S3Digests digests = digests_of({});
  for (;;) {
    try {
      std::unique_ptr<HttpStream> stream =
          http_.open(signed_request(request, digests), request.patience.stop);
      if (is_answer(stream->head(), request)) return stream;
      retry.after_refusal(whole_response(*stream));
    } catch (const HttpFailure& failure) {
      retry.after_failure(failure);
    }
  }
}

void S3Client::refuse(const HttpResponse& response, std::string_view doing) const {
  throw_refusal(place_, doing, response, options_.clock->now());
}

std::string S3Client::within(std::string_view doing) const {
  return fmt::format("storage '{}': cannot {}", place_.storage, doing);
}

std::optional<HttpResponse> S3Client::refusal_of_all(const S3Patience& patience) const {
  S3Request request;
  request.method = "GET";
  request.query = {{"list-type", "2"}, {"max-keys", "1"}, {"prefix", prefix_}};
  request.patience = patience;
  try {
    HttpResponse response = http_.send(signed_request(request, digests_of({})), patience.stop);
    if (response.status < 400 || is_passing(response, parse_s3_error(response.body)))
      return std::nullopt;
    return response;
  } catch (const HttpFailure&) {
    return std::nullopt;
  }
}

}  // namespace bkp
