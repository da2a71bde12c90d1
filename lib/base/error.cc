#include "base/error.h"

#include <cerrno>
#include <cstring>
#include <utility>

namespace bkp {

Error::Error(ErrorCode code, std::string message, std::string hint)
    : code_(code), message_(std::move(message)), hint_(std::move(hint)) {}

Error Error::within(std::string_view context) const {
  return {code_, std::string(context) + ": " + message_, hint_};
}

void throw_errno(std::string_view what) {
  const int error = errno;
  throw Error(ErrorCode::failed, std::string(what) + ": " + std::strerror(error));
}

std::string describe(const std::exception_ptr& error) {
  if (!error) return {};
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "unknown failure";
  }
}

}  // namespace bkp
