#include "base/error.h"

#include <catch2/catch.hpp>
#include <cerrno>
#include <stdexcept>

using namespace bkp;

TEST_CASE("an error told from further out keeps its code and its hint") {
  const Error inner(ErrorCode::integrity, "seal is wrong", "use another copy");
  const Error outer = inner.within("storage 'r2'");
  CHECK(outer.code() == ErrorCode::integrity);
  CHECK(outer.message() == "storage 'r2': seal is wrong");
  CHECK(outer.hint() == "use another copy");
  CHECK(std::string(outer.what()) == outer.message());
}

TEST_CASE("the codes are the exit codes of the commands") {
  CHECK(static_cast<int>(ErrorCode::failed) == 1);
  CHECK(static_cast<int>(ErrorCode::usage) == 2);
  CHECK(static_cast<int>(ErrorCode::partial) == 3);
  CHECK(static_cast<int>(ErrorCode::integrity) == 4);
  CHECK(static_cast<int>(ErrorCode::locked) == 5);
}

TEST_CASE("a failed call of the system is told with its own words") {
  errno = ENOSPC;
  CHECK_THROWS_WITH(throw_errno("cannot write 'x'"), "cannot write 'x': No space left on device");
}

TEST_CASE("any exception can be described") {
  CHECK(describe(nullptr).empty());
  CHECK(describe(std::make_exception_ptr(Error(ErrorCode::failed, "a"))) == "a");
  CHECK(describe(std::make_exception_ptr(std::runtime_error("b"))) == "b");
  CHECK(describe(std::make_exception_ptr(1)) == "unknown failure");
}
