// What a store's refusal means, in words that say what to do. Internal to the s3 driver.
#pragma once

#include <string>

#include "base/clock.h"
#include "net/http.h"
#include "storage/s3_xml.h"

namespace bkp {

// Where the requests go, for messages.
struct S3Place {
  std::string storage;   // its configured name
  std::string endpoint;  // "https://host:port"
  std::string bucket;
  std::string region;
  std::string location;  // endpoint, bucket and prefix
};

// Whether the same request may well be answered otherwise a moment later.
bool is_passing(const HttpHead& head, const S3ErrorBody& body);

// `now`: what the request was dated. StorageUnreachable where the refusal is a passing one.
[[noreturn]] void throw_refusal(const S3Place& place, std::string_view doing,
                                const HttpResponse& response, TimePoint now);
// StorageUnreachable, or Error where a later try cannot help.
[[noreturn]] void throw_failure(const S3Place& place, std::string_view doing,
                                const HttpFailure& failure);

}  // namespace bkp
