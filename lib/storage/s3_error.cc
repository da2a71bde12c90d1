#include "storage/s3_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/units.h"
#include "storage/storage.h"

namespace bkp {
namespace {

// Beyond this AWS and its likes refuse a request for its date.
constexpr auto kSkewAllowed = std::chrono::minutes(14);

struct Meaning {
  std::string what;
  std::string hint;
};

std::string keys_of(const S3Place& place) {
  return fmt::format("access_key_… and secret_key_… of [[storage]] '{}'", place.storage);
}

Meaning skewed(const HttpResponse& response, TimePoint now) {
  Meaning meaning{"this host's clock is too far from the store's",
                  "set the clock (timedatectl set-ntp true, or chronyc makestep)"};
  if (const std::string* date = response.header("date"))
    if (const auto theirs = parse_http_date(*date))
      meaning.what = fmt::format("this host's clock says {}, the store's {}",
                                 format_utc(now).substr(0, 19), format_utc(*theirs).substr(0, 19));
  return meaning;
}

bool clock_is_off(const HttpResponse& response, TimePoint now) {
  const std::string* date = response.header("date");
  const auto theirs = date == nullptr ? std::nullopt : parse_http_date(*date);
  return theirs && std::chrono::abs(*theirs - now) > kSkewAllowed;
}

Meaning wrong_region(const S3Place& place, const std::string& right) {
  return {fmt::format("the region '{}' is not the store's", place.region),
          right.empty()
              ? fmt::format("correct region of [[storage]] '{}'", place.storage)
              : fmt::format("set region = \"{}\" in [[storage]] '{}'", right, place.storage)};
}

std::optional<Meaning> meaning_of(const S3Place& place, const HttpResponse& response,
                                  const S3ErrorBody& body, TimePoint now) {
  const std::string& code = body.code;
  if (code == "InvalidAccessKeyId")
    return Meaning{"the store does not know the access key", "check " + keys_of(place)};
  if (code == "RequestTimeTooSkewed" || (response.status == 403 && clock_is_off(response, now)))
    return skewed(response, now);
  if (code == "SignatureDoesNotMatch")
    return Meaning{"the secret key does not belong to the access key", "check " + keys_of(place)};
  if (code == "NoSuchBucket")
    return Meaning{fmt::format("there is no bucket '{}' at {}", place.bucket, place.endpoint),
                   fmt::format("create it, or correct bucket of [[storage]] '{}'", place.storage)};
  if (code == "AuthorizationHeaderMalformed" || code == "IllegalLocationConstraintException" ||
      code == "PermanentRedirect")
    return wrong_region(place, body.region);
  if (code == "QuotaExceeded" || response.status == 507)
    return Meaning{"the store's quota is used up", "raise it, or keep less (bkp cleanup)"};
  if (code == "AccessDenied" || (response.status == 403 && code.empty()))
    return Meaning{"access denied",
                   fmt::format("the key of [[storage]] '{}' must be allowed to list, read, write "
                               "and delete in bucket '{}'",
                               place.storage, place.bucket)};
  return std::nullopt;
}

std::string bare(const HttpResponse& response, const S3ErrorBody& body) {
  std::string text = fmt::format("the store answered {}", response.status);
  if (!body.code.empty()) text += " " + body.code;
  if (!body.message.empty()) text += ": " + body.message;
  while (text.ends_with('.') || text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

bool is_passing(const HttpHead& head, const S3ErrorBody& body) {
  if (head.status >= 500) return head.status != 501 && head.status != 505 && head.status != 507;
  if (head.status == 408 || head.status == 429) return true;
  // A body that was damaged or cut on its way is sent again from memory.
  static constexpr std::array<std::string_view, 7> kCodes{"RequestTimeout",
                                                          "IncompleteBody",
                                                          "BadDigest",
                                                          "XAmzContentSHA256Mismatch",
                                                          "ConditionalRequestConflict",
                                                          "OperationAborted",
                                                          "SlowDown"};
  if (head.status != 400 && head.status != 409 && head.status != 200) return false;
  return std::find(kCodes.begin(), kCodes.end(), body.code) != kCodes.end() ||
         body.message.find("request body too small") != std::string::npos ||
         (head.status == 200 &&
          (body.code == "InternalError" || body.code == "ServiceUnavailable"));
}

void throw_refusal(const S3Place& place, std::string_view doing, const HttpResponse& response,
                   TimePoint now) {
  const S3ErrorBody body = parse_s3_error(response.body);
  const std::string start = fmt::format("storage '{}': cannot {}: ", place.storage, doing);
  if (is_passing(response, body))
    throw StorageUnreachable(ErrorCode::failed, start + bare(response, body),
                             "the store asks to come back later");
  const auto meaning = meaning_of(place, response, body, now);
  if (!meaning) throw Error(ErrorCode::failed, start + bare(response, body));
  throw Error(ErrorCode::failed,
              start + meaning->what + (body.code.empty() ? "" : " (" + body.code + ")"),
              meaning->hint);
}

void throw_failure(const S3Place& place, std::string_view doing, const HttpFailure& failure) {
  using Kind = HttpFailure::Kind;
  const std::string message =
      fmt::format("storage '{}': cannot {}: {}", place.storage, doing, failure.message());
  switch (failure.kind()) {
    case Kind::stopped:
      throw Error(ErrorCode::failed, message);
    case Kind::certificate:
      throw Error(ErrorCode::failed, message, failure.hint());
    default:
      throw StorageUnreachable(
          ErrorCode::failed, message,
          fmt::format("is the network up, and is {} the right endpoint?", place.endpoint));
  }
}

}  // namespace bkp
