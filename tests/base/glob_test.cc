#include "base/glob.h"

#include <catch2/catch.hpp>

using namespace bkp;

TEST_CASE("a star stays in one name, two go through directories") {
  CHECK(glob_matches("/etc/*.conf", "/etc/a.conf"));
  CHECK(glob_matches("/etc/*", "/etc/.hidden"));
  CHECK_FALSE(glob_matches("/etc/*.conf", "/etc/a/b.conf"));
  CHECK(glob_matches("/etc/**/b.conf", "/etc/b.conf"));
  CHECK(glob_matches("/etc/**/b.conf", "/etc/x/y/b.conf"));
  CHECK_FALSE(glob_matches("/etc/**/b.conf", "/etc/xb.conf"));
  CHECK(glob_matches("/etc/**", "/etc/x/y"));
  CHECK_FALSE(glob_matches("/etc/**", "/etc"));
  CHECK(glob_matches("**", ""));
}

TEST_CASE("a question mark, a set and a backslash each stand for one byte") {
  CHECK(glob_matches("a?c", "abc"));
  CHECK_FALSE(glob_matches("a?c", "a/c"));
  CHECK(glob_matches("[a-c]x", "bx"));
  CHECK_FALSE(glob_matches("[!a-c]x", "bx"));
  CHECK(glob_matches("[]]", "]"));
  CHECK(glob_matches("[x", "[x"));
  CHECK(glob_matches("\\*", "*"));
  CHECK_FALSE(glob_matches("\\*", "a"));
  CHECK(glob_matches("?", "\xff"));
  CHECK(glob_matches("[\xf0-\xff]", "\xf8"));
}

TEST_CASE("a pattern without a slash is of the last name, others of the path or its end") {
  CHECK(path_matches("*.pem", "/etc/nginx/tls/a.pem"));
  CHECK_FALSE(path_matches("nginx", "/etc/nginx/tls"));
  CHECK(path_matches("tls/*.pem", "/etc/nginx/tls/a.pem"));
  CHECK(path_matches("/etc/nginx/", "/etc/nginx"));
  CHECK_FALSE(path_matches("/nginx", "/etc/nginx"));
  CHECK(path_or_parent_matches("nginx", "/etc/nginx/tls/a.pem"));
  CHECK(path_or_parent_matches("/etc", "/etc/nginx"));
  CHECK_FALSE(path_or_parent_matches("/et", "/etc/nginx"));
}

TEST_CASE("many stars against a long name end") {
  CHECK_FALSE(glob_matches("*a*a*a*a*a*a*a*a*a*a*a*a*b", std::string(2000, 'a')));
}
