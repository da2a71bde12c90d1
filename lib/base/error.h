// The one way in which bkp fails: an Error with an exit code, a message and, where the user can
// act, a hint. Absence is not an error (null or optional says it), and "some storages failed" is a
// value. Caught in main, in the fan-out, and where a failure is recorded; nowhere else.
#pragma once

#include <exception>
#include <string>
#include <string_view>

namespace bkp {

// The exit codes of every command but wal-push, wal-fetch and status.
enum class ErrorCode : int {
  failed = 1,     // it did not work
  usage = 2,      // the command line or the configuration is wrong
  partial = 3,    // done in part: too few copies, some of several failed
  integrity = 4,  // a checksum, a seal or a restored row is wrong
  locked = 5,     // another run holds the lock
};

class Error : public std::exception {
 public:
  // `message`: lower case, no full stop, its subject in single quotes, its cause last.
  // `hint`: what the user can type or change, or empty.
  Error(ErrorCode code, std::string message, std::string hint = {});

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }
  const char* what() const noexcept override { return message_.c_str(); }

  // The same error told from further out: "context: message".
  Error within(std::string_view context) const;

 private:
  ErrorCode code_;
  std::string message_;
  std::string hint_;
};

// Throws Error(failed, "WHAT: strerror(errno)").
[[noreturn]] void throw_errno(std::string_view what);

// The message of any exception, for a record of what failed.
std::string describe(const std::exception_ptr& error);

}  // namespace bkp
