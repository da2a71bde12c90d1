#include "failure.h"

#include <new>
#include <sstream>

#include "json.h"
#include "output.h"

namespace bkp {

Error as_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::failed, "out of memory");
  } catch (...) {
    return Error(ErrorCode::failed, describe(failure));
  }
}

std::string failure_text(const Error& error, bool colours) {
  std::string text = "bkp: " + paint("error:", Colour::bad, colours) + " " + error.message() + "\n";
  std::istringstream hints(error.hint());
  for (std::string line; std::getline(hints, line);) text += "hint: " + line + "\n";
  return text;
}

std::string failure_json(const Error& error) { return error_json(error); }

}  // namespace bkp
