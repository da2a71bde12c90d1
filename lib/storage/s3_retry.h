// When to try a request again, and when to give up. Internal to the s3 driver.
#pragma once

#include "storage/s3_client.h"

namespace bkp {

class S3Retry {
 public:
  // The references must stay valid.
  S3Retry(const S3Client& client, const S3Request& request, std::string_view doing);

  // Both return after the wait before the next try; `settled`: none is needed. Both throw what
  // send() throws when there is no next try.
  enum class Next { again, settled };
  Next after_refusal(const HttpResponse& response);
  Next after_failure(const HttpFailure& failure);

 private:
  bool is_settled() const;
  bool may_try_again(unsigned most);
  void wait(const HttpHead* answer);

  const S3Client& client_;
  const S3Request& request_;
  std::string_view doing_;
  unsigned tries_ = 0;  // so far
  std::chrono::milliseconds waited_{};
};

}  // namespace bkp
