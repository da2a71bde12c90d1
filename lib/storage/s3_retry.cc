#include "storage/s3_retry.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <random>
#include <thread>

#include "base/interrupt.h"

namespace bkp {
namespace {

using std::chrono::milliseconds;

// A store that refuses or swallows connections is given up sooner than one that answers badly.
constexpr unsigned kConnectTries = 3;
constexpr unsigned kTimeoutTries = 2;

milliseconds random_part(milliseconds most) {
  thread_local std::minstd_rand engine{std::random_device{}()};
  return milliseconds(std::uniform_int_distribution<milliseconds::rep>(0, most.count())(engine));
}

std::optional<milliseconds> retry_after(const HttpHead* answer) {
  if (answer == nullptr) return std::nullopt;
  const std::string* text = answer->header("retry-after");
  if (text == nullptr) return std::nullopt;
  const long seconds = std::strtol(text->c_str(), nullptr, 10);
  return seconds > 0 ? std::optional(milliseconds(seconds * 1000)) : std::nullopt;
}

}  // namespace

S3Retry::S3Retry(const S3Client& client, const S3Request& request, std::string_view doing)
    : client_(client), request_(request), doing_(doing) {}

S3Retry::Next S3Retry::after_refusal(const HttpResponse& response) {
  if (!is_passing(response, parse_s3_error(response.body))) client_.refuse(response, doing_);
  // A gateway may give up on a store that then does what it was asked for.
  if (response.status >= 500 && is_settled()) return Next::settled;
  if (!may_try_again(client_.options().tries)) client_.refuse(response, doing_);
  wait(&response);
  return Next::again;
}

S3Retry::Next S3Retry::after_failure(const HttpFailure& failure) {
  using Kind = HttpFailure::Kind;
  if (failure.kind() == Kind::stopped || failure.kind() == Kind::certificate)
    throw_failure(client_.place(), doing_, failure);
  if (failure.kind() == Kind::exchange && is_settled()) return Next::settled;
  const unsigned most = failure.kind() == Kind::connect   ? kConnectTries
                        : failure.kind() == Kind::timeout ? kTimeoutTries
                                                          : client_.options().tries;
  if (!may_try_again(most)) {
    if (failure.kind() == Kind::exchange && !request_.body.empty())
      if (const auto refusal = client_.refusal_of_all(request_.patience))
        client_.refuse(*refusal, doing_);
    throw_failure(client_.place(), doing_, failure);
  }
  wait(nullptr);
  return Next::again;
}

bool S3Retry::is_settled() const { return request_.settled && request_.settled(); }

bool S3Retry::may_try_again(unsigned most) {
  if (request_.patience.tries > 0) most = std::min(most, request_.patience.tries);
  ++tries_;
  return tries_ < most && waited_ < client_.options().wait_budget;
}

void S3Retry::wait(const HttpHead* answer) {
  const S3Options& options = client_.options();
  milliseconds most = options.first_wait;
  for (unsigned i = 1; i < tries_ && most < options.longest_wait; ++i) most *= 3;
  milliseconds pause = random_part(std::min(most, options.longest_wait));
  if (const auto asked = retry_after(answer)) pause = std::min(*asked, options.longest_wait);
  pause = std::min(pause, options.wait_budget - waited_);
  waited_ += pause;

  std::mutex mutex;
  std::condition_variable_any changed;
  std::unique_lock lock(mutex);
  const auto until = std::chrono::steady_clock::now() + pause;
  while (std::chrono::steady_clock::now() < until) {
    const auto slice = std::min(until, std::chrono::steady_clock::now() + milliseconds(100));
    changed.wait_until(lock, request_.patience.stop, slice, [] { return false; });
    if (request_.patience.stop.stop_requested())
      throw_failure(client_.place(), doing_, HttpFailure(HttpFailure::Kind::stopped, "stopped"));
    if (request_.patience.on_signal == OnSignal::stop) check_interrupt();
  }
}

}  // namespace bkp
