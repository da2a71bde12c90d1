// What of the s3 driver is not a user's to configure, but a test's.
#pragma once

#include <chrono>
#include <memory>

#include "base/clock.h"
#include "net/http.h"

namespace bkp {

struct S3Options {
  HttpOptions http;  // the ca_file is the configuration's
  std::shared_ptr<const Clock> clock = std::make_shared<SystemClock>();  // dates the signatures
  unsigned tries = 5;
  // Before the n-th further try: a random part of first_wait × 3^(n-1), but of longest_wait at the
  // most; never more than wait_budget in all.
  std::chrono::milliseconds first_wait{200};
  std::chrono::milliseconds longest_wait{5'000};
  std::chrono::milliseconds wait_budget{20'000};
  // Objects of at least this size go as multipart uploads of parts of exactly this size, but for
  // the last: R2 wants them equal, and 10,000 of them hold the largest object that bkp writes.
  std::size_t part_size = std::size_t{16} << 20;
  unsigned list_page = 1000;  // keys asked for at once
};

}  // namespace bkp
