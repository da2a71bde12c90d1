// AWS Signature Version 4 of a request's headers: a pure function.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"

namespace bkp {

struct SigV4Scope {
  std::string_view access_key;
  const Secret& secret_key;
  std::string_view region;
  std::string_view service;
};

struct SigV4Request {
  std::string method;
  std::string path;                                        // percent-encoded, as it is sent
  std::vector<std::pair<std::string, std::string>> query;  // plain; the function encodes and sorts
  std::vector<std::pair<std::string, std::string>> headers;  // all are signed; "host" among them
  std::string payload_sha256;                                // hexadecimal
};

struct SigV4Signature {
  std::string canonical_request;
  std::string string_to_sign;
  std::string authorization;  // the value of the header
};

SigV4Signature sign_v4(const SigV4Request& request, const SigV4Scope& scope, TimePoint time);

// The value of x-amz-date: "20130524T000000Z".
std::string amz_date(TimePoint time);
// Every byte but A-Z a-z 0-9 - . _ ~ becomes %XX; '/' stays where `keep` says so.
enum class Slash { encode, keep };
std::string percent_encode(std::string_view text, Slash slash);
// "a=1&b=", encoded and sorted as the signature wants it and as it has to be sent.
std::string canonical_query(const std::vector<std::pair<std::string, std::string>>& query);

}  // namespace bkp
