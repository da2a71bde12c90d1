#include "config/config_keys.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "base/fd.h"

using namespace bkp;

namespace {
std::string manual() { return read_file(std::filesystem::path(BKP_SOURCE_DIR) / "man/bkp.toml.5"); }
}  // namespace

TEST_CASE("the manual page has every section and every key") {
  const std::string page = manual();
  for (const std::string_view section : config_sections()) {
    INFO(section);
    const bool several = section == "storage";
    CHECK(page.find((several ? ".Ss [[" : ".Ss [") + std::string(section) + (several ? "]]" : "]") +
                    "\\&\n") != std::string::npos);
  }
  for (const ConfigKey& key : config_keys()) {
    INFO(key.section << " " << key.name);
    CHECK(page.find("\n.It Ic " + std::string(key.name)) != std::string::npos);
  }
}

TEST_CASE("the manual page has no key that is not read") {
  const std::string page = manual();
  const std::string mark = "\n.It Ic ";
  for (std::size_t at = page.find(mark); at != std::string::npos; at = page.find(mark, at + 1)) {
    const std::size_t start = at + mark.size();
    const std::string name = page.substr(start, page.find_first_of(" \n", start) - start);
    INFO(name);
    CHECK(std::any_of(config_keys().begin(), config_keys().end(),
                      [&](const ConfigKey& key) { return key.name == name; }));
  }
}
