#include "net/sigv4.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "crypto/digest.h"

namespace bkp {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";

// Trimmed, and inner runs of blanks made one, as the canonical form wants header values.
std::string canonical_value(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c != ' ' && c != '\t')
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  if (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

Digest256 signing_key(const SigV4Scope& scope, std::string_view day) {
  const Secret start(fmt::format("AWS4{}", scope.secret_key.reveal_text()));
  Digest256 key = hmac_sha256(start.reveal(), as_bytes(day));
  for (const std::string_view step :
       {scope.region, scope.service, std::string_view("aws4_request")})
    key = hmac_sha256(key, as_bytes(step));
  return key;
}

}  // namespace

std::string amz_date(TimePoint time) {
  return fmt::format("{:%Y%m%dT%H%M%SZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(
                                              std::chrono::floor<std::chrono::seconds>(time))));
}

std::string percent_encode(std::string_view text, Slash slash) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x80 && std::isalnum(byte)) || c == '-' || c == '.' || c == '_' || c == '~' ||
        (c == '/' && slash == Slash::keep))
      out += c;
    else
      out += fmt::format("%{:02X}", byte);
  }
  return out;
}

std::string canonical_query(const std::vector<std::pair<std::string, std::string>>& query) {
  std::vector<std::pair<std::string, std::string>> encoded;
  for (const auto& [name, value] : query)
    encoded.emplace_back(percent_encode(name, Slash::encode), percent_encode(value, Slash::encode));
  std::sort(encoded.begin(), encoded.end());
  std::string out;
  for (const auto& [name, value] : encoded)
    out += fmt::format("{}{}={}", out.empty() ? "" : "&", name, value);
  return out;
}

SigV4Signature sign_v4(const SigV4Request& request, const SigV4Scope& scope, TimePoint time) {
  std::map<std::string, std::string> headers;
  for (const auto& [name, value] : request.headers) {
    const auto [at, added] = headers.emplace(lower(name), canonical_value(value));
    if (!added) at->second += "," + canonical_value(value);
  }
  std::string lines, names;
  for (const auto& [name, value] : headers) {
    lines += fmt::format("{}:{}\n", name, value);
    names += fmt::format("{}{}", names.empty() ? "" : ";", name);
  }
  SigV4Signature out;
  out.canonical_request =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, request.path,
                  canonical_query(request.query), lines, names, request.payload_sha256);
  const std::string stamp = amz_date(time);
  const std::string day = stamp.substr(0, 8);
  const std::string scope_text =
      fmt::format("{}/{}/{}/aws4_request", day, scope.region, scope.service);
  out.string_to_sign = fmt::format("{}\n{}\n{}\n{}", kAlgorithm, stamp, scope_text,
                                   to_hex(sha256(as_bytes(out.canonical_request))));
  const Digest256 signature = hmac_sha256(signing_key(scope, day), as_bytes(out.string_to_sign));
  out.authorization = fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", kAlgorithm,
                                  scope.access_key, scope_text, names, to_hex(signature));
  return out;
}

}  // namespace bkp
