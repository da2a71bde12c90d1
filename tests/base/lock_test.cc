#include "base/lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "base/error.h"

using namespace bkp;
using namespace std::chrono_literals;

namespace {

struct Place {
  TemporaryDirectory directory{std::filesystem::temp_directory_path(), "bkp-lock-"};
};

}  // namespace

TEST_CASE("one run holds a lock, and the next is told who") {
  const Place place;
  {
    const Lock held(place.directory.path(), "dump-shop", "bkp dump --db shop");
    try {
      const Lock refused(place.directory.path(), "dump-shop", "bkp dump");
      FAIL("two runs hold one lock");
    } catch (const Error& error) {
      CHECK(error.code() == ErrorCode::locked);
      CHECK(error.message() ==
            "another run holds the lock 'dump-shop': bkp dump --db shop (process " +
                std::to_string(::getpid()) + ")");
      CHECK_FALSE(error.hint().empty());
    }
    const Lock other(place.directory.path(), "dump-crm", "bkp dump");
  }
  const Lock again(place.directory.path(), "dump-shop", "bkp dump");
}

TEST_CASE("a lock's directory is made when it is not there") {
  const Place place;
  const Lock held(place.directory.path() / "a/b", "x", "bkp");
  CHECK(std::filesystem::exists(place.directory.path() / "a/b/x.lock"));
  CHECK_THROWS_AS(Lock("/proc/nonexistent", "x", "bkp"), Error);
}

TEST_CASE("a run can wait for the lock") {
  const Place place;
  auto held = std::make_unique<Lock>(place.directory.path(), "x", "bkp");
  std::thread releaser([&] { held.reset(); });
  const Lock taken(place.directory.path(), "x", "bkp", 60s);
  releaser.join();
}

TEST_CASE("the kernel gives the lock of a killed run back") {
  const Place place;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const Lock held(place.directory.path(), "x", "bkp");
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THROWS_AS(Lock(place.directory.path(), "x", "bkp"), Error);
  ::kill(child, SIGKILL);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  const Lock taken(place.directory.path(), "x", "bkp");
  ::close(ready[0]);
  ::close(ready[1]);
}
