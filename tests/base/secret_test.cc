#include "base/secret.h"

#include <catch2/catch.hpp>

using namespace bkp;

TEST_CASE("a secret is shown as stars, and given out by name only") {
  const Secret secret(std::string_view("hunter2"));
  CHECK(to_string(secret) == "****");
  CHECK(to_string(Secret()) == "****");
  CHECK(secret.reveal_text() == "hunter2");
  CHECK(secret.reveal().size() == 7);
  CHECK_FALSE(secret.empty());
  CHECK(Secret().empty());
}

TEST_CASE("a secret is copied, moved and assigned as a value") {
  Secret first(std::string_view("one"));
  const Secret copy = first;
  Secret moved = std::move(first);
  CHECK(copy.reveal_text() == "one");
  CHECK(moved.reveal_text() == "one");
  moved = Secret(std::string_view("two"));
  CHECK(moved.reveal_text() == "two");
  moved = copy;
  const Secret& itself = moved;
  moved = itself;
  CHECK(moved.reveal_text() == "one");
}
