#include "recovery/scratch_database.h"

#include <fmt/format.h>

#include "base/interrupt.h"
#include "crypto/digest.h"

namespace bkp {

std::string scratch_name(std::string_view purpose, std::string_view target) {
  const std::string what = std::string(purpose) + '\0' + std::string(target);
  return std::string(kScratchPrefix) + to_hex(sha256(as_bytes(what))).substr(0, 16);
}

ScratchDatabase::ScratchDatabase(PgConnection& server, std::string name,
                                 const DatabaseProperties& properties)
    : server_(server),
      name_(std::move(name)),
      lock_(server, name_, fmt::format("another run works in the scratch database '{}'", name_)) {
  drop_database(server_, name_);
  create_database(server_, name_, properties);
}

ScratchDatabase::~ScratchDatabase() {
  if (kept_) return;
  const InterruptShield shield;
  try {
    drop_database(server_, name_);
  } catch (const std::exception&) {
    // The server is gone; the next run of the same purpose and target drops it.
  }
}

void ScratchDatabase::rename_to(const std::string& name) {
  server_.execute(fmt::format("ALTER DATABASE {} RENAME TO {}", server_.quote_identifier(name_),
                              server_.quote_identifier(name)));
  kept_ = true;
}

}  // namespace bkp
