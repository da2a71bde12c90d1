#include "base/interrupt.h"

#include <catch2/catch.hpp>
#include <csignal>

using namespace bkp;

TEST_CASE("a shield hides a signal and the token of a scope around it") {
  install_signal_handlers();
  std::stop_source source;
  const StopScope scope(source.get_token());
  CHECK_FALSE(interrupted());
  SECTION("a token") {
    source.request_stop();
    CHECK(interrupted());
    const InterruptShield shield;
    CHECK_FALSE(interrupted());
  }
  SECTION("a signal") {
    std::raise(SIGTERM);
    CHECK(interrupted());
    CHECK_THROWS_WITH(check_interrupt(), "stopped by SIGTERM");
    {
      const InterruptShield shield;
      CHECK_FALSE(interrupted());
    }
    CHECK(interrupted());
    clear_interrupt();
  }
}

TEST_CASE("under a shield, work may still be stopped by a token of its own") {
  install_signal_handlers();
  std::raise(SIGTERM);
  std::stop_source outer;
  const StopScope around(outer.get_token());
  outer.request_stop();
  {
    const InterruptShield shield;
    std::stop_source source;
    {
      const StopScope scope(source.get_token());
      CHECK_FALSE(interrupted());
      source.request_stop();
      CHECK(interrupted());
      CHECK_THROWS_WITH(check_interrupt(), "stopped");
      const InterruptShield another;
      CHECK_FALSE(interrupted());
    }
    CHECK_FALSE(interrupted());
  }
  CHECK(interrupted());
  clear_interrupt();
}
